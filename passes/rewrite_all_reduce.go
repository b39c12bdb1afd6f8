package passes

import "moge/ir"

// rewriteAllReduce makes two halves of each all-reduce: a rank sums its rows up, and gathers those of
// others, later or never (the paper's §4.2, where half the bytes stay behind the norm).
func rewriteAllReduce(g *ir.Graph) *ir.Graph {
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op != ir.OpAllReduce || n.Result().Type.Shape[0].Coef%n.Int("size") != 0 {
			return nil
		}
		rows := r.Add(ir.OpReduceScatter, n.Site, r.Values(n.Args), n.Attrs...)
		return r.Add(ir.OpAllGather, n.Site, rows, n.Attrs...)
	})
}
