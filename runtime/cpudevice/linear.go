package cpudevice

import (
	"moge/ir/shape"
	"moge/runtime/kernels"
)

// floatLinear multiplies f32 rows by float or int8 weights: the products added up with k
// ascending, each operation rounded, then · scale and + bias where there are any.
type floatLinear struct {
	*weight
	multiply multiplier
	x, y     tensor[float32]
	scale    []float32 // [experts,n] or nil
	bias     []float32 // [n] or nil
}

// newFloatLinear is nil when the operands do not fit, which b knows.
func newFloatLinear(b *binder, x, y tensor[float32], w *weight) *floatLinear {
	b.wantShape("argument 0", x.shape, shape.Shape{y.shape[0], shape.Fixed(int64(w.k))})
	b.wantShape("result 0", y.shape, shape.Shape{x.shape[0], shape.Fixed(int64(w.n))})
	if b.err != nil {
		return nil
	}
	return &floatLinear{weight: w, multiply: w.multiplier(), x: x, y: y}
}

// floatLinear multiplies argument 0 into result 0.
func (b *binder) floatLinear(w *weight) *floatLinear {
	return newFloatLinear(b, arg[float32](b, 0, 2), result[float32](b, 0, 2), w)
}

// part computes rows of y: whole tiles in place, a last one that is not full beside it.
func (f *floatLinear) part(s *scratch, p part) {
	lo, hi := f.columns(p)
	full := (hi - lo) / tileRows
	at := p.expert*f.tiles + p.tile
	x := f.x.data[p.row*f.k:]
	if full > 0 {
		f.multiply(f.y.data[p.row*f.n+lo:], f.n, x, f.k, p.rows, at, full)
	}
	if full < p.tiles {
		f.multiply(s.tile, tileRows, x, f.k, p.rows, at+full, 1)
		for r := range p.rows {
			copy(f.y.row(p.row + r)[lo+full*tileRows:hi], s.tile[r*tileRows:])
		}
	}
	for r := range p.rows {
		f.epilogue(f.y.row(p.row + r)[lo:hi], p.expert*f.n, lo, hi)
	}
}

// epilogue finishes columns lo to hi of a row; scales of the expert begin at first.
func (f *floatLinear) epilogue(row []float32, first, lo, hi int) {
	if f.scale != nil {
		kernels.MulF32(row, row, f.scale[first+lo:first+hi])
	}
	if f.bias != nil {
		kernels.AddF32(row, row, f.bias[lo:hi])
	}
}

// bindLinear: x · wᵀ (+ bias).
func bindLinear(b *binder) func(*machine) error {
	f := b.floatLinear(b.weightArg(1, false, false))
	if f != nil && len(b.step.Args) == 3 {
		f.bias = b.vector(2, f.n)
	}
	return f.dense
}

// bindW8Linear: (x · f32(wq)ᵀ) · ws (+ bias).
func bindW8Linear(b *binder) func(*machine) error {
	f := b.floatLinear(b.weightArg(1, false, true))
	if f != nil {
		f.scale, _ = b.int8Parts(2, f.weight, false)
		if len(b.step.Args) == 5 {
			f.bias = b.vector(4, f.n)
		}
	}
	return f.dense
}

func (f *floatLinear) dense(m *machine) error { return f.run(m, whole(f.x.count(m)), f.part) }

// bindGroupedLinear: each row times the weight of its expert.
func bindGroupedLinear(b *binder) func(*machine) error {
	f := b.floatLinear(b.weightArg(2, true, false))
	if f == nil {
		return nil
	}
	return f.grouped(b.offsets(f.weight))
}

// bindW8GroupedLinear: each row times the int8 weight of its expert, then · ws.
func bindW8GroupedLinear(b *binder) func(*machine) error {
	f := b.floatLinear(b.weightArg(2, true, true))
	if f == nil {
		return nil
	}
	f.scale, _ = b.int8Parts(3, f.weight, true)
	return f.grouped(b.offsets(f.weight))
}

func (f *floatLinear) grouped(offsets tensor[int32]) func(*machine) error {
	return func(m *machine) error {
		all, err := groups(offsets.flat(m), f.x.count(m))
		if err != nil {
			return err
		}
		return f.run(m, all, f.part)
	}
}

// offsets is argument 1 of an op over experts.
func (b *binder) offsets(w *weight) tensor[int32] {
	t := arg[int32](b, 1, 1)
	b.wantShape("argument 1", t.shape, shape.Make(int64(w.experts)+1))
	return t
}
