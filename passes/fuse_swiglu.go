package passes

import "moge/ir"

// fuseSwiGLU recognises silu of the first half of a row times its second half.
func fuseSwiGLU(g *ir.Graph) *ir.Graph {
	return fuse(g, func(n *ir.Node) *fusion {
		if n.Op != ir.OpMul {
			return nil
		}
		gate := operand(n, ir.OpSiLU)
		if gate == nil || gate.Args[0].Def.Op != ir.OpSlice {
			return nil
		}
		return &fusion{
			op: ir.OpSwiGLU, site: n.Site,
			args: gate.Args[0].Def.Args, results: []*ir.Value{n.Result()},
		}
	})
}
