package passes

import (
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// whole is an old value in the rows of so many ranks, summed up.
func (x *partition) whole(r *ir.Rewriter, v *ir.Value, rows int) *ir.Value {
	have := x.have[v.ID]
	if x.constant[v.ID] || v.Type.State || have.rows == 0 {
		return r.Value(v)
	}
	key := converted{id: v.ID, rows: rows}
	if made := x.made[key]; made != nil {
		return made
	}
	sum := r.Value(v)
	if have.partial.Size > 1 {
		summed := converted{id: v.ID, rows: have.rows}
		if x.made[summed] == nil {
			x.made[summed] = r.Add(ir.OpAllReduce, v.Def.Site, []*ir.Value{sum}, x.carried(have.partial)...)[0]
		}
		sum = x.made[summed]
	}
	x.made[key] = convert(r.Builder, v.Def.Site, sum, have.rows, rows)
	return x.made[key]
}

// carried are the attributes of a collective that sums.
func (x *partition) carried(g placement.Group) []ir.Attr {
	if x.wire == dtype.Invalid || x.wire == dtype.F32 {
		return groupAttrs(g)
	}
	return append(groupAttrs(g), ir.DType("wire", x.wire))
}

// convert gives the rows of so many ranks from those of others.
func convert(b *ir.Builder, site string, v *ir.Value, from, to int) *ir.Value {
	if from < to {
		g := placement.Group{Size: to / from, Stride: from}
		return gatherOf(b, site, v, g)
	}
	if from > to {
		g := placement.Group{Size: from / to, Stride: to}
		return shardOf(b, site, v, 0, g, 1)
	}
	return v
}

// local is what a rank needs of expert ids or weights [rows, k]: those of the groups whose experts it
// has. Ids then count from its first expert.
func (x *partition) local(r *ir.Rewriter, v *ir.Value, site string, experts int64) *ir.Value {
	all := x.whole(r, v, x.Experts.ModelGroup().Size)
	g := x.Experts.ExpertGroup()
	if g.Size == 1 {
		return all
	}
	key := converted{id: v.ID, local: true}
	if made := x.made[key]; made != nil {
		return made
	}
	mine := shardOf(r.Builder, site, all, 1, g, 1)
	if v.Type.DType == dtype.I32 {
		mine = rebaseOf(r.Builder, site, mine, g, experts/int64(g.Size))
	}
	x.made[key] = mine
	return mine
}

func (x *partition) route(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	experts := n.Int("experts")
	ids := x.local(r, n.Args[0], n.Site, experts)
	rows := x.Experts.ModelGroup().Size
	x.have[n.Results[0].ID] = share{rows: rows}
	return r.Add(n.Op, n.Site, []*ir.Value{ids}, ir.Int("experts", experts/int64(x.Experts.EP)))
}

// combine sums up a rank's experts; the sum over all is that of the model group.
func (x *partition) combine(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	args := []*ir.Value{r.Value(n.Args[0]), r.Value(n.Args[1]), x.local(r, n.Args[2], n.Site, 0)}
	rows := x.Experts.ModelGroup().Size
	x.have[n.Result().ID] = share{rows: rows, partial: x.Experts.ModelGroup()}
	return r.Add(n.Op, n.Site, args, n.Attrs...)
}

// shardOf is a rank's block of one axis, padded to a multiple of align.
func shardOf(b *ir.Builder, site string, v *ir.Value, axis int, g placement.Group, align int) *ir.Value {
	if g.Size == 1 {
		return v
	}
	attrs := append([]ir.Attr{ir.Int("axis", int64(axis))}, groupAttrs(g)...)
	if align > 1 {
		attrs = append(attrs, ir.Int("align", int64(align)))
	}
	return b.Add(ir.OpShard, site, []*ir.Value{v}, attrs...)[0]
}

// rebaseOf counts ids from the first of a rank, which has step of them.
func rebaseOf(b *ir.Builder, site string, ids *ir.Value, g placement.Group, step int64) *ir.Value {
	return b.Add(ir.OpRebase, site, []*ir.Value{ids}, append(groupAttrs(g), ir.Int("step", step))...)[0]
}

// gatherOf gathers rows over a group. They travel in a narrower type where that loses nothing.
func gatherOf(b *ir.Builder, site string, v *ir.Value, g placement.Group) *ir.Value {
	attrs := groupAttrs(g)
	if wire := storedAs(v); wire != dtype.F32 && v.Type.DType == dtype.F32 {
		attrs = append(attrs, ir.DType("wire", wire))
	}
	return b.Add(ir.OpAllGather, site, []*ir.Value{v}, attrs...)[0]
}

// storedAs is the narrowest type known to hold every element of v, an f32 value.
func storedAs(v *ir.Value) dtype.Type {
	n := v.Def
	for _, name := range []string{"wire", "round"} {
		if a, ok := n.Attr(name); ok {
			return a.DType
		}
	}
	from := dtype.Invalid
	switch n.Op {
	case ir.OpCast:
		from = n.Args[0].Type.DType
	case ir.OpEmbed:
		from = n.Args[1].Type.DType
	case ir.OpShard:
		return storedAs(n.Args[0])
	}
	if from == dtype.F16 || from == dtype.BF16 {
		return from
	}
	return dtype.F32
}
