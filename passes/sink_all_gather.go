package passes

import (
	"slices"

	"moge/ir"
	"moge/ir/placement"
)

// sinkAllGather moves gathers of rows behind what works on each row alone, so that norms and sums run
// on a rank's own rows, and joins gathers and cuts that follow each other: what the two groups of
// attention exchange and what the experts need become one gather over all ranks. A replicated
// embedding is looked up for a rank's own rows alone.
func sinkAllGather(g *ir.Graph) *ir.Graph {
	return removeDeadValues(rewrite(g, sinkNode))
}

// rowwise are the ops that work on each row alone and keep their number.
var rowwise = map[ir.Op]bool{ir.OpAdd: true, ir.OpMul: true, ir.OpCast: true, ir.OpRMSNorm: true,
	ir.OpAddRMSNorm: true}

func sinkNode(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	args := r.Values(n.Args)
	switch {
	case n.Op == ir.OpAllGather:
		return []*ir.Value{gathered(r.Builder, n, args[0])}
	case n.Op == ir.OpShard && n.Int("axis") == 0 && !args[0].Type.Shape[0].IsFixed():
		return []*ir.Value{cut(r.Builder, n.Site, args[0], groupOf(n))}
	case n.Op == ir.OpEmbed:
		return embedOwn(r, n, args)
	case rowwise[n.Op]:
		return sinkBehind(r, n, args)
	}
	return nil
}

// sinkBehind makes of a node over gathered rows a gather of the node over a rank's own.
func sinkBehind(r *ir.Rewriter, n *ir.Node, args []*ir.Value) []*ir.Value {
	i := slices.IndexFunc(args, func(v *ir.Value) bool { return v.Def.Op == ir.OpAllGather })
	if i < 0 {
		return nil
	}
	g, rows := groupOf(args[i].Def), args[i].Type.Shape[0]
	for j, v := range args {
		if v.Type.Shape[0] == rows && len(v.Type.Shape) > 1 {
			args[j] = cut(r.Builder, n.Site, v, g)
		}
	}
	var results []*ir.Value
	for _, v := range r.Add(n.Op, n.Site, args, n.Attrs...) {
		results = append(results, gatherOf(r.Builder, n.Site, v, g))
	}
	return results
}

func groupOf(n *ir.Node) placement.Group {
	return placement.Group{Size: int(n.Int("size")), Stride: int(n.Int("stride"))}
}

// embedOwn looks up a rank's own rows where all ranks of a group have the same.
func embedOwn(r *ir.Rewriter, n *ir.Node, args []*ir.Value) []*ir.Value {
	rows := args[0].Type.Shape[0]
	if _, outside := n.Attr("outside"); outside || rows.IsFixed() || rows.Div == 1 || rows.Coef != rows.Div {
		return nil
	}
	g := placement.Group{Size: int(rows.Coef), Stride: 1}
	own := r.Add(n.Op, n.Site, []*ir.Value{cut(r.Builder, n.Site, args[0], g), args[1]}, n.Attrs...)
	return []*ir.Value{gatherOf(r.Builder, n.Site, own[0], g)}
}

// gathered is a gather, joined with the one it follows.
func gathered(b *ir.Builder, n *ir.Node, v *ir.Value) *ir.Value {
	g := groupOf(n)
	if inner := v.Def; inner.Op == ir.OpAllGather && groupOf(inner).Size*groupOf(inner).Stride == g.Stride {
		joined := groupOf(inner)
		joined.Size *= g.Size
		return gatherOf(b, n.Site, inner.Args[0], joined)
	}
	return b.Add(ir.OpAllGather, n.Site, []*ir.Value{v}, n.Attrs...)[0]
}

// cut is the rank's block of rows, over ranks that have the same ones: of gathered rows, those that
// are gathered from fewer ranks.
func cut(b *ir.Builder, site string, v *ir.Value, g placement.Group) *ir.Value {
	if g.Size == 1 {
		return v
	}
	n := v.Def
	if n.Op == ir.OpAllGather {
		inner := groupOf(n)
		if inner.Size*inner.Stride != g.Size*g.Stride {
			panic("BUG: rows are cut for other ranks than they were gathered from")
		}
		switch {
		case g.Stride == inner.Stride:
			return n.Args[0]
		case g.Stride > inner.Stride:
			fewer := placement.Group{Size: g.Stride / inner.Stride, Stride: inner.Stride}
			return gatherOf(b, site, n.Args[0], fewer)
		}
		return cut(b, site, n.Args[0], placement.Group{Size: inner.Stride / g.Stride, Stride: g.Stride})
	}
	return shardOf(b, site, v, 0, g, 1)
}
