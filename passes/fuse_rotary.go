package passes

import "moge/ir"

// fuseRotary recognises the rotation of heads by halves at the concatenation that ends it:
// concat(lo·cos - hi·sin, hi·cos + lo·sin).
func fuseRotary(g *ir.Graph) *ir.Graph {
	return fuse(g, func(n *ir.Node) *fusion {
		if n.Op != ir.OpConcat || len(n.Args) != 2 || n.Args[0].Def.Op != ir.OpSub {
			return nil
		}
		x, cos := rotated(n.Args[0].Def.Args[0].Def)
		_, sin := rotated(n.Args[0].Def.Args[1].Def)
		if x == nil || sin == nil {
			return nil
		}
		return &fusion{
			op: ir.OpRotary, site: n.Site,
			args: []*ir.Value{x, cos, sin}, results: []*ir.Value{n.Result()},
		}
	})
}

// rotated takes a product of half a head and a table apart.
func rotated(n *ir.Node) (x, table *ir.Value) {
	half, perHead := operand(n, ir.OpSlice), operand(n, ir.OpReshape)
	if n.Op != ir.OpMul || half == nil || perHead == nil {
		return nil, nil
	}
	return half.Args[0], perHead.Args[0]
}
