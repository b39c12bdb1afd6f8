package ir

import (
	"fmt"
	"math"

	"moge/ir/dtype"
	"moge/ir/shape"
)

// violation reports a numbered constraint of SPEC.md.
func violation(constraint, format string, args ...any) error {
	return fmt.Errorf("%s: %s", constraint, fmt.Sprintf(format, args...))
}

// arg is the type of argument i.
func (n *Node) arg(i int) Type { return n.Args[i].Type }

func one(t Type) ([]Type, error) { return []Type{t}, nil }

// wantRank checks the number of dimensions of argument i.
func (n *Node) wantRank(constraint string, i, rank int) error {
	if t := n.arg(i); t.State || len(t.Shape) != rank {
		return violation(constraint, "argument %d is %v, want %d dimensions", i, t, rank)
	}
	return nil
}

// wantType checks the element type of argument i.
func (n *Node) wantType(constraint string, i int, want dtype.Type) error {
	if t := n.arg(i); t.State || t.DType != want {
		return violation(constraint, "argument %d is %v, want elements of %v", i, t, want)
	}
	return nil
}

// wantFloat checks that argument i is a float tensor.
func (n *Node) wantFloat(constraint string, i int) error {
	if t := n.arg(i); t.State || !t.DType.Float() {
		return violation(constraint, "argument %d is %v, want a float tensor", i, t)
	}
	return nil
}

// wantShape checks the whole type of argument i.
func (n *Node) wantShape(constraint string, i int, d dtype.Type, s shape.Shape) error {
	if want := Tensor(d, s); !n.arg(i).Equal(want) {
		return violation(constraint, "argument %d is %v, want %v", i, n.arg(i), want)
	}
	return nil
}

// firstError returns the first that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func last(s shape.Shape) shape.Dim { return s[len(s)-1] }

// withLast is s with another last dimension.
func withLast(s shape.Shape, d shape.Dim) shape.Shape {
	return append(append(shape.Shape{}, s[:len(s)-1]...), d)
}

func inferDeclared(n *Node, declared []Type) ([]Type, error) {
	name := n.Op.String()
	if n.Str("name") == "" {
		return nil, violation(name+"_c1", "the name is empty")
	}
	t := declared[0]
	if t.State != (n.Op == OpState) {
		return nil, violation(name+"_c2", "the type is %v", t)
	}
	if n.Op != OpInput && !t.Shape.IsFixed() {
		return nil, violation(name+"_c3", "the shape %v is not fixed", t.Shape)
	}
	if n.Op == OpState && (len(t.Shape) != 2 || !t.DType.Float() && t.DType != dtype.I8) {
		return nil, violation(name+"_c4", "the type is %v, want float or i8 rows [heads,width]", t)
	}
	if _, ok := t.Shape.Elements(); !ok {
		return nil, violation(name+"_c5", "the shape %v has too many elements", t.Shape)
	}
	return declared, nil
}

func inferIota(n *Node, _ []Type) ([]Type, error) {
	count, step := n.Int("count"), n.Int("step")
	if count < 1 || step < 0 || count > 1<<31 || step > 1<<31/count {
		return nil, violation("iota_c1", "count %d with step %d leaves i32", count, step)
	}
	return one(Tensor(dtype.I32, shape.Make(count)))
}

func inferReshape(n *Node, declared []Type) ([]Type, error) {
	from, to := n.arg(0), declared[0]
	if from.State || to.State || from.DType != to.DType {
		return nil, violation("reshape_c1", "%v cannot become %v", from, to)
	}
	a, okA := from.Shape.Elements()
	b, okB := to.Shape.Elements()
	if !okA || !okB || a != b {
		return nil, violation("reshape_c2", "%v and %v do not hold the same number of elements", from, to)
	}
	return declared, nil
}

func (n *Node) axis(constraint string, rank int) (int, error) {
	if a := n.Int("axis"); a >= 0 && a < int64(rank) {
		return int(a), nil
	}
	return 0, violation(constraint, "axis %d of %d dimensions", n.Int("axis"), rank)
}

func inferSlice(n *Node, _ []Type) ([]Type, error) {
	t := n.arg(0)
	axis, err := n.axis("slice_c1", len(t.Shape))
	if err != nil || t.State {
		return nil, firstError(err, violation("slice_c1", "the argument is a state"))
	}
	d, lo, hi := t.Shape[axis], n.Int("lo"), n.Int("hi")
	if !d.IsFixed() || lo < 0 || lo >= hi || hi > d.Coef {
		return nil, violation("slice_c2", "range %d to %d of dimension %v", lo, hi, d)
	}
	s := append(shape.Shape{}, t.Shape...)
	s[axis] = shape.Fixed(hi - lo)
	return one(Tensor(t.DType, s))
}

func inferConcat(n *Node, _ []Type) ([]Type, error) {
	t := n.arg(0)
	axis, err := n.axis("concat_c1", len(t.Shape))
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for i := range n.Args {
		a := n.arg(i)
		if a.State || a.DType != t.DType || len(a.Shape) != len(t.Shape) || !a.Shape[axis].IsFixed() {
			return nil, violation("concat_c2", "argument %d is %v beside %v", i, a, t)
		}
		if s := append(shape.Shape{}, a.Shape...); true {
			s[axis] = t.Shape[axis]
			if !s.Equal(t.Shape) {
				return nil, violation("concat_c3", "argument %d is %v beside %v along axis %d", i, a, t, axis)
			}
		}
		if a.Shape[axis].Coef > math.MaxInt64-total {
			return nil, violation("concat_c3", "argument %d makes axis %d too long", i, axis)
		}
		total += a.Shape[axis].Coef
	}
	s := append(shape.Shape{}, t.Shape...)
	s[axis] = shape.Fixed(total)
	return one(Tensor(t.DType, s))
}

func inferStack(n *Node, _ []Type) ([]Type, error) {
	t := n.arg(0)
	for i := range n.Args {
		if a := n.arg(i); a.State || !a.Equal(t) || !a.Shape.IsFixed() {
			return nil, violation("stack_c1", "argument %d is %v beside %v", i, a, t)
		}
	}
	return one(Tensor(t.DType, append(shape.Make(int64(len(n.Args))), t.Shape...)))
}

func inferCast(n *Node, _ []Type) ([]Type, error) {
	attr, _ := n.Attr("to")
	t := n.arg(0)
	if t.State || !castable(t.DType, attr.DType) {
		return nil, violation("cast_c1", "%v cannot become %v", t, attr.DType)
	}
	return one(Tensor(attr.DType, t.Shape))
}

// castable allows float to float, and i8 or i32 to f32.
func castable(from, to dtype.Type) bool {
	if from.Float() {
		return to.Float()
	}
	return (from == dtype.I8 || from == dtype.I32) && to == dtype.F32
}

func inferQuantizeWeight(n *Node, _ []Type) ([]Type, error) {
	t := n.arg(0)
	if err := n.wantFloat("quantize_weight_c1", 0); err != nil {
		return nil, err
	}
	if len(t.Shape) < 2 || !t.Shape.IsFixed() {
		return nil, violation("quantize_weight_c2", "the weight is %v, want fixed rows", t)
	}
	scales := append(shape.Shape{}, t.Shape[:len(t.Shape)-1]...)
	return []Type{Tensor(dtype.I8, t.Shape), Tensor(dtype.F32, scales)}, nil
}

func inferBroadcast(n *Node, _ []Type) ([]Type, error) {
	a, b := n.arg(0), n.arg(1)
	name := n.Op.String()
	if a.State || b.State || a.DType != b.DType || a.DType != dtype.F32 && a.DType != dtype.I32 {
		return nil, violation(name+"_c1", "arguments are %v and %v, want both f32 or both i32", a, b)
	}
	if len(a.Shape) != len(b.Shape) {
		return nil, violation(name+"_c2", "arguments are %v and %v, want as many dimensions", a, b)
	}
	s := append(shape.Shape{}, a.Shape...)
	for i, d := range b.Shape {
		switch {
		case s[i] == d || d == shape.Fixed(1):
		case s[i] == shape.Fixed(1):
			s[i] = d
		default:
			return nil, violation(name+"_c3", "dimension %d is %v and %v, want equal or 1", i, s[i], d)
		}
	}
	return one(Tensor(a.DType, s))
}

func inferSameFloat(n *Node, _ []Type) ([]Type, error) {
	name := n.Op.String()
	if err := n.wantType(name+"_c1", 0, dtype.F32); err != nil {
		return nil, err
	}
	if len(n.arg(0).Shape) == 0 {
		return nil, violation(name+"_c2", "the argument has no last dimension")
	}
	return one(n.arg(0))
}

func inferDropLast(n *Node, declared []Type) ([]Type, error) {
	types, err := inferSameFloat(n, declared)
	if err != nil {
		return nil, err
	}
	s := types[0].Shape
	return one(Tensor(dtype.F32, append(shape.Shape{}, s[:len(s)-1]...)))
}

func inferArgMax(n *Node, declared []Type) ([]Type, error) {
	types, err := inferDropLast(n, declared)
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.I32, types[0].Shape))
}

func inferSumLast(n *Node, declared []Type) ([]Type, error) {
	types, err := inferSameFloat(n, declared)
	if err != nil {
		return nil, err
	}
	return one(Tensor(dtype.F32, withLast(types[0].Shape, shape.Fixed(1))))
}

func inferTopK(n *Node, declared []Type) ([]Type, error) {
	types, err := inferSameFloat(n, declared)
	if err != nil {
		return nil, err
	}
	k, d := n.Int("k"), last(types[0].Shape)
	if !d.IsFixed() || k < 1 || k > d.Coef {
		return nil, violation("topk_c3", "k is %d of dimension %v", k, d)
	}
	s := withLast(types[0].Shape, shape.Fixed(k))
	return []Type{Tensor(dtype.F32, s), Tensor(dtype.I32, s)}, nil
}
