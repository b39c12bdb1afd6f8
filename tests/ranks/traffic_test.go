package ranks

import (
	"fmt"
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/ir/shape"
	"moge/passes"
	"moge/tests/fixture"
)

// published is the graph of Pangu Pro MoE (paper Table 1) for 8 chips, with the first passes of the
// partition alone where others are off.
func published(t *testing.T, layers string, off ...string) (*ir.Graph, *passes.Report) {
	t.Helper()
	g := fixture.Graph(t, "../../formats/models/testdata/pangu_published.json",
		`"num_hidden_layers": 48`, `"num_hidden_layers": `+layers)
	o := passes.Options{Scheme: fixture.Scheme(t, "w8a8-dynamic"), Activations: dtype.F16, Float: dtype.F16,
		KV: dtype.F16, Placement: placement.H2P(8), Off: off,
		PlacementRules: placement.Rules{Align: 32, VocabAlign: 16, MaxPadding: 0.15}}
	g, report, err := passes.Compile(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return g, report
}

// The paper's hidden width.
const hidden = 5120

// perLayer is what a step over a batch of tokens sends for each layer, in elements of B·H: two layers
// less one, so that embedding and head do not count.
func perLayer(t *testing.T, off ...string) (count int, elements float64) {
	t.Helper()
	const batch = 80
	env := &shape.Env{shape.T: batch / 2, shape.L: 1}
	one, _ := published(t, "1", off...)
	two, _ := published(t, "2", off...)
	a, b := passes.MeasureTraffic(one, env), passes.MeasureTraffic(two, env)
	return b.Count - a.Count, float64(b.Elements-a.Elements) / (batch * hidden)
}

// TestScheduleOfThePaper pins what each pass saves (paper §4.2, Figure 4): the naive schedule sends
// 4.75 times B·H elements a layer and rank on a ring: 2·3/4·1/2 for TP4, 1/2 for DP2, 2·2·7/8 for routed
// and shared experts. The final one 2.5: 3/4·1/2 twice and 7/8 twice.
func TestScheduleOfThePaper(t *testing.T) {
	for _, c := range []struct {
		off      []string
		count    int
		elements float64
	}{
		{[]string{"RewriteAllReduce", "SinkAllGather", "MergeCollectives"}, 4, 4.75},
		// The halves of all-reduces send as much.
		{[]string{"SinkAllGather", "MergeCollectives"}, 7, 4.75},
		// Routed and shared experts are still summed apart: one reduce-scatter of 7/8 more.
		{[]string{"MergeCollectives"}, 5, 3.375},
		{nil, 4, 2.5},
	} {
		count, elements := perLayer(t, c.off...)
		if count != c.count || elements != c.elements {
			t.Errorf("without %v: %d collectives and %v B·H elements a layer, want %d and %v", c.off,
				count, elements, c.count, c.elements)
		}
	}
}

// TestBytesOfThePaper: 1.229 MB times the batch for each chip and step over 48 layers at f16, in 4
// collectives a layer, nothing but gathers and scatters; and the final gather.
func TestBytesOfThePaper(t *testing.T) {
	g, report := published(t, "48")
	env := &shape.Env{shape.T: 40, shape.L: 1}
	got := passes.MeasureTraffic(g, env)
	final := int64(7 * 10 * hidden) // seven times a rank's ten rows
	if want := int64(48*20*10*hidden) + final; got.Elements != want || got.Bytes != 2*want ||
		got.Count != 4*48+1 {
		t.Errorf("%d elements, %d bytes in %d collectives, want %d, %d, %d", got.Elements, got.Bytes, got.Count,
			want, 2*want, 4*48+1)
	}
	if mb := float64(got.Bytes-2*final) / 80 / 1e6; fmt.Sprintf("%.3f", mb) != "1.229" {
		t.Errorf("%.4f MB for each token", mb)
	}
	for _, n := range g.Nodes {
		if n.Op == ir.OpAllReduce {
			t.Errorf("an all-reduce at %s", n.Site)
		}
	}
	if len(report.Traffic) != 4 || report.Traffic[0].Pass != "PartitionGraph" {
		t.Errorf("the report has %v", report.Traffic)
	}
}

// TestNormsOnShards: behind SinkAllGather each norm runs on the rows of one rank, a quarter of those of
// its group of attention (the paper's 75 %).
func TestNormsOnShards(t *testing.T) {
	rows := func(off ...string) shape.Dim {
		g, _ := published(t, "1", off...)
		for _, n := range g.Nodes {
			if n.Op == ir.OpAddRMSNorm && strings.HasSuffix(n.Site, "post_norm") {
				return n.Results[0].Type.Shape[0]
			}
		}
		t.Fatal("no norm")
		return shape.Dim{}
	}
	env := &shape.Env{shape.T: 40}
	whole, shard := rows("SinkAllGather"), rows()
	if whole.Eval(env) != 40 || shard.Eval(env) != 10 {
		t.Errorf("norms of %v rows became norms of %v", whole, shard)
	}
}
