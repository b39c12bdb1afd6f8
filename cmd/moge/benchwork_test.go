package main

import (
	"math"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
)

func TestMeanAndDeviation(t *testing.T) {
	for _, c := range []struct {
		x               []float64
		mean, deviation float64
	}{{[]float64{3}, 3, 0}, {[]float64{1, 2, 3, 4}, 2.5, math.Sqrt(5.0 / 3)}} {
		mean, deviation := meanAndDeviation(c.x)
		if math.Abs(mean-c.mean) > 1e-15 || math.Abs(deviation-c.deviation) > 1e-15 {
			t.Errorf("%v: %v ± %v, want %v ± %v", c.x, mean, deviation, c.mean, c.deviation)
		}
	}
}

func sectionOperand(i uint32) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: i}}
}

func bufferOperand(i uint32) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: i}}
}

func stateOperand(i uint32) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_State{State: i}}
}

// benchManifest is a model of one layer: 8 experts, 2 of them chosen; 4 heads of 16 over 2 key heads.
func benchManifest() *bundlepb.Manifest {
	perToken := func(coef int64) *bundlepb.Dim { return &bundlepb.Dim{Coef: coef, Scalar: bundlepb.Scalar_T} }
	fixed := func(n int64) *bundlepb.Dim { return &bundlepb.Dim{Coef: n} }
	return &bundlepb.Manifest{
		Model: &bundlepb.Model{Experts: 8, ExpertsPerToken: 2},
		Ranks: []*bundlepb.Rank{{Sections: []*bundlepb.Section{
			{Size: 1024, Dtype: bundlepb.DType_F32, Shape: []int64{10, 25}},   // 0: embedding
			{Size: 2048, Dtype: bundlepb.DType_I8, Shape: []int64{8, 10, 20}}, // 1: experts, padded to 2048
			{Size: 320, Dtype: bundlepb.DType_F32, Shape: []int64{8, 10}},     // 2: their scales
			{Size: 512, Dtype: bundlepb.DType_I32, Shape: []int64{8, 16}},     // 3: their sums
			{Size: 600, Dtype: bundlepb.DType_BF16, Shape: []int64{3, 100}},   // 4: head
			{Size: 64, Dtype: bundlepb.DType_F32, Shape: []int64{3}}}}},       // 5: its bias
		Programs: []*bundlepb.Program{{Name: "draft"}, {Name: bundle.StepProgram,
			Buffers: []*bundlepb.Buffer{
				{Shape: []*bundlepb.Dim{perToken(1), fixed(25)}},
				{Shape: []*bundlepb.Dim{perToken(2), fixed(10)}},
				{Shape: []*bundlepb.Dim{{Coef: 1, Scalar: bundlepb.Scalar_L}, fixed(3)}},
				{Shape: []*bundlepb.Dim{perToken(1), fixed(4), fixed(16)}}},
			States: []*bundlepb.State{{Dtype: bundlepb.DType_F16, Heads: 2, Width: 16},
				{Dtype: bundlepb.DType_I8, Heads: 2, Width: 16}},
			Steps: []*bundlepb.Step{
				{Op: bundlepb.OpCode_EMBED, Site: "embed",
					Args: []*bundlepb.Operand{bufferOperand(9), sectionOperand(0)}},
				{Op: bundlepb.OpCode_ATTEND, Site: "layers.0.self_attn",
					Args: []*bundlepb.Operand{bufferOperand(3), stateOperand(0), stateOperand(1)}},
				{Op: bundlepb.OpCode_QGROUPED_LINEAR, Site: "layers.0.mlp.experts.down",
					Args: []*bundlepb.Operand{
						bufferOperand(9),
						sectionOperand(1),
						sectionOperand(2),
						sectionOperand(3),
					},
					Results: []*bundlepb.Operand{bufferOperand(1)}},
				{Op: bundlepb.OpCode_LINEAR, Site: "lm_head",
					Args:    []*bundlepb.Operand{bufferOperand(9), sectionOperand(4), sectionOperand(5)},
					Results: []*bundlepb.Operand{bufferOperand(2)}},
			}}},
	}
}

func TestWorkloadBytes(t *testing.T) {
	const (
		row    = 25 * 4
		expert = 10*20 + 10*4
		fixed  = 3*100*2 + 3*4
		place  = 2*16*2 + 2*16 + 2*4 // of the f16 state and of the i8 state with its scales
	)
	for _, c := range []struct {
		name     string
		spans    []span
		distinct int
		want     int64
	}{
		{"a token", []span{{0, 1}}, 2, fixed + row + 2*expert + place},
		{"a later token", []span{{99, 100}}, 2, fixed + row + 2*expert + 100*place},
		{"two sequences", []span{{4, 5}, {9, 10}}, 3, fixed + 2*row + 3*expert + 15*place},
		{"a prompt", []span{{10, 14}}, 5, fixed + 4*row + 5*expert + 14*place},
	} {
		if got := newWorkload(benchManifest()).bytes(c.spans, []int{c.distinct}); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

func TestWorkloadOfLaunchesIsThatOfTheirPlaces(t *testing.T) {
	m := benchManifest()
	want := newWorkload(m).bytes([]span{{0, 1}}, []int{2})
	for _, s := range m.Programs[1].Steps {
		if s.Op != bundlepb.OpCode_ATTEND {
			s.Op = bundlepb.OpCode_LAUNCH
		}
	}
	w := newWorkload(m)
	if got := w.bytes([]span{{0, 1}}, []int{2}); got != want || len(w.linears) > 0 {
		t.Errorf("%d bytes, want %d; %d linear layers", got, want, len(w.linears))
	}
}

// TestWorkloadOfRanks has each of two ranks with half of the experts and of the heads.
func TestWorkloadOfRanks(t *testing.T) {
	m := benchManifest()
	sections := m.Ranks[0].Sections
	m.Ranks = append(m.Ranks, &bundlepb.Rank{Index: 1, Sections: sections})
	for _, s := range sections[1:4] {
		s.Shape[0] = 4
	}
	for _, s := range m.Programs[1].States {
		s.Heads = 1
	}
	one, two := newWorkload(benchManifest()), newWorkload(m)
	want := one.bytes([]span{{2, 3}}, []int{2}) + 3*100*2 + 3*4 // the head is on both
	if got := two.bytes([]span{{2, 3}}, []int{2}); got != want || len(two.attention) > 0 {
		t.Errorf("%d bytes, want %d; %d layers of attention", got, want, len(two.attention))
	}
	m.Placement = &bundlepb.Placement{Attention: &bundlepb.Degrees{Dp: 2}}
	place := int64(2*16*2+2*16+2*4) / 2
	if got := newWorkload(m).bytes([]span{{2, 3}}, []int{2}); got != want-3*place {
		t.Errorf("of two groups: %d bytes, want %d", got, want-3*place)
	}
}

func TestWorkloadOperations(t *testing.T) {
	const (
		experts = 2 * 10 * 20 * 2 // two rows a token
		head    = 2 * 3 * 100
		pair    = 2 * 4 * (16 + 16)
	)
	for _, c := range []struct {
		spans        []span
		logits       int
		all, integer int64
	}{
		{[]span{{0, 1}}, 1, experts + head + pair, experts},
		{[]span{{7, 8}, {3, 4}}, 2, 2*experts + 2*head + (8+4)*pair, 2 * experts},
		{[]span{{2, 5}}, 1, 3*experts + head + (3+4+5)*pair, 3 * experts},
	} {
		all, integer := newWorkload(benchManifest()).operations(c.spans, c.logits)
		if all != c.all || integer != c.integer {
			t.Errorf("%v: %d and %d, want %d and %d", c.spans, all, integer, c.all, c.integer)
		}
	}
}

func TestSpanSeesItsWindow(t *testing.T) {
	for _, c := range []struct {
		span             span
		window           int64
		pairs, positions int64
	}{
		{span{0, 3}, 0, 1 + 2 + 3, 3},
		{span{0, 3}, 2, 1 + 2 + 2, 3},
		{span{10, 12}, 4, 8, 5},
		{span{10, 11}, 4, 4, 4},
		{span{10, 11}, 100, 11, 11},
	} {
		if pairs, positions := c.span.seen(c.window); pairs != c.pairs || positions != c.positions {
			t.Errorf("%v of window %d: %d and %d, want %d and %d", c.span, c.window, pairs, positions,
				c.pairs, c.positions)
		}
	}
}

func TestRowsRoundUp(t *testing.T) {
	d := &bundlepb.Dim{Coef: 3, Scalar: bundlepb.Scalar_T, Div: 4}
	if got := rowsOf(d, 9, 1); got != 9 {
		t.Errorf("%d rows, want 9", got)
	}
}

func TestCacheRowsAreWholePages(t *testing.T) {
	l := &bundlepb.Limits{Context: 1000, MaxSeqs: 4}
	for _, c := range []struct {
		positions, sequences int
		want                 int64
	}{
		{1, 1, 256}, {256, 2, 512}, {257, 2, 1024}, {1000, 4, 4096},
	} {
		if got := cacheRows(l, c.positions, c.sequences); got != c.want {
			t.Errorf("%+v: %d rows", c, got)
		}
	}
}

func TestBenchCaseNames(t *testing.T) {
	for want, c := range map[string]benchCase{
		"pp512": {false, 512, 0, 1}, "tg128 x16": {true, 128, 0, 16},
		"tg128 x2 @ d8192": {true, 128, 8192, 2}, "pp1 @ d3": {false, 1, 3, 1},
	} {
		if got := c.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
