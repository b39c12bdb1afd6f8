package cpudevice

import (
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/kernels"
)

// intLinear multiplies int8 rows by int8 weights exactly, then (f32(sum) · ws) · xs (+ bias),
// each operation rounded.
type intLinear struct {
	*weight
	w     []int8
	x     tensor[int8]
	xs, y tensor[float32]
	scale []float32 // [experts,n]
	sums  []int32   // [experts,tiles·16], of the weights' rows
	bias  []float32 // [n] or nil
}

// int8Parts are what goes with an int8 weight: argument i its scales, i+1 the sums of its rows.
func (b *binder) int8Parts(i int, w *weight, grouped bool) (scale []float32, sums []int32) {
	rows, padded := []int64{int64(w.n)}, []int64{int64(w.tiles * tileRows)}
	if s, _ := b.section(i); grouped && s != nil && len(s.Shape) == 2 {
		rows = append([]int64{int64(w.experts)}, rows...)
		padded = append([]int64{int64(w.experts)}, padded...)
	}
	b.want(w.experts == 1 || len(rows) == 2, "argument %d has no scales for %d experts", i, w.experts)
	scale = b.constant(i, rows...)
	s, data := b.section(i + 1)
	if !b.rowSection(i+1, s, dtype.I32, padded) {
		return scale, nil
	}
	return scale, kernels.Int32s(data)
}

// newIntLinear binds x, its scales (argument scales) and the weight (argument first).
func newIntLinear(b *binder, scales, first int, grouped bool) *intLinear {
	q := &intLinear{weight: b.weightArg(first, grouped, true), x: arg[int8](b, 0, 2),
		xs: arg[float32](b, scales, 1), y: result[float32](b, 0, 2)}
	q.w = kernels.Int8s(q.data)
	q.scale, q.sums = b.int8Parts(first+1, q.weight, grouped)
	b.wantShape("argument 0", q.x.shape, shape.Shape{q.y.shape[0], shape.Fixed(int64(q.k))})
	b.wantShape("the scales of rows", q.xs.shape, q.x.shape[:1])
	b.wantShape("result 0", q.y.shape, shape.Shape{q.x.shape[0], shape.Fixed(int64(q.n))})
	return q
}

func (q *intLinear) part(s *scratch, p part) {
	at, size := p.expert*q.tiles+p.tile, kernels.TileBytes(dtype.I8, q.k)
	lo, hi := q.columns(p)
	width := p.tiles * tileRows
	kernels.MatMulI8(s.sums, q.x.data[p.row*q.x.pitch:], q.x.pitch, p.rows,
		q.w[at*size:(at+p.tiles)*size], p.tiles, q.k, q.sums[at*tileRows:])
	scale := q.scale[p.expert*q.n+lo : p.expert*q.n+hi]
	var bias []float32
	if q.bias != nil {
		bias = q.bias[lo:hi]
	}
	for r := range p.rows {
		kernels.Dequant(q.y.row(p.row + r)[lo:hi], s.sums[r*width:], q.xs.data[p.row+r], scale, bias)
	}
}

// bindQLinear: (f32(xq · wqᵀ) · ws) · xs (+ bias).
func bindQLinear(b *binder) func(*machine) error {
	q := newIntLinear(b, 1, 2, false)
	if len(b.step.Args) == 6 {
		q.bias = b.vector(5, q.n)
	}
	return func(m *machine) error { return q.run(m, whole(q.x.count(m)), q.part) }
}

// bindQGroupedLinear: as QLINEAR, each row with the weight and scales of its expert.
func bindQGroupedLinear(b *binder) func(*machine) error {
	q := newIntLinear(b, 2, 3, true)
	offsets := b.offsets(q.weight)
	return func(m *machine) error {
		all, err := groups(offsets.flat(m), q.x.count(m))
		if err != nil {
			return err
		}
		return q.run(m, all, q.part)
	}
}
