package passes

import "moge/ir"

// fuseAddRMSNorm makes one node of a residual addition and the first norm that reads it. It
// has the site of the norm: the two do not lie side by side, and the norm has the weight.
func fuseAddRMSNorm(g *ir.Graph) *ir.Graph {
	return fuse(g, func(n *ir.Node) *fusion {
		if n.Op != ir.OpRMSNorm || n.Args[0].Def.Op != ir.OpAdd {
			return nil
		}
		sum := n.Args[0]
		return &fusion{
			op: ir.OpAddRMSNorm, site: n.Site, attrs: n.Attrs,
			args:    []*ir.Value{sum.Def.Args[0], sum.Def.Args[1], n.Args[1]},
			results: []*ir.Value{sum, n.Result()},
		}
	})
}
