package cost

import (
	"fmt"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/placement"
	"moge/passes"
	"moge/tests/fixture"
)

const (
	tinyConfig      = "../../tests/testdata/tiny-moge/config.json"
	publishedConfig = "../../formats/models/testdata/pangu_published.json"
	families        = "../../tests/testdata/families/"
)

// compiled is a graph after all passes, on one rank.
func compiled(t *testing.T, g *ir.Graph) *ir.Graph {
	t.Helper()
	return fixture.ForCard(t, g, passes.Options{Scheme: fixture.Scheme(t, "w8a8-dynamic")})
}

func sizes(t *testing.T, g *ir.Graph) *Model {
	t.Helper()
	m, err := ModelOf(compiled(t, g))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var steps3 = []Step{Decode(1, 2048), Decode(80, 300), Prefill(3, 129)}

func TestClosedFormIsWhatTheGraphHas(t *testing.T) {
	for _, config := range []string{tinyConfig, publishedConfig, families + "llama/config.json",
		families + "qwen3/config.json", families + "qwen3_moe/config.json", families + "mixtral/config.json"} {
		g := compiled(t, fixture.Graph(t, config))
		m, err := ModelOf(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps3 {
			got, err := Walk(g, placement.Single(), s)
			if err != nil {
				t.Fatal(err)
			}
			compareOps(t, fmt.Sprint(config, s), m.Ops(nil, placement.Single(), s, Scattered), got)
		}
	}
}

// naive are the passes without which each product that is split has an all-reduce behind it.
var naive = []string{"RewriteAllReduce", "SinkAllGather", "MergeCollectives"}

// TestClosedFormIsWhatRanksHave compares every placement that a search looks at, with the collectives
// that the passes reach and with those that they start from.
func TestClosedFormIsWhatRanksHave(t *testing.T) {
	machine, err := Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	configs := []string{tinyConfig, families + "llama/config.json", families + "mixtral/config.json"}
	for _, config := range configs {
		g := fixture.Graph(t, config)
		m := sizes(t, g)
		compared := 0
		for _, devices := range []int{2, 4, 8} {
			for _, p := range machine.Placements(m, devices, 0.5) {
				for _, schedule := range []Schedule{Scattered, Reduced} {
					compareRanks(t, g, m, Plan{p, schedule, Compiled})
					compared++
				}
			}
		}
		if compared < 4 {
			t.Errorf("%s: %d placements", config, compared)
		}
	}
}

func compareRanks(t *testing.T, g *ir.Graph, m *Model, p Plan) {
	t.Helper()
	o := passes.Options{Scheme: fixture.Scheme(t, "w8a8-dynamic"), Placement: p.Placement,
		PlacementRules: placement.Rules{Align: widthAlign, VocabAlign: fractal, MaxPadding: 0.5}}
	if p.Schedule == Reduced {
		o.Off = naive
	}
	ranks := fixture.ForCard(t, g, o)
	for _, s := range steps3 {
		got, err := Walk(ranks, p.Placement, s)
		if err != nil {
			t.Fatal(err)
		}
		compareOps(t, fmt.Sprint(g.Name, " ", p, s), p.Ops(nil, m, s), got)
	}
}

// compareOps wants the same ops, in any order.
func compareOps(t *testing.T, what string, closed, walked []Op) {
	t.Helper()
	text := func(ops []Op) []string {
		var list []string
		for _, o := range ops {
			list = append(list, fmt.Sprintf("%+v", o))
		}
		slices.Sort(list)
		return list
	}
	a, b := text(closed), text(walked)
	if slices.Equal(a, b) {
		return
	}
	for _, line := range a {
		if !slices.Contains(b, line) {
			t.Errorf("%s: only the closed form has\n%s", what, line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			t.Errorf("%s: only the graph has\n%s", what, line)
		}
	}
}
