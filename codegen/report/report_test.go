package report

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moge/codegen/balance"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/tests/fixture"
)

// manifest is H2P with its certificate.
func manifest(t testing.TB, layers int) *bundlepb.Manifest {
	t.Helper()
	m := fixture.H2P(layers)
	m.Certificate = balance.For(m)
	if err := bundle.Validate(m, false); err != nil {
		t.Fatal(err)
	}
	return m
}

func newReport(t testing.TB, m *bundlepb.Manifest, o Options) *Report {
	t.Helper()
	r, err := New(m, "x.moge", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLayersAreFolded(t *testing.T) {
	r := newReport(t, manifest(t, 48), Options{})
	var got []string
	for _, b := range r.Blocks {
		got = append(got, b.Name)
	}
	// That the first layer's inputs come from elsewhere does not make it another.
	want := []string{"before the layers", "layers 0 to 47", "after the layers"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if b := r.Blocks[1]; b.Repeat != 48 || b.Ops[0].Step != len(r.Blocks[0].Ops)+len(b.Ops) {
		t.Errorf("%d layers, the one that stands for them begins at step %d", b.Repeat, b.Ops[0].Step)
	}
}

func TestLayersThatDifferAreNot(t *testing.T) {
	m := manifest(t, 4)
	steps := m.Programs[0].Steps
	i := slices.IndexFunc(steps, func(s *bundlepb.Step) bool { return s.Site == "layers.2.mlp.residual" })
	m.Programs[0].Steps = slices.Insert(steps, i+1, &bundlepb.Step{Op: bundlepb.OpCode_COPY,
		Site: "layers.2.mlp"})
	var got []string
	for _, b := range newReport(t, m, Options{}).Blocks {
		got = append(got, b.Name)
	}
	want := []string{"before the layers", "layers 0 to 1", "layer 2", "layer 3", "after the layers"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCollectivesAreThoseOfThePaper: 4 a layer, and 20·B/8 rows of hidden f16 elements that a rank
// sends on a ring, over 48 layers 1.229 MB for each token of the batch.
func TestCollectivesAreThoseOfThePaper(t *testing.T) {
	const batch, layers = 80, 48
	r := newReport(t, manifest(t, layers), Options{Sequences: batch})
	s := r.Schedules[len(r.Schedules)-1]
	if want := int64(20 * batch / 8 * 5120 * 2); s.Count != 4 || s.Bytes != want {
		t.Errorf("%d collectives of %d bytes in a layer, want 4 of %d", s.Count, s.Bytes, want)
	}
	// After the layers all rows are gathered once more, in the same wire type.
	after := int64(7 * batch / 8 * 5120 * 2)
	if s.Total != 4*layers+1 || s.TotalBytes != layers*s.Bytes+after {
		t.Errorf("%d collectives of %d bytes in all", s.Total, s.TotalBytes)
	}
	if perToken := float64(layers*s.Bytes) / batch / 1e6; math.Abs(perToken-1.229) > 0.0005 {
		t.Errorf("%.4f MB a token, the reference has 1.229 to three decimals", perToken)
	}
	var kinds []string
	for _, c := range s.Layer {
		kinds = append(kinds, c.Kind+" "+c.Group()+" "+c.Wire)
	}
	want := []string{"ALL_GATHER 4 ranks f16", "REDUCE_SCATTER 4 ranks f16", "ALL_GATHER 8 ranks f16",
		"REDUCE_SCATTER 8 ranks f16"}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

// TestNaiveScheduleIsThatOfThePaper: 4.75·B·H elements a layer and rank, where the final schedule sends
// 2.5: 2·3/4 of half the batch for TP4, the other half for DP2, 2·7/8 of all for routed and for shared.
func TestNaiveScheduleIsThatOfThePaper(t *testing.T) {
	const batch = 80
	r := newReport(t, manifest(t, 48), Options{Sequences: batch})
	for i, want := range []float64{4.75, 2.5} {
		s, elements := r.Schedules[i], int64(0)
		for _, c := range s.Layer {
			elements += c.Elements
		}
		if got := float64(elements) / (batch * 5120); got != want || s.Count != 4 || s.Bytes != 2*elements {
			t.Errorf("%s: %d collectives of %v B·H elements, %d bytes; want 4 of %v", s.Name, s.Count, got,
				s.Bytes, want)
		}
	}
}

func TestNoNaiveScheduleWhereItIsAnother(t *testing.T) {
	m := manifest(t, 2)
	m.Placement.Shared = &bundlepb.Degrees{Dp: 2, Tp: 4}
	if r := newReport(t, m, Options{}); len(r.Schedules) != 1 {
		t.Errorf("%d schedules", len(r.Schedules))
	}
	m.Placement, m.Certificate, m.Ranks = nil, nil, m.Ranks[:1]
	for _, s := range m.Programs[0].Steps {
		s.Op = bundlepb.OpCode_COPY
	}
	if r := newReport(t, m, Options{}); len(r.Schedules) != 1 || r.Schedules[0].Total != 0 {
		t.Errorf("%+v", r.Schedules)
	}
}

func TestRingElements(t *testing.T) {
	for _, c := range []struct {
		kind    string
		n, x, w int64
	}{{"ALL_GATHER", 4, 100, 300}, {"REDUCE_SCATTER", 4, 100, 75}, {"ALL_REDUCE", 4, 100, 150},
		{"ALL_REDUCE", 1, 100, 0}, {"ADD", 4, 100, 0}} {
		if got := RingElements(c.kind, c.n, c.x); got != c.w {
			t.Errorf("%s of %d ranks: %d, want %d", c.kind, c.n, got, c.w)
		}
	}
}

// op finds an operation of a layer.
func op(t *testing.T, r *Report, title, site string) *Op {
	t.Helper()
	for i := range r.Blocks {
		for k := range r.Blocks[i].Ops {
			if o := &r.Blocks[i].Ops[k]; o.Title() == title && o.Site == site {
				return o
			}
		}
	}
	t.Fatalf("no %s at %s", title, site)
	return nil
}

func TestBytesOfOps(t *testing.T) {
	r := newReport(t, manifest(t, 2), Options{Sequences: 6, Context: 1000})
	// 3 tokens a group, so a shard is one row, a group 4 and the world 8; a rank's experts get 16 rows.
	for _, c := range []struct {
		title, site                 string
		weights, activations, cache int64
		macs                        int64
	}{
		{"EMBED", "embed", 4 * 5120 * 2, 4*4 + 4*5120*4, 0, 0},
		{"QLINEAR", "self_attn.q+k+v", 1792 * 5120, 4*5120*4 + 4*1792*4, 0, 4 * 1792 * 5120},
		{"KV_WRITE", "self_attn.k", 0, 4*1792*4 + 4*4, 3 * 2 * 128 * 2, 0},
		{"ATTEND", "self_attn", 0, 4*1792*4 + 4*4 + 4*1280*4, 2 * 3 * 1000 * 2 * 128 * 2, 2 * 1000 * 4 * 1280},
		{"QGROUPED_LINEAR", "mlp.experts.down", 16 * 5120 * 672, 16*1344*4 + 16*4 + 16*5120*4, 0,
			16 * 5120 * 672},
		{"REDUCE_SCATTER", "mlp", 0, 8*5120*4 + 5120*4, 0, 0},
	} {
		o := op(t, r, c.title, c.site)
		if o.MACs != c.macs {
			t.Errorf("%s at %s: %d multiply-adds, want %d", c.title, c.site, o.MACs, c.macs)
		}
		if o.Weights != c.weights || o.Activations != c.activations || o.Cache != c.cache {
			t.Errorf("%s at %s: %d, %d and %d bytes, want %d, %d and %d", c.title, c.site, o.Weights,
				o.Activations, o.Cache, c.weights, c.activations, c.cache)
		}
	}
	// Of one sequence 2 rows of each world row reach a rank: more than its experts only from 8 rows on.
	one := newReport(t, manifest(t, 2), Options{Sequences: 1})
	if got := op(t, one, "QGROUPED_LINEAR", "mlp.experts.down").Weights; got != 16*5120*672 {
		t.Errorf("%d bytes of experts", got)
	}
}

func TestFewRowsTouchFewExperts(t *testing.T) {
	m := manifest(t, 1)
	m.Placement, m.Certificate, m.Ranks = nil, nil, m.Ranks[:1]
	m.Model.Experts, m.Model.Groups = 16, 0
	r := newReport(t, m, Options{Sequences: 1})
	if got := op(t, r, "QGROUPED_LINEAR", "mlp.experts.down").Weights; got != 8*5120*672 {
		t.Errorf("%d bytes of the experts of a token that takes 8 of 16", got)
	}
}

func TestEdges(t *testing.T) {
	r := newReport(t, manifest(t, 2), Options{})
	ops := r.Blocks[1].Ops
	at := func(title, site string) int {
		o := op(t, r, title, site)
		return slices.IndexFunc(ops, func(x Op) bool { return x.Step == o.Step })
	}
	for _, c := range []struct {
		title, site string
		want        []Edge
	}{
		{"RMS_NORM", "input_norm", []Edge{{-1, "layer before: mlp.residual"}}},
		{"ATTEND", "self_attn", []Edge{{Op: at("QLINEAR", "self_attn.q+k+v")},
			{Op: at("KV_WRITE", "self_attn.k")}, {Op: at("KV_WRITE", "self_attn.v")}}},
		{"ADD_RMS_NORM", "post_norm", []Edge{{-1, "layer before: mlp.residual"},
			{Op: at("REDUCE_SCATTER", "self_attn")}}},
		{"ADD", "mlp.residual", []Edge{{Op: at("ADD_RMS_NORM", "post_norm")},
			{Op: at("REDUCE_SCATTER", "mlp")}}},
	} {
		if got := ops[at(c.title, c.site)].From; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s at %s reads %v, want %v", c.title, c.site, got, c.want)
		}
	}
	if o := ops[at("MOE_GATE", "mlp.router")]; !slices.Equal(o.Outputs, []string{"experts"}) || o.Leaves {
		t.Errorf("the router gives %v, leaves %v", o.Outputs, o.Leaves)
	}
	if o := ops[at("ADD", "mlp.residual")]; !o.Leaves {
		t.Error("nothing leaves the layer")
	}
}

func TestFlow(t *testing.T) {
	f := newFlow(0)
	f.write(0, 100, 1)
	f.write(40, 60, 2)
	f.write(90, 120, 3)
	for _, c := range []struct {
		lo, hi uint64
		want   []int
	}{{0, 40, []int{1}}, {39, 41, []int{1, 2}}, {60, 61, []int{1}}, {0, 200, []int{1, 2, 3}},
		{120, 130, nil}, {100, 101, []int{3}}} {
		if got := f.read(nil, c.lo, c.hi); !slices.Equal(got, c.want) {
			t.Errorf("bytes %d to %d are of %v, want %v", c.lo, c.hi, got, c.want)
		}
	}
	f.write(10, 110, 4)
	if got := f.read(nil, 0, 200); !slices.Equal(got, []int{1, 4, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestMemory(t *testing.T) {
	m := manifest(t, 2)
	chip := &Chip{Name: "chip", Memory: 4 << 30, Reserve: 1 << 30}
	got := newReport(t, m, Options{Chip: chip}).Memory
	if got.Position != 2*2*2*128*2 || got.Sequences != 40 || got.Weights != m.Ranks[0].Size {
		t.Errorf("%+v", got)
	}
	if got.Free != chip.Memory-chip.Reserve-got.Weights-got.Arena ||
		got.Positions != got.Free/got.Position {
		t.Errorf("%d bytes free, %d positions", got.Free, got.Positions)
	}
	last := got.Caches[len(got.Caches)-1]
	if last.Sequences != 40 || last.Context != 2048 || last.Bytes != 40*2048*got.Position || !*last.Fits {
		t.Errorf("%+v", last)
	}
	sum := int64(0)
	for _, p := range got.Parts {
		sum += p.Bytes
	}
	if sum != got.Weights { // the fixture's sections have no gaps
		t.Errorf("the parts have %d bytes of %d", sum, got.Weights)
	}
}

func TestBalanceIsProvedAgain(t *testing.T) {
	m := manifest(t, 1)
	b := newReport(t, m, Options{Sequences: 80}).Balance
	if !b.Exact || b.Rows != "2" || b.StepTokens != 80 || b.StepRows != 160 || b.Problem != "" ||
		!b.InManifest {
		t.Errorf("%+v", b)
	}
	if b.Random.Devices != 4 || b.Random.Model.Above != 0 || b.Random.Ungrouped.Above < 0.9 {
		t.Errorf("%+v, %+v", b.Random.Ungrouped, b.Random.Model)
	}
	m.Certificate.RowsNumerator, m.Certificate.RowsDenominator = 4, 2
	want := "the balance certificate says exactly 4/2 rows a token on ep4, from model and placement follows " +
		"exactly 2/1 rows a token on ep4; compile the bundle anew"
	if b := newReport(t, m, Options{}).Balance; b.Problem != want {
		t.Errorf("got %s", b.Problem)
	}
}

func TestTimes(t *testing.T) {
	m := manifest(t, 1)
	timing := &Timing{What: "a test", OfStep: true, Of: func(o *Op) (float64, string, bool) {
		return float64(o.Step), "test", o.Step > 0
	}}
	r := newReport(t, m, Options{Timing: timing})
	if r.Blocks[0].Ops[0].Seconds != nil || *r.Blocks[0].Ops[1].Seconds != 1 ||
		*r.Timing != (Source{"a test", true}) {
		t.Errorf("%+v, %+v", r.Blocks[0].Ops, r.Timing)
	}
	sum := 0.0
	for _, total := range r.Totals {
		if total.Seconds != nil {
			sum += *total.Seconds
		}
	}
	n := float64(len(m.Programs[0].Steps) - 1)
	if sum != n*(n+1)/2 {
		t.Errorf("%v in all", sum)
	}
}

func TestRefusals(t *testing.T) {
	m := manifest(t, 1)
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Sequences: 81}, "a step of 81 sequences: the program takes 1 to 80"},
		{Options{Context: 4096}, "a context of 4096 positions: the program takes 1 to 2048"},
		{Options{Load: &balance.ExpertLoad{Experts: 32, TopK: 8}},
			"the expert load is of 8 of 32 experts, the bundle's model takes 8 of 64"},
	} {
		if _, err := New(m, "x", c.o); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	m.Programs[0].Steps = slices.Repeat([]*bundlepb.Step{{Op: bundlepb.OpCode_ADD}}, maxSteps+1)
	want := "the program has 32769 steps with 5 operands, a report is made of at most 32768 with 131072"
	if _, err := New(m, "x", Options{}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestJSONIsDeterministic(t *testing.T) {
	encode := func() string {
		data, err := json.Marshal(newReport(t, manifest(t, 3), Options{}))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	a := encode()
	if a != encode() || !strings.HasPrefix(a, `{"schema":"moge.report/1"`) {
		t.Errorf("%.200s", a)
	}
}

// TestHostileNumbers has sizes whose sums and products are more than an int64: nothing may wrap.
func TestHostileNumbers(t *testing.T) {
	m := manifest(t, 1)
	for _, s := range m.Programs[0].States {
		s.Heads, s.Width = 1<<40, 1<<40
	}
	r := newReport(t, m, Options{})
	for _, b := range r.Blocks {
		for _, o := range b.Ops {
			if o.Bytes() < 0 || o.Cache < 0 {
				t.Errorf("%+v", o)
			}
		}
	}
	if r.Memory.Position < 0 || r.Memory.Caches[0].Bytes < 0 {
		t.Errorf("%+v", r.Memory)
	}
}
