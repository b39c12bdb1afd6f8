package passes

import (
	"math/rand/v2"
	"slices"
	"testing"

	"moge/ir"
)

// TestNodeOrderDoesNotMatter: whatever order the nodes of a graph came in, the passes make the
// same nodes of it, at the same sites.
func TestNodeOrderDoesNotMatter(t *testing.T) {
	for _, f := range families {
		for _, s := range []string{"none", "w8a16", "w8a8-dynamic"} {
			opt := Options{Scheme: scheme(t, s), Verify: true}
			want := canonical(compiled(t, build(t, f.config), opt))
			for seed := range uint64(10) {
				g := shuffled(t, build(t, f.config), rand.New(rand.NewPCG(seed, 0)))
				if got := canonical(compiled(t, g, opt)); got != want {
					t.Fatalf("%s, %s, seed %d gives\n%s\nwant\n%s", f.name, s, seed, got, want)
				}
			}
		}
	}
}

func compiled(t *testing.T, g *ir.Graph, opt Options) *ir.Graph {
	t.Helper()
	out, _, err := Compile(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shuffled is g with its nodes in a random order that keeps definitions before uses.
func shuffled(t *testing.T, g *ir.Graph, rng *rand.Rand) *ir.Graph {
	t.Helper()
	priority := rng.Perm(len(g.Nodes))
	order := make([]int, len(g.Nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return priority[a] - priority[b] })
	roots := make([]*ir.Node, len(order))
	for i, at := range order {
		roots[i] = g.Nodes[at]
	}
	out, err := ir.Parse("shuffled", reordered(g, roots).String())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// canonical is the text of g with its nodes in the order in which the outputs need them.
func canonical(g *ir.Graph) string {
	var roots []*ir.Node
	for _, o := range g.Outputs {
		roots = append(roots, o.Value.Def)
	}
	return reordered(g, roots).String()
}

// reordered takes g over, with every node after its arguments and as early as roots ask.
func reordered(g *ir.Graph, roots []*ir.Node) *ir.Graph {
	out := &ir.Graph{Name: g.Name, Meta: g.Meta, Outputs: g.Outputs}
	done := map[*ir.Node]bool{}
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		if done[n] {
			return
		}
		done[n] = true
		for _, a := range n.Args {
			visit(a.Def)
		}
		out.Nodes = append(out.Nodes, n)
	}
	for _, n := range roots {
		visit(n)
	}
	out.Renumber()
	return out
}
