package passes

import "moge/ir"

// fuseGateUp makes one linear of the gate and up projections of an MLP: two linears, or two
// grouped ones, on the same value that meet in silu(gate) · up. The gate comes first, as
// swiglu wants it.
func fuseGateUp(g *ir.Graph) *ir.Graph {
	return mergeLinears(g, func(n *ir.Node) []*ir.Node {
		if n.Op != ir.OpMul {
			return nil
		}
		for i, a := range n.Args {
			up := n.Args[1-i].Def
			if a.Def.Op == ir.OpSiLU && isLinear(up) && isLinear(a.Def.Args[0].Def) {
				return []*ir.Node{a.Def.Args[0].Def, up}
			}
		}
		return nil
	})
}
