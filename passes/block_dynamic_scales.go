package passes

import (
	"moge/ir"
)

// blockDynamicScales writes into the graph of the whole model what ranks do to rows that each has a
// part of: a scale for each part, of its own range. The graph then means what its partition computes,
// integer for integer.
func blockDynamicScales(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	x := newPartition(g, c)
	if done, err := x.check(); done || err != nil {
		return g, err
	}
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		tp := int64(x.partOf(n).degrees.TP)
		if tp == 1 || !x.feedsRowParallel(n) {
			return nil
		}
		return r.Add(n.Op, n.Site, r.Values(n.Args), ir.Int("blocks", tp))
	}), nil
}

// feedsRowParallel reports whether n is a quantize that is read by a linear whose depth ranks split.
func (x *partition) feedsRowParallel(n *ir.Node) bool {
	if n.Op != ir.OpQuantize {
		return false
	}
	for _, reader := range x.users[n.Results[0].ID] {
		linear := reader.Op == ir.OpQLinear || reader.Op == ir.OpQGroupedLinear
		if linear && roleOf(reader) == rowParallel {
			return true
		}
	}
	return false
}
