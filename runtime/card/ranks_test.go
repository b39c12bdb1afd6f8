package card

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/comm"
	"moge/runtime/device"
)

// bufAll is the rows of both ranks.
const bufAll = bufSync + 1

// twoRanks is the small program with one more step: both ranks gather the rows of bufX.
func twoRanks() *bundlepb.Manifest {
	m := manifest()
	second := proto.CloneOf(m.Ranks[0])
	second.Index, second.File = 1, bundle.RankFile(1)
	m.Ranks = append(m.Ranks, second)
	m.Placement = &bundlepb.Placement{Devices: 2, Attention: &bundlepb.Degrees{Dp: 2}}
	p := m.Programs[0]
	p.Buffers = append(p.Buffers, &bundlepb.Buffer{Dtype: bundlepb.DType_F16,
		Shape:  []*bundlepb.Dim{{Coef: 32, Scalar: bundlepb.Scalar_T, Div: 16}, fixed(width)},
		Offset: p.ArenaBytes})
	p.ArenaBytes += 64 * width * 2
	p.Steps = append(p.Steps, &bundlepb.Step{Op: bundlepb.OpCode_ALL_GATHER, Site: "norm",
		Args: []*bundlepb.Operand{onBuffer(bufX)}, Results: []*bundlepb.Operand{onBuffer(bufAll)},
		Attrs: []*bundlepb.Attr{ints("rows", 1, perT), number("size", 2), number("stride", 1)}})
	return m
}

// loadedRank checks a program for rank 1 of two.
func loadedRank(t *testing.T, m *bundlepb.Manifest) (*loader, error) {
	t.Helper()
	b := opened(t, manifest())
	rank, err := b.Rank(0)
	if err != nil {
		t.Fatal(err)
	}
	own := b.Manifest()
	own.Programs, own.Kernels, own.Ranks, own.Placement = m.Programs, m.Kernels, m.Ranks, m.Placement
	return newLoader(b, rank, m.Programs[0], device.Options{Rank: 1, Ranks: 2})
}

func TestRanksOfAProgram(t *testing.T) {
	m := twoRanks()
	l, err := loadedRank(t, m)
	if err != nil {
		t.Fatal(err)
	}
	c := l.steps[len(l.steps)-1].collective
	if c == nil || c.op != comm.AllGather || c.from != bufX || c.to != bufAll {
		t.Errorf("the last step is %+v", c)
	}
	if l.limits.Seqs != seqLimit/2 {
		t.Errorf("a rank has %d sequences of %d", l.limits.Seqs, seqLimit)
	}
	scalars := func(s bundlepb.Scalar) int64 { return map[bundlepb.Scalar]int64{bundlepb.Scalar_T: 5}[s] }
	for _, want := range []struct {
		values []int64
		at     int64
	}{{[]int64{2, perT}, 10}, {[]int64{2, perT, 4}, 4}, {[]int64{3, 0, 2, 1}, 3}} {
		v, ok := l.computed(want.values)
		if !ok || v.at(scalars) != want.at {
			t.Errorf("%v is %d, %v, want %d", want.values, v.at(scalars), ok, want.at)
		}
	}
}

// hostileRanks are programs of two ranks that no card can run.
var hostileRanks = []struct {
	want   string
	change func(p *programOf, s *bundlepb.Step)
}{
	{"groups of 3, stride 1", func(_ *programOf, s *bundlepb.Step) { s.Attrs[1] = number("size", 3) }},
	{"groups of 0, stride 1", func(_ *programOf, s *bundlepb.Step) { s.Attrs[1] = number("size", 0) }},
	{"scalar rows has no value that a step gives",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = ints("rows", 1, perT, 0) }},
	{"scalar rows has no value that a step gives",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = ints("rows", 1, 0, 3, 1) }},
	{"scalar rows has no value that a step gives",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = ints("rows", 1<<31-1, 0, 2, 1) }},
	{"scalar rows has no value that a step gives",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = ints("rows", 1, perT, math.MaxInt64) }},
	{`scalar rows is "pages", want a number of rows`,
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = word("rows", "pages") }},
	{"96 rows sent and 192 received leave their buffers",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = ints("rows", 3, perT) }},
	{
		"8 rows do not make 2 parts",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = ints("rows", 1, perL) },
	},
	{"1 rows do not make 2 parts", func(_ *programOf, s *bundlepb.Step) {
		s.Op, s.Attrs[0] = bundlepb.OpCode_REDUCE_SCATTER, number("rows", 1)
	}},
	{"rows of another scalar than their buffers",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs[0] = number("rows", 2) }},
	{"rows pass from one buffer to another",
		func(_ *programOf, s *bundlepb.Step) { s.Args[0] = onSection(0) }},
	{"rows pass from one buffer to another",
		func(p *programOf, _ *bundlepb.Step) { p.Buffers[bufAll].Offset = p.Buffers[bufX].Offset }},
	{"rows of 8 i32 become rows of 16 f16, want halves of one width",
		func(_ *programOf, s *bundlepb.Step) { s.Args[0] = onBuffer(bufOut) }},
	{"1 arguments and 0 results", func(_ *programOf, s *bundlepb.Step) { s.Results = nil }},
	{
		"attribute zzz is not known",
		func(_ *programOf, s *bundlepb.Step) { s.Attrs = append(s.Attrs, number("zzz", 1)) },
	},
	{"attribute each_pad is no result of a launch for each sequence",
		func(p *programOf, _ *bundlepb.Step) {
			p.Steps[stepDecode].Attrs = append(p.Steps[stepDecode].Attrs, number("each_pad", 5))
		}},
	{"attribute each_pad is no result of a launch for each sequence",
		func(p *programOf, _ *bundlepb.Step) {
			p.Steps[stepPrefill].Attrs = append(p.Steps[stepPrefill].Attrs, number("each_pad", 0))
		}},
}

func TestHostileRanks(t *testing.T) {
	for _, c := range hostileRanks {
		m := twoRanks()
		p := m.Programs[0]
		c.change(p, p.Steps[len(p.Steps)-1])
		if _, err := loadedRank(t, m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// The ranks of a group have rows for whole shards, which an output must hold.
func TestOutputWithoutRowsForItsGroup(t *testing.T) {
	m := twoRanks()
	m.Placement.Attention = &bundlepb.Degrees{Tp: 2}
	p := m.Programs[0]
	p.Limits.MaxBatchTokens--
	for _, b := range []int{bufOut, bufExperts} {
		p.Buffers[b].Shape[0] = &bundlepb.Dim{Coef: 1, Scalar: bundlepb.Scalar_T, Div: 1}
	}
	_, err := loadedRank(t, m)
	want := fmt.Sprintf("output experts.0: %d rows in a buffer of %d", maxT, maxT-1)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
