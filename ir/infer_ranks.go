package ir

import (
	"moge/ir/dtype"
	"moge/ir/shape"
)

// maxGroup bounds the ranks of a group, and the distance between them.
const maxGroup = 1 << 16

// wantGroup checks the ranks that take part.
func (n *Node) wantGroup(constraint string) error {
	size, stride := n.Int("size"), n.Int("stride")
	if size < 1 || size > maxGroup || stride < 1 || stride > maxGroup {
		return violation(constraint, "a group of %d ranks, %d apart", size, stride)
	}
	if index, ok := n.Attr("index"); ok && (index.Int < 0 || index.Int >= size) {
		return violation(constraint, "index %d in a group of %d ranks", index.Int, size)
	}
	return nil
}

// Block is one of size blocks that d is cut into, padded to a multiple of align; of a dimension that is
// fixed the last block may have less that is real. ok is false where a block would be empty or too long to
// count, or where a dimension that depends on the step does not divide.
func Block(d shape.Dim, size, align int64) (padded shape.Dim, ok bool) {
	if !d.IsFixed() {
		ok = d.Coef%size == 0 && align <= 1
		d.Coef /= size
		return d, ok
	}
	n := d.Coef / size
	if d.Coef%size != 0 {
		n++
	}
	align = max(align, 1)
	whole := (n + align - 1) / align * align
	return shape.Fixed(whole), d.Coef-n*(size-1) > 0 && whole >= n
}

func inferShard(n *Node, _ []Type) ([]Type, error) {
	t := n.arg(0)
	axis, err := n.axis("shard_c1", len(t.Shape))
	if err != nil || t.State {
		return nil, firstError(err, violation("shard_c1", "the argument is a state"))
	}
	if err := n.wantGroup("shard_c2"); err != nil {
		return nil, err
	}
	align, given := n.Attr("align")
	if given && (align.Int < 1 || align.Int > maxGroup) {
		return nil, violation("shard_c3", "align is %d", align.Int)
	}
	padded, ok := Block(t.Shape[axis], n.Int("size"), align.Int)
	if !ok {
		return nil, violation("shard_c4", "dimension %v does not make %d blocks", t.Shape[axis], n.Int("size"))
	}
	s := append(shape.Shape{}, t.Shape...)
	s[axis] = padded
	return one(Tensor(t.DType, s))
}

func inferOwn(n *Node, _ []Type) ([]Type, error) {
	if t := n.arg(0); t.State || !t.DType.Float() {
		return nil, violation("own_c1", "argument 0 is %v, want floats", t)
	}
	if err := n.wantGroup("own_c2"); err != nil {
		return nil, err
	}
	return one(n.arg(0))
}

func inferRebase(n *Node, _ []Type) ([]Type, error) {
	if err := firstError(n.wantType("rebase_c1", 0, dtype.I32), n.wantGroup("rebase_c2")); err != nil {
		return nil, err
	}
	if step := n.Int("step"); step < 0 || step > 1<<31/n.Int("size") {
		return nil, violation("rebase_c3", "step %d over %d ranks", step, n.Int("size"))
	}
	return one(n.arg(0))
}

// wantRows checks what travels: rows, of floats when they are rounded on the way.
func (n *Node) wantRows(name string) error {
	t := n.arg(0)
	if t.State || len(t.Shape) == 0 {
		return violation(name+"_c1", "argument 0 is %v, want rows", t)
	}
	if err := n.wantGroup(name + "_c2"); err != nil {
		return err
	}
	if wire, ok := n.Attr("wire"); ok && (t.DType != dtype.F32 || !wire.DType.Float()) {
		return violation(name+"_c3", "%v travel as %v", t.DType, wire.DType)
	}
	return nil
}

func inferAllGather(n *Node, _ []Type) ([]Type, error) {
	if err := n.wantRows("all_gather"); err != nil {
		return nil, err
	}
	s := append(shape.Shape{}, n.arg(0).Shape...)
	var ok bool
	if s[0], ok = s[0].Times(n.Int("size")); !ok {
		return nil, violation("all_gather_c4", "%d times %v rows", n.Int("size"), n.arg(0).Shape[0])
	}
	return one(Tensor(n.arg(0).DType, s))
}

func inferReduceScatter(n *Node, _ []Type) ([]Type, error) {
	err := firstError(n.wantRows("reduce_scatter"), n.wantType("reduce_scatter_c4", 0, dtype.F32))
	if err != nil {
		return nil, err
	}
	s := append(shape.Shape{}, n.arg(0).Shape...)
	if s[0].Coef%n.Int("size") != 0 {
		return nil, violation("reduce_scatter_c5", "%v rows do not make %d blocks", s[0], n.Int("size"))
	}
	s[0].Coef /= n.Int("size")
	return one(Tensor(dtype.F32, s))
}

func inferAllReduce(n *Node, _ []Type) ([]Type, error) {
	if err := firstError(n.wantRows("all_reduce"), n.wantType("all_reduce_c4", 0, dtype.F32)); err != nil {
		return nil, err
	}
	return one(n.arg(0))
}
