package passes

import (
	"moge/ir"
	"moge/ir/dtype"
)

// setCacheType gives every state the element type of Options.KV; what writes and reads the
// states follows.
func setCacheType(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	to := c.opt.KV
	if to == dtype.Invalid {
		return g, nil
	}
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op != ir.OpState {
			return nil
		}
		t := n.Result().Type
		t.DType = to
		return r.AddTyped(ir.OpState, n.Site, []ir.Type{t}, nil, n.Attrs...)
	}), nil
}
