package model

import (
	"fmt"

	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
)

func (b *builder) gate(n *ir.Node) error {
	spec := kernels.GateSpec{Width: width(n, 0), Experts: int(n.Args[1].Type.Shape[0].Coef),
		Groups: int(n.Int("groups")), MaxTokens: b.most(rowsIn(n, 0)), Scale: len(n.Args) == 3}
	local, err := b.localGroups(n)
	if err != nil {
		return err
	}
	spec.LocalGroups = spec.Groups / int(local.Size)
	spec.Name = fmt.Sprintf("gate_%d_%dof%d", spec.Width, spec.LocalGroups, spec.Experts)
	x, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	cols, rows := roundUp(spec.LocalGroups, blockLanes), rowsIn(n, 0)
	a := args{"x": x, "router": b.nzHalves(n.Site+".weight", n.Args[1], 1, roundUp(spec.Experts, 16)),
		"weights": b.buffer(dtype.F32, rowsOf(1, rows), cols),
		"ids":     b.buffer(dtype.I32, rowsOf(1, rows), cols)}
	if spec.Scale {
		a["scale"] = b.vector(n.Site+".scale", n.Args[2], dtype.F32)
	}
	b.put(n.Results[0], a["weights"])
	b.put(n.Results[1], a["ids"])
	s := scalars{"tokens": count(rows)}
	if local.Size > 1 {
		s["firstGroup"] = rankIndex(int64(spec.LocalGroups), int64(local.Size), int64(local.Stride))
	}
	b.launch(n.Site, spec, a, s)
	return nil
}

// localGroups is the ranks that have the experts of different groups; of one rank where each has those
// of all. Ids and weights are then cut the same way by who reads them.
func (b *builder) localGroups(n *ir.Node) (placement.Group, error) {
	one := placement.Group{Size: 1, Stride: 1}
	for i, v := range n.Results {
		for _, reader := range b.users[v.ID] {
			if reader.Op != ir.OpShard || reader.Int("axis") != 1 {
				continue
			}
			g := placement.Group{Size: int(reader.Int("size")), Stride: int(reader.Int("stride"))}
			if one.Size > 1 && g != one {
				return one, unsupported(n, fmt.Sprintf("result %d is cut in two ways", i))
			}
			one = g
		}
	}
	return one, nil
}

// route: ids of grouped gating ascend for every token.
func (b *builder) route(n *ir.Node) error {
	if through(n.Args[0], ir.OpRebase, ir.OpShard).Def.Op != ir.OpMoEGate {
		return unsupported(n, "only grouped gating has a kernel")
	}
	ids, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	spec := kernels.RouteSpec{
		Experts:   int(n.Int("experts")),
		PerToken:  width(n, 0),
		MaxTokens: b.most(rowsIn(n, 0)),
		Ascending: true,
	}
	spec.Name = fmt.Sprintf("route_%dof%d", spec.PerToken, spec.Experts)
	rows := rowsIn(n, 0)
	perToken := blocksOf(spec.PerToken, rows)
	r := routed{
		order:   b.buffer(dtype.I32, perToken, blockLanes),
		sources: b.buffer(dtype.I32, perToken, blockLanes),
		offsets: b.buffer(dtype.I32, fixed(roundUp(spec.Experts/blockLanes+1, 16)), blockLanes),
		places:  b.buffer(dtype.I32, rowsOf(1, rows), roundUp(spec.PerToken, blockLanes)),
	}
	b.routes[n] = r
	b.launch(n.Site, spec, args{"ids": ids, "order": r.order, "sources": r.sources, "offsets": r.offsets,
		"places": r.places}, scalars{"tokens": count(rows)})
	return nil
}

// routeOf is what the route behind argument i of a node made.
func (b *builder) routeOf(n *ir.Node, i int) (routed, error) {
	r, ok := b.routes[n.Args[i].Def]
	if !ok {
		return r, unsupported(n, "its rows do not come from a route")
	}
	return r, nil
}

// dispatch moves rows and, unless one is fixed for all, scales together: both are permuted in the
// graph, one kernel does it.
func (b *builder) dispatch(n *ir.Node) error {
	if len(n.Args[0].Type.Shape) == 1 {
		return nil
	}
	r, err := b.routeOf(n, 1)
	if err != nil {
		return err
	}
	from, ok := b.at[n.Args[0].ID]
	if !ok || !from.int8 {
		return unsupported(n, "only rows in int8 are dispatched: choose a scheme for the experts")
	}
	slots, tokens := rowsIn(n, 1), rowsIn(n, 0)
	spec := kernels.DispatchSpec{Width: width(n, 0), PerToken: int(slots.Coef / tokens.Coef),
		MaxTokens: b.most(tokens), Static: from.fixed != nil}
	spec.Name = fmt.Sprintf("dispatch_%d_%d%s", spec.PerToken, spec.Width, affix(spec.Static, "_static"))
	to := b.int8Rows(spec.PerToken, tokens, spec.Width, from.fixed)
	b.at[n.Result().ID] = to
	a := args{"q": from.rows, "sources": r.sources, "rows": to.rows}
	if !spec.Static {
		a["scale"], a["rowScale"] = from.scale, to.scale
	}
	b.launch(n.Site, spec, a, scalars{"tokens": count(tokens)})
	return nil
}

// grouped is gate and up when SwiGLU reads it, down otherwise.
func (b *builder) grouped(n *ir.Node) error {
	w := n.Args[3].Type.Shape
	if len(w) != 3 {
		return unsupported(n, "the weights of its experts are not stacked: leave GroupExperts on")
	}
	r, err := b.routeOf(n, 1)
	if err != nil {
		return err
	}
	from, ok := b.at[n.Args[0].ID]
	if !ok {
		_, err := b.rows(n, 0)
		return err
	}
	rows, k := int(w[1].Coef), int(w[2].Coef)
	slots := rowsIn(n, 0)
	spec := kernels.GroupedSpec{Experts: int(w[0].Coef), MaxRows: b.most(slots),
		Static: from.fixed != nil}
	gateUp := b.readBy(n.Result(), ir.OpSwiGLU)
	if gateUp != from.int8 {
		return unsupported(n, "gate and up read int8 rows, down rows of halves: leave FuseGateUp "+
			"and FuseSwiGLU on")
	}
	a := args{"x": from.rows, "offsets": r.offsets}
	from.scales(a, "xScale")
	a["weight"], a["weightScale"] = b.nzInt8s(n.Site, n.Args[3], n.Args[4], gateUp)
	s := scalars{"rows": count(slots)}
	y := func(cols int) *bundlepb.Operand { return b.halves(slots, cols) }
	if gateUp {
		spec.Hidden, spec.Width = k, rows/2
		spec.Name = fmt.Sprintf("experts_%d_gate_up_%dx%d%s", spec.Experts, spec.Width, spec.Hidden,
			affix(spec.Static, "_static"))
		if spec, err = spec.ChooseGateUp(b.chip); err != nil {
			return err
		}
		b.tilings(a, spec, spec.GateUpTable(b.chip))
		a["y"] = y(spec.Width)
		b.launch(n.Site, kernels.GroupedGateUpSpec{GroupedSpec: spec}, a, s)
	} else {
		spec.Hidden, spec.Width = rows, k
		spec.Name = fmt.Sprintf("experts_%d_down_%dx%d%s", spec.Experts, spec.Hidden, spec.Width,
			affix(spec.Static, "_static"))
		if spec, err = spec.ChooseDown(b.chip); err != nil {
			return err
		}
		b.tilings(a, spec, spec.DownTable(b.chip))
		a["y"] = y(spec.Hidden)
		b.launch(n.Site, kernels.GroupedDownSpec{GroupedSpec: spec}, a, s)
	}
	b.put(n.Result(), a["y"])
	return nil
}

// combine waits for the sum with the shared expert where the graph has one next.
func (b *builder) combine(n *ir.Node) error {
	if b.readBy(n.Result(), ir.OpAdd) {
		return nil
	}
	return b.combined(n, nil, 0)
}

// combined launches combine with the shared expert's rows, argument i of the sum, if there is one.
func (b *builder) combined(n, sum *ir.Node, i int) error {
	r, err := b.routeOf(n, 1)
	if err != nil {
		return err
	}
	rows, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	gateWeights, err := b.rows(n, 2)
	if err != nil {
		return err
	}
	tokens := rowsIn(n, 2)
	spec := kernels.CombineSpec{
		Width:     width(n, 0),
		PerToken:  width(n, 2),
		MaxTokens: b.most(tokens),
		Ascending: true,
		Shared:    sum != nil,
	}
	spec.Name = fmt.Sprintf("combine_%d_%d%s", spec.PerToken, spec.Width, affix(spec.Shared, "_shared"))
	a := args{"rows": rows, "places": r.places, "weights": gateWeights, "out": b.halves(tokens, spec.Width)}
	b.put(n.Result(), a["out"])
	if spec.Shared {
		if a["shared"], err = b.rows(sum, i); err != nil {
			return err
		}
		b.put(sum.Result(), a["out"])
	}
	b.launch(n.Site, spec, a, scalars{"tokens": count(tokens)})
	return nil
}
