package cpudevice

import (
	"fmt"

	"moge/ir/dtype"
	"moge/ir/shape"
)

// axisView is how a tensor is cut along one axis: blocks one after the other, each of the
// axis' length times the elements that one index of it spans, row padding included.
type axisView struct {
	blocks, block, index shape.Dim
	length               int64 // of a fixed axis
}

// along cuts t at an axis whose length is fixed.
func along[E element](b *binder, t *tensor[E], axis int) axisView {
	if axis >= len(t.shape) || !t.shape[axis].IsFixed() {
		b.fail("axis %d of %v is not a fixed one", axis, t.shape)
		return axisView{}
	}
	return cut(t, axis)
}

// cut cuts t at any axis that it has.
func cut[E element](t *tensor[E], axis int) axisView {
	padded := append(shape.Shape{}, t.shape...)
	if t.width > 0 {
		padded[len(padded)-1] = shape.Fixed(int64(t.pitch))
	}
	v := axisView{length: t.shape[axis].Coef}
	v.blocks, _ = padded[:axis].Elements()
	v.block, _ = padded[axis:].Elements()
	v.index, _ = padded[axis+1:].Elements()
	return v
}

// move copies indices of one axis of a tensor to another tensor.
type move[E element] struct {
	src        tensor[E]
	from, to   axisView
	first, put int64 // indices read and written first
	indices    int64
}

func (p *move[E]) run(m *machine, dst []E) {
	index := p.from.index.Eval(&m.env)
	from, to := p.from.block.Eval(&m.env), p.to.block.Eval(&m.env)
	n := p.indices * index
	for i := range p.from.blocks.Eval(&m.env) {
		copy(dst[i*to+p.put*index:][:n], p.src.data[i*from+p.first*index:][:n])
	}
}

// bindSlice: indices lo ≤ i < hi of one axis.
func bindSlice(b *binder) func(*machine) error {
	switch b.resultType() {
	case dtype.F32:
		return sliceOf[float32](b)
	case dtype.I32:
		return sliceOf[int32](b)
	}
	return sliceOf[int8](b)
}

// bindConcat: the arguments one after the other along one axis.
func bindConcat(b *binder) func(*machine) error {
	switch b.resultType() {
	case dtype.F32:
		return concatOf[float32](b)
	case dtype.I32:
		return concatOf[int32](b)
	}
	return concatOf[int8](b)
}

func sliceOf[E element](b *binder) func(*machine) error {
	x, y := arg[E](b, 0, anyRank), result[E](b, 0, anyRank)
	axis := int(b.int("axis", 0, 7))
	p := move[E]{src: x, from: along(b, &x, axis), to: along(b, &y, axis)}
	p.first = b.int("lo", 0, p.from.length)
	p.indices = b.int("hi", p.first, p.from.length) - p.first
	b.wantShape("result 0", y.shape, withAxis(x.shape, axis, p.indices))
	return func(m *machine) error {
		p.run(m, y.data)
		return nil
	}
}

func concatOf[E element](b *binder) func(*machine) error {
	y := result[E](b, 0, anyRank)
	axis := int(b.int("axis", 0, 7))
	to, put := along(b, &y, axis), int64(0)
	var parts []move[E]
	for i := range b.step.Args {
		x := arg[E](b, i, anyRank)
		p := move[E]{src: x, from: along(b, &x, axis), to: to, put: put}
		p.indices = p.from.length
		b.wantShape(fmt.Sprintf("argument %d", i), withAxis(x.shape, axis, to.length), y.shape)
		put += p.indices
		parts = append(parts, p)
	}
	b.want(put == to.length, "the arguments have %d indices along axis %d, the result %d",
		put, axis, to.length)
	return func(m *machine) error {
		for i := range parts {
			parts[i].run(m, y.data)
		}
		return nil
	}
}

// withAxis is s with another length of one axis.
func withAxis(s shape.Shape, axis int, n int64) shape.Shape {
	out := append(shape.Shape{}, s...)
	if axis < len(out) {
		out[axis] = shape.Fixed(n)
	}
	return out
}
