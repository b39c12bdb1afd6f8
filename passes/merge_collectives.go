package passes

import (
	"slices"

	"moge/ir"
)

// mergeCollectives sums before it sends: of two sums over the same ranks that are added, one is taken
// of the terms. What routed and shared experts give then travels once.
func mergeCollectives(g *ir.Graph) *ir.Graph {
	return removeDeadValues(rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op != ir.OpAdd {
			return nil
		}
		a, b := r.Value(n.Args[0]).Def, r.Value(n.Args[1]).Def
		if a.Op != b.Op || a.Op != ir.OpReduceScatter && a.Op != ir.OpAllReduce || !slices.Equal(a.Attrs, b.Attrs) {
			return nil
		}
		sum := r.Add(ir.OpAdd, n.Site, []*ir.Value{a.Args[0], b.Args[0]})
		return r.Add(a.Op, n.Site, sum, a.Attrs...)
	}))
}
