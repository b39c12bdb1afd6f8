package kernels

import "moge/ascend/kernel"

// QuantizeSpec describes the quantization of rows to int8.
type QuantizeSpec struct {
	Name    string
	Width   int // H: a multiple of 32
	MaxRows int
	Static  bool // by a fixed scale, which is an argument
}

// Quantize makes int8 of rows [T, H] of halves: of those that other ranks have normalised, where a norm
// cannot do it on the way.
//
// Arguments: x half [T, H]; q int8 [T, H]; scale f32 RowScales(T), with Static fixedScale f32
// FixedScale() in its place, and read; rows = T.
//
// Numerics: as the IR's quantize, with Static as its quantize_static; see Norm.
//
// Work: a row is a unit; rows go through rings of two.
func Quantize(s QuantizeSpec) (*kernel.Kernel, error) {
	c := specCheck{kernel: s.Name}
	c.between("MaxRows", s.MaxRows, 1, maxTokens)
	c.multiple("Width", s.Width, 32)
	if c.err != nil {
		return nil, c.err
	}
	k := &quantizer{Builder: kernel.New(s.Name, "q = x * 127 / "+amaxOf("x", s.Static)+" in int8."), spec: s}
	k.tensors()
	k.Units("row", k.rows, k.row)
	return k.Build()
}

type quantizer struct {
	*kernel.Builder
	spec              QuantizeSpec
	rows              kernel.Int
	x, q, scale       *kernel.Global
	xs, qs, scaleRing *kernel.Ring
	fixed             *fixedScale
}

func (k *quantizer) tensors() {
	k.rows = k.Param("rows", 1, k.spec.MaxRows)
	shape := kernel.Matrix(k.rows, k.spec.Width)
	k.x = k.Input("x", kernel.F16, shape)
	k.q = k.Output("q", kernel.I8, shape)
	k.xs = k.Ring("xTile", 2, kernel.VecTile(kernel.F16, 1, k.spec.Width))
	k.qs = k.Ring("qTile", 2, kernel.VecTile(kernel.I8, 1, k.spec.Width))
	if k.spec.Static {
		k.fixed = newFixedScale(k.Builder, true, false)
		return
	}
	k.scale = k.Output("scale", kernel.F32, RowScales(k.rows))
	k.scaleRing = k.Ring("scaleTile", 2, kernel.VecTile(kernel.F32, 1, lanes))
}

// row is one unit of work.
func (k *quantizer) row(u kernel.Int) {
	x := k.xs.Next()
	k.Load(x, k.x.Rows(u, n(1)))
	wide := kernel.VecTile(kernel.F32, 1, k.spec.Width)
	r := rowQuantization{x: k.Tile("wide", wide), magnitude: k.Tile("square", wide), fixed: k.fixed,
		work: k.Tile("work", workTile(k.spec.Width, false)), q: k.qs.Next(),
		half: k.Tile("narrow", kernel.VecTile(kernel.F16, 1, k.spec.Width))}
	k.Cast(r.x, x, kernel.Exact)
	if k.fixed == nil {
		r.scale = k.scaleRing.Next()
	}
	quantizeRow(k.Builder, r)
	k.Store(k.q.Rows(u, n(1)), r.q)
	if k.fixed == nil {
		k.Store(k.scale.Rows(u, n(1)), r.scale)
	}
}
