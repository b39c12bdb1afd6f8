package ir

import (
	"moge/ir/dtype"
	"moge/ir/shape"
)

func inferRoute(n *Node, _ []Type) ([]Type, error) {
	if err := firstError(n.wantType("route_c1", 0, dtype.I32), n.wantRank("route_c1", 0, 2)); err != nil {
		return nil, err
	}
	slots, ok := n.arg(0).Shape.Elements()
	if !ok {
		return nil, violation("route_c1", "the ids are %v", n.arg(0))
	}
	experts := n.Int("experts")
	if experts < 1 || experts > 1<<16 {
		return nil, violation("route_c2", "%d experts", experts)
	}
	return []Type{Tensor(dtype.I32, shape.Shape{slots}), Tensor(dtype.I32, shape.Make(experts+1))}, nil
}

// slotsPer is how many sorted slots of order each row of x has.
func slotsPer(constraint string, order Type, rows shape.Dim) (int64, error) {
	o := order.Shape[0]
	if o.Scalar != rows.Scalar || o.Div != rows.Div || rows.Coef < 1 || o.Coef%rows.Coef != 0 {
		return 0, violation(constraint, "%v sorted slots over %v rows", o, rows)
	}
	return o.Coef / rows.Coef, nil
}

func inferPermute(n *Node, _ []Type) ([]Type, error) {
	x := n.arg(0)
	if x.State || len(x.Shape) < 1 || len(x.Shape) > 2 {
		return nil, violation("permute_c1", "rows are %v", x)
	}
	err := firstError(n.wantType("permute_c2", 1, dtype.I32),
		n.wantRank("permute_c2", 1, 1))
	if err != nil {
		return nil, err
	}
	if _, err := slotsPer("permute_c3", n.arg(1), x.Shape[0]); err != nil {
		return nil, err
	}
	s := append(shape.Shape{}, x.Shape...)
	s[0] = n.arg(1).Shape[0]
	return one(Tensor(x.DType, s))
}

// Experts counts the experts of a grouped op whose weights start at argument first: either
// one weight each or one stacked [E,N,K].
func (n *Node) Experts(first int) int64 {
	if t := n.arg(first); len(t.Shape) == 3 {
		return t.Shape[0].Coef
	}
	return int64(len(n.Args) - first)
}

// inferGrouped checks x[R,K], offsets and count weights from argument first; the result is [R,N].
func (n *Node) inferGrouped(
	name string,
	x dtype.Type,
	first, count int,
	accept func(dtype.Type) bool,
) (shape.Shape, error) {
	if err := firstError(n.wantType(name+"_c1", 0, x), n.wantRank(name+"_c1", 0, 2)); err != nil {
		return nil, err
	}
	w := n.arg(first)
	stacked := len(w.Shape) == 3
	if w.State || !w.Shape.IsFixed() || !accept(w.DType) || !stacked && len(w.Shape) != 2 ||
		stacked && count != 1 {
		return nil, violation(name+"_c2", "the weights are %d of %v", count, w)
	}
	experts := int64(count)
	if stacked {
		experts = w.Shape[0].Coef
	}
	if experts < 1 {
		return nil, violation(name+"_c2", "the weights are %d of %v", count, w)
	}
	for i := first; i < first+count; i++ {
		if !n.arg(i).Equal(w) {
			return nil, violation(name+"_c3", "weight %d is %v beside %v", i-first, n.arg(i), w)
		}
	}
	if err := n.wantShape(name+"_c4", 1, dtype.I32, shape.Make(experts+1)); err != nil {
		return nil, err
	}
	k, out := last(w.Shape), w.Shape[len(w.Shape)-2]
	if n.arg(0).Shape[1] != k {
		return nil, violation(name+"_c5", "x is %v but the weights are %v: K differs", n.arg(0), w)
	}
	return shape.Shape{n.arg(0).Shape[0], out}, nil
}

func inferGroupedLinear(n *Node, _ []Type) ([]Type, error) {
	s, err := n.inferGrouped("grouped_linear", dtype.F32, 2, len(n.Args)-2, dtype.Type.Float)
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, s))
}

func inferGroupedDotI8(n *Node, _ []Type) ([]Type, error) {
	s, err := n.inferGrouped("grouped_dot_i8", dtype.I8, 2, len(n.Args)-2, isI8)
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.I32, s))
}

func inferCombine(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantType("combine_c1", 0, dtype.F32), n.wantRank("combine_c1", 0, 2))
	if err != nil {
		return nil, err
	}
	err = firstError(n.wantShape("combine_c2", 1, dtype.I32, n.arg(0).Shape[:1]),
		n.wantType("combine_c3", 2, dtype.F32), n.wantRank("combine_c3", 2, 2))
	if err != nil {
		return nil, err
	}
	w := n.arg(2).Shape
	if slots, ok := w.Elements(); !ok || slots != n.arg(1).Shape[0] {
		return nil, violation("combine_c4", "weights are %v for slots %v", n.arg(2), n.arg(1))
	}
	return one(Tensor(dtype.F32, shape.Shape{w[0], n.arg(0).Shape[1]}))
}

func inferQuantize(n *Node, _ []Type) ([]Type, error) {
	name := n.Op.String()
	if err := firstError(n.wantType(name+"_c1", 0, dtype.F32), n.wantRank(name+"_c1", 0, 2)); err != nil {
		return nil, err
	}
	s := n.arg(0).Shape
	blocks, given := n.Attr("blocks")
	if !given {
		return []Type{Tensor(dtype.I8, s), Tensor(dtype.F32, s[:1])}, nil
	}
	if !s[1].IsFixed() || blocks.Int < 1 || s[1].Coef%blocks.Int != 0 {
		return nil, violation(name+"_c2", "%d blocks of rows of %v", blocks.Int, s[1])
	}
	scales := Tensor(dtype.F32, shape.Shape{s[0], shape.Fixed(blocks.Int)})
	return []Type{Tensor(dtype.I8, s), scales}, nil
}

func inferQuantizeStatic(n *Node, declared []Type) ([]Type, error) {
	if amax := n.Float("amax"); !(amax >= 0) || amax > 3.4e38 {
		return nil, violation("quantize_static_c2", "amax is %v", amax)
	}
	return inferQuantize(n, declared)
}

func inferDotI8(n *Node, _ []Type) ([]Type, error) {
	rows, err := n.inferRows("dot_i8", dtype.I8, 1, isI8)
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.I32, rows))
}

func inferSpreadRows(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantType("spread_rows_c1", 0, dtype.F32),
		n.wantRank("spread_rows_c1", 0, 2))
	if err != nil {
		return nil, err
	}
	t := n.arg(0).Shape
	if !t[0].IsFixed() {
		return nil, violation("spread_rows_c1", "the table is %v, want a fixed number of rows", n.arg(0))
	}
	if err := n.wantShape("spread_rows_c2", 1, dtype.I32, shape.Make(t[0].Coef+1)); err != nil {
		return nil, err
	}
	like := n.arg(2)
	if like.State || len(like.Shape) != 2 || like.Shape[1] != t[1] {
		return nil, violation("spread_rows_c3", "the table is %v for rows of %v", n.arg(0), like)
	}
	return one(Tensor(dtype.F32, like.Shape))
}

func inferMoEGate(n *Node, _ []Type) ([]Type, error) {
	rows, err := n.inferRows("moe_gate", dtype.F32, 1, dtype.Type.Float)
	if err != nil {
		return nil, err
	}
	groups, experts := n.Int("groups"), rows[1].Coef
	if groups < 1 || experts < 1 || experts > 1<<16 || experts%groups != 0 {
		return nil, violation("moe_gate_c4", "%d groups do not divide %d experts", groups, experts)
	}
	if err := n.wantBias("moe_gate_c5", 2, rows); err != nil {
		return nil, err
	}
	s := shape.Shape{rows[0], shape.Fixed(groups)}
	return []Type{Tensor(dtype.F32, s), Tensor(dtype.I32, s)}, nil
}

// wantRowScales checks that argument i is a scale for each row of argument 0, or for each of equal
// blocks of each row.
func (n *Node) wantRowScales(constraint string, i int) error {
	x, t := n.arg(0).Shape, n.arg(i)
	if len(t.Shape) != 2 || t.State {
		return n.wantShape(constraint, i, dtype.F32, x[:1])
	}
	blocks := t.Shape[1]
	if !blocks.IsFixed() || blocks.Coef < 1 || !x[1].IsFixed() || x[1].Coef%blocks.Coef != 0 {
		return violation(constraint, "argument %d is %v, scales of blocks of %v", i, t, n.arg(0))
	}
	return n.wantShape(constraint, i, dtype.F32, shape.Shape{x[0], blocks})
}

func inferQLinear(n *Node, _ []Type) ([]Type, error) {
	rows, err := n.inferRows("qlinear", dtype.I8, 2, isI8)
	if err != nil {
		return nil, err
	}
	err = firstError(n.wantRowScales("qlinear_c4", 1),
		n.wantShape("qlinear_c5", 3, dtype.F32, rows[1:]), n.wantBias("qlinear_c6", 4, rows))
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, rows))
}

// wantScales checks count scale vectors from argument first: [N] each, or one stacked [E,N].
func (n *Node) wantScales(constraint string, first, count int, out shape.Dim, stacked int64) error {
	want := shape.Shape{out}
	if stacked > 0 {
		want = shape.Shape{shape.Fixed(stacked), out}
	}
	for i := first; i < first+count; i++ {
		if err := n.wantShape(constraint, i, dtype.F32, want); err != nil {
			return err
		}
	}
	return nil
}

// inferGroupedScaled infers an op whose weights from argument first are followed by as many scales.
func (n *Node) inferGroupedScaled(name string, x dtype.Type, first int) ([]Type, error) {
	count := (len(n.Args) - first) / 2
	if count < 1 || (len(n.Args)-first)%2 != 0 {
		return nil, violation(name+"_c2", "%d weights and scales", len(n.Args)-first)
	}
	s, err := n.inferGrouped(name, x, first, count, isI8)
	if err != nil {
		return nil, err
	}
	stacked := int64(0)
	if w := n.arg(first); len(w.Shape) == 3 {
		stacked = w.Shape[0].Coef
	}
	if err := n.wantScales(name+"_c6", first+count, count, s[1], stacked); err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, s))
}

func inferQGroupedLinear(n *Node, _ []Type) ([]Type, error) {
	types, err := n.inferGroupedScaled("qgrouped_linear", dtype.I8, 3)
	if err != nil {
		return nil, err
	}
	if err := n.wantRowScales("qgrouped_linear_c7", 2); err != nil {
		return nil, err
	}
	return types, nil
}

func inferW8Linear(n *Node, _ []Type) ([]Type, error) {
	rows, err := n.inferRows("w8linear", dtype.F32, 1, isI8)
	if err != nil {
		return nil, err
	}
	err = firstError(n.wantShape("w8linear_c4", 2, dtype.F32, rows[1:]),
		n.wantBias("w8linear_c5", 3, rows))
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, rows))
}

func inferW8GroupedLinear(n *Node, _ []Type) ([]Type, error) {
	return n.inferGroupedScaled("w8grouped_linear", dtype.F32, 2)
}
