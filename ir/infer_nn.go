package ir

import (
	"moge/ir/dtype"
	"moge/ir/shape"
)

func inferEmbed(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantType("embed_c1", 0, dtype.I32), n.wantRank("embed_c1", 0, 1),
		n.wantFloat("embed_c2", 1), n.wantRank("embed_c2", 1, 2))
	if err != nil {
		return nil, err
	}
	if outside, ok := n.Attr("outside"); ok && outside.Int != 1 {
		return nil, violation("embed_c3", "outside is %d, want 1", outside.Int)
	}
	return one(Tensor(dtype.F32, shape.Shape{n.arg(0).Shape[0], n.arg(1).Shape[1]}))
}

func inferTakeRows(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantType("take_rows_c1", 0, dtype.F32), n.wantRank("take_rows_c1", 0, 2),
		n.wantType("take_rows_c2", 1, dtype.I32), n.wantRank("take_rows_c2", 1, 1))
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, shape.Shape{n.arg(1).Shape[0], n.arg(0).Shape[1]}))
}

func inferGather(n *Node, _ []Type) ([]Type, error) {
	err := firstError(
		n.wantFloat("gather_c1", 0),
		n.wantRank("gather_c1", 0, 1),
		n.wantType("gather_c2", 1, dtype.I32),
	)
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, n.arg(1).Shape))
}

// inferRows checks x[R,K] and the weight [N,K] of argument w, whose elements pass accept; the
// result is [R,N].
func (n *Node) inferRows(
	name string,
	x dtype.Type,
	w int,
	accept func(dtype.Type) bool,
) (shape.Shape, error) {
	err := firstError(n.wantType(name+"_c1", 0, x),
		n.wantRank(name+"_c1", 0, 2),
		n.wantRank(name+"_c2", w, 2))
	if err != nil {
		return nil, err
	}
	weight := n.arg(w)
	if !accept(weight.DType) || !weight.Shape.IsFixed() {
		return nil, violation(name+"_c2", "the weight is %v", weight)
	}
	if n.arg(0).Shape[1] != weight.Shape[1] {
		return nil, violation(name+"_c3", "x is %v but the weight is %v: K differs", n.arg(0), weight)
	}
	return shape.Shape{n.arg(0).Shape[0], weight.Shape[0]}, nil
}

func isI8(t dtype.Type) bool { return t == dtype.I8 }

// wantBias checks that optional argument i is a float vector as long as the result's rows.
func (n *Node) wantBias(constraint string, i int, rows shape.Shape) error {
	if len(n.Args) <= i {
		return nil
	}
	if t := n.arg(i); t.State || !t.DType.Float() || !t.Shape.Equal(rows[1:]) {
		return violation(constraint, "the bias is %v, want %v floats", t, rows[1:])
	}
	return nil
}

func inferLinear(n *Node, _ []Type) ([]Type, error) {
	rows, err := n.inferRows("linear", dtype.F32, 1, dtype.Type.Float)
	if err != nil {
		return nil, err
	}
	if err := n.wantBias("linear_c4", 2, rows); err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, rows))
}

func inferRMSNorm(n *Node, _ []Type) ([]Type, error) {
	if err := n.wantNorm("rms_norm", 0, 1); err != nil {
		return nil, err
	}
	return one(n.arg(0))
}

// wantNorm checks x and the weight of a norm over the last dimension, and eps.
func (n *Node) wantNorm(name string, x, w int) error {
	err := firstError(n.wantType(name+"_c1", x, dtype.F32),
		n.wantFloat(name+"_c2", w),
		n.wantRank(name+"_c2", w, 1))
	if err != nil {
		return err
	}
	if s := n.arg(x).Shape; len(s) == 0 || last(s) != n.arg(w).Shape[0] {
		return violation(name+"_c3", "x is %v but the weight is %v", n.arg(x), n.arg(w))
	}
	if eps := n.Float("eps"); !(eps >= 0 && eps < 1) {
		return violation(name+"_c4", "eps is %v", eps)
	}
	if round, ok := n.Attr("round"); ok && !round.DType.Float() {
		return violation(name+"_c5", "round is %v", round.DType)
	}
	return nil
}

func inferRopeTable(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantType("rope_table_c1", 0, dtype.I32),
		n.wantRank("rope_table_c1", 0, 1))
	if err != nil {
		return nil, err
	}
	dim := n.Int("dim")
	if dim < 2 || dim%2 != 0 || dim > 1<<20 {
		return nil, violation("rope_table_c2", "dim is %d, want a positive even number", dim)
	}
	if theta := n.Float("theta"); !(theta > 0) {
		return nil, violation("rope_table_c3", "theta is %v", theta)
	}
	t := Tensor(dtype.F32, shape.Shape{n.arg(0).Shape[0], shape.Fixed(dim / 2)})
	return []Type{t, t}, nil
}

// wantPlaces checks the positions and sequences of rows tokens.
func (n *Node) wantPlaces(constraint string, first int, rows shape.Dim) error {
	s := shape.Shape{rows}
	return firstError(
		n.wantShape(constraint, first, dtype.I32, s),
		n.wantShape(constraint, first+1, dtype.I32, s),
	)
}

func inferKVWrite(n *Node, _ []Type) ([]Type, error) {
	state := n.arg(0)
	if !state.State {
		return nil, violation("kv_write_c1", "argument 0 is %v, want a state", state)
	}
	err := firstError(n.wantType("kv_write_c2", 1, dtype.F32),
		n.wantRank("kv_write_c2", 1, 3))
	if err != nil {
		return nil, err
	}
	x := n.arg(1)
	if !x.Shape[1:].Equal(state.Shape) {
		return nil, violation("kv_write_c3", "rows are %v but the state is %v", x, state)
	}
	if err := n.wantPlaces("kv_write_c4", 2, x.Shape[0]); err != nil {
		return nil, err
	}
	return one(state)
}

func inferAttend(n *Node, _ []Type) ([]Type, error) {
	if err := firstError(n.wantType("attend_c1", 0, dtype.F32), n.wantRank("attend_c1", 0, 3)); err != nil {
		return nil, err
	}
	q, k, v := n.arg(0).Shape, n.arg(1), n.arg(2)
	if !k.State || !v.State || k.Shape[0] != v.Shape[0] {
		return nil, violation("attend_c2", "keys are %v and values %v, want states of as many heads", k, v)
	}
	if q[2] != k.Shape[1] {
		return nil, violation("attend_c3", "queries are %v but keys %v", n.arg(0), k)
	}
	if !q[1].IsFixed() || k.Shape[0].Coef < 1 || q[1].Coef%k.Shape[0].Coef != 0 {
		return nil, violation("attend_c4", "%v query heads do not divide over %v key heads", q[1], k.Shape[0])
	}
	if err := n.wantPlaces("attend_c5", 3, q[0]); err != nil {
		return nil, err
	}
	if n.Int("window") < 0 {
		return nil, violation("attend_c6", "window is %d", n.Int("window"))
	}
	return one(Tensor(dtype.F32, shape.Shape{q[0], q[1], v.Shape[1]}))
}

func inferObserve(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantType("observe_c1", 0, dtype.F32),
		n.wantRank("observe_c1", 0, 2))
	if err != nil {
		return nil, err
	}
	if len(n.Args) == 2 {
		err := firstError(n.wantType("observe_c2", 1, dtype.I32),
			n.wantRank("observe_c2", 1, 1))
		if err != nil {
			return nil, err
		}
	}
	return one(n.arg(0))
}

func inferAddRMSNorm(n *Node, _ []Type) ([]Type, error) {
	if err := n.wantNorm("add_rms_norm", 0, 2); err != nil {
		return nil, err
	}
	if !n.arg(0).Equal(n.arg(1)) {
		return nil, violation("add_rms_norm_c6", "terms are %v and %v", n.arg(0), n.arg(1))
	}
	return []Type{n.arg(0), n.arg(0)}, nil
}

func inferRotary(n *Node, _ []Type) ([]Type, error) {
	if err := firstError(n.wantType("rotary_c1", 0, dtype.F32), n.wantRank("rotary_c1", 0, 3)); err != nil {
		return nil, err
	}
	x := n.arg(0).Shape
	if !x[2].IsFixed() || x[2].Coef < 2 || x[2].Coef%2 != 0 {
		return nil, violation("rotary_c2", "the head is %v wide, want a positive even number", x[2])
	}
	table := shape.Shape{x[0], shape.Fixed(x[2].Coef / 2)}
	err := firstError(n.wantShape("rotary_c3", 1, dtype.F32, table),
		n.wantShape("rotary_c3", 2, dtype.F32, table))
	if err != nil {
		return nil, err
	}
	return one(n.arg(0))
}

func inferSwiGLU(n *Node, _ []Type) ([]Type, error) {
	if err := firstError(n.wantType("swiglu_c1", 0, dtype.F32), n.wantRank("swiglu_c1", 0, 2)); err != nil {
		return nil, err
	}
	d := n.arg(0).Shape[1]
	if !d.IsFixed() || d.Coef < 2 || d.Coef%2 != 0 {
		return nil, violation("swiglu_c2", "rows are %v wide, want a positive even number", d)
	}
	return one(Tensor(dtype.F32, withLast(n.arg(0).Shape, shape.Fixed(d.Coef/2))))
}
