package passes

import (
	"slices"
	"strconv"

	"moge/ir"
)

// fusion claims that results are what a fused op computes from args.
type fusion struct {
	op      ir.Op
	site    string
	attrs   []ir.Attr
	args    []*ir.Value
	results []*ir.Value // each the only result of its node
}

// fuse replaces every fusion that find proposes and the op table confirms. The fused node
// stands where the first of the results stood; what only the replaced nodes read goes.
func fuse(g *ir.Graph, find func(n *ir.Node) *fusion) *ir.Graph {
	plan := make([]*fusion, g.Values()) // by ID of a result
	constant, position := g.Constants(), positions(g)
	found := false
	for _, n := range g.Nodes {
		f := find(n)
		if f == nil || f.overlaps(plan) || !f.placeable(constant, position) || !f.holds() {
			continue
		}
		found = true
		for _, v := range f.results {
			plan[v.ID] = f
		}
	}
	if !found {
		return g
	}
	return removeDeadValues(rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		f := plan[n.Results[0].ID]
		if f == nil {
			return nil
		}
		fused := r.Add(f.op, f.site, r.Values(f.args), f.attrs...)
		for i, v := range f.results {
			r.Set(v.Def, fused[i:i+1])
		}
		return r.Values(n.Results)
	}))
}

func (f *fusion) overlaps(plan []*fusion) bool {
	return slices.ContainsFunc(f.results, func(v *ir.Value) bool { return plan[v.ID] != nil })
}

// placeable checks that every argument is known where the first result stands.
func (f *fusion) placeable(constant []bool, position []int) bool {
	first := position[f.results[0].ID]
	for _, v := range f.results[1:] {
		first = min(first, position[v.ID])
	}
	return !slices.ContainsFunc(f.args, func(v *ir.Value) bool {
		return position[v.ID] > first && !constant[v.ID]
	})
}

// holds builds the op's expansion over stand-ins for args and compares it with results,
// node for node. Matching against the definition itself means that a fusion cannot change
// what is computed.
func (f *fusion) holds() bool {
	b := ir.NewBuilder("expansion")
	standIns := make([]*ir.Value, len(f.args))
	for i, a := range f.args {
		standIns[i] = b.Input(strconv.Itoa(i), a.Type)
	}
	fused := b.Add(f.op, f.site, standIns, f.attrs...)[0].Def
	if b.Err() != nil {
		return false
	}
	for i, want := range b.Expand(fused, standIns) {
		if !f.same(want, f.results[i]) {
			return false
		}
	}
	return b.Err() == nil
}

// same compares a value of the expansion with one of the graph.
func (f *fusion) same(want, got *ir.Value) bool {
	w, n := want.Def, got.Def
	if w.Op == ir.OpInput {
		return got == f.args[want.ID] // stand-ins are the first values of the expansion
	}
	if w.Op != n.Op || want.Index != got.Index || len(w.Args) != len(n.Args) ||
		!want.Type.Equal(got.Type) || !sameAttrs(w, n) {
		return false
	}
	if slices.EqualFunc(w.Args, n.Args, f.same) {
		return true
	}
	return commutes(n.Op) && f.same(w.Args[0], n.Args[1]) && f.same(w.Args[1], n.Args[0])
}

// commutes holds for the ops whose result is the same float with the arguments exchanged.
func commutes(op ir.Op) bool { return op == ir.OpAdd || op == ir.OpMul }

// sameAttrs ignores an explicit scheme of none, which is what its absence means.
func sameAttrs(a, b *ir.Node) bool {
	return slices.Equal(significant(a), significant(b))
}

func significant(n *ir.Node) []ir.Attr {
	if n.Op != ir.OpLinear || n.Str(schemeAttr) != noScheme {
		return n.Attrs
	}
	return withoutScheme(n)
}

func withoutScheme(n *ir.Node) []ir.Attr {
	return slices.DeleteFunc(slices.Clone(n.Attrs), func(a ir.Attr) bool {
		return a.Name == schemeAttr
	})
}
