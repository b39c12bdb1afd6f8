package cpudevice

import (
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/device"
	"moge/runtime/kernels"
)

// element is what buffers hold.
type element interface{ float32 | int32 | int8 }

// tensor is an operand: a buffer at its largest, or a section.
type tensor[E element] struct {
	data  []E
	shape shape.Shape
	all   shape.Dim // elements, row padding not counted
	rows  shape.Dim // product of all dimensions but the last
	width int       // last dimension; 0 when it varies
	pitch int       // elements from one row to the next; 0 when the width varies
}

// row is row r.
func (t *tensor[E]) row(r int) []E {
	at := r * t.pitch
	return t.data[at : at+t.width : at+t.width]
}

// count is the number of rows of this step.
func (t *tensor[E]) count(m *machine) int { return int(t.rows.Eval(&m.env)) }

// flat is all elements of this step; the tensor has no row padding.
func (t *tensor[E]) flat(m *machine) []E {
	n := t.all.Eval(&m.env)
	return t.data[:n:n]
}

// view sees a buffer as elements of its type.
func view[E element](b *buffer) tensor[E] {
	return newTensor(cast[E](b.data), b.shape, b.dtype)
}

func newTensor[E element](data []E, s shape.Shape, d dtype.Type) tensor[E] {
	t := tensor[E]{data: data, shape: s, rows: shape.Fixed(1), width: 1, pitch: 1}
	t.all, _ = s.Elements()
	if n := len(s); n > 0 {
		t.rows, _ = s[:n-1].Elements()
		t.width, t.pitch = 0, 0
		if s[n-1].IsFixed() {
			t.width = int(s[n-1].Coef)
			t.pitch = int(device.RowPitch(d, s[n-1].Coef))
		}
	}
	return t
}

func cast[E element](b []byte) []E {
	var out any
	switch any(E(0)).(type) {
	case float32:
		out = kernels.Float32s(b)
	case int32:
		out = kernels.Int32s(b)
	default:
		out = kernels.Int8s(b)
	}
	return out.([]E)
}

// typeOf is the element type of E.
func typeOf[E element]() dtype.Type {
	switch any(E(0)).(type) {
	case float32:
		return dtype.F32
	case int32:
		return dtype.I32
	}
	return dtype.I8
}
