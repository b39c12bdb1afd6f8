package passes

import "moge/ir"

// fuseGroupedGating recognises the gate of a grouped mixture of experts at its argmax. The
// logits and probabilities must serve nothing else, or they would be computed twice.
func fuseGroupedGating(g *ir.Graph) *ir.Graph {
	users, uses := g.Users(), g.Uses()
	return fuse(g, func(n *ir.Node) *fusion {
		if n.Op != ir.OpArgMaxLast || uses[n.Result().ID] != 1 {
			return nil
		}
		logits := through(n.Args[0], ir.OpReshape, ir.OpSoftmax, ir.OpLinear)
		if logits == nil || uses[n.Args[0].ID] != 2 || uses[n.Args[0].Def.Args[0].ID] != 1 ||
			uses[logits.Result().ID] != 1 || len(n.Args[0].Type.Shape) != 3 {
			return nil
		}
		ids := reader(users[n.Result().ID], ir.OpAdd)
		best := reader(users[n.Args[0].ID], ir.OpMaxLast)
		if ids == nil || best == nil {
			return nil
		}
		f := &fusion{
			op: ir.OpMoEGate, site: n.Site,
			attrs:   []ir.Attr{ir.Int("groups", n.Args[0].Type.Shape[1].Coef)},
			args:    logits.Args[:2:2],
			results: []*ir.Value{best.Result(), ids.Result()},
		}
		f.scale(users, uses)
		return f
	})
}

// scale takes the router scale of the chosen experts in, where the unscaled weights serve
// nothing else.
func (f *fusion) scale(users [][]*ir.Node, uses []int) {
	best, ids := f.results[0], f.results[1]
	gather := reader(users[ids.ID], ir.OpGather)
	scaled := reader(users[best.ID], ir.OpMul)
	if gather == nil || scaled == nil || uses[best.ID] != 1 || uses[gather.Result().ID] != 1 ||
		operand(scaled, ir.OpGather) != gather || gather.Args[1] != ids {
		return
	}
	f.args = append(f.args, gather.Args[0])
	f.results = []*ir.Value{scaled.Result(), ids}
}
