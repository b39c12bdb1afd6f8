package passes

import "moge/ir"

// groupExperts stacks the weights of a grouped linear, one for each expert, into one
// constant [E,N,K].
func groupExperts(g *ir.Graph) *ir.Graph {
	constant := g.Constants()
	loose := func(n *ir.Node) bool {
		return n.Op == ir.OpGroupedLinear && len(n.Args[2].Type.Shape) == 2 &&
			allConstant(n.Args[2:], constant)
	}
	for _, n := range g.Nodes {
		if loose(n) {
			return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
				if !loose(n) {
					return nil
				}
				args := r.Values(n.Args)
				all := r.Op1(ir.OpStack, n.Site, args[2:]...)
				return r.Add(n.Op, n.Site, []*ir.Value{args[0], args[1], all}, n.Attrs...)
			})
		}
	}
	return g
}
