package kernels

import "moge/ascend/kernel"

// rowQuantization is the tiles that quantizing one row takes, each of one row and the row's width
// but for work (see kernel.WorkCols) and scale (8 elements). With a fixed scale there is neither.
type rowQuantization struct {
	x         kernel.Tile // f32, lost
	magnitude kernel.Tile // f32 scratch
	half      kernel.Tile // half scratch
	work      kernel.Tile // f32 scratch of the maximum
	q         kernel.Tile // int8, result
	scale     kernel.Tile // f32 [1, 8], result: the scale in every element
	fixed     *fixedScale // nil where the row's own maximum decides
}

// quantizeRow is the IR's quantize for one row: amax = max |x|, q = rne(f32(x · f32(127/amax))),
// scale = f32(amax/127); a row of zeros has scale 0. It gives the same bits as the interpreter when
// 127/amax is finite, which it is for every magnitude that a half can have. With a fixed scale it
// is quantize_static.
func quantizeRow(b *kernel.Builder, r rowQuantization) {
	if r.fixed != nil {
		b.Muls(r.x, r.x, r.fixed.inverse)
		b.Note("beyond the fixed range: the end of it")
		b.Maxs(r.x, r.x, kernel.F(-127))
		b.Mins(r.x, r.x, kernel.F(127))
		b.Quantize(r.q, r.x, r.magnitude.AsInt(), r.half)
		return
	}
	b.Abs(r.magnitude, r.x)
	b.ReduceMax(r.scale.Span(n(0), n(1)), r.magnitude, r.work)
	amax := b.ReadFloat("amax", r.scale)
	zero := kernel.F(0)
	by := b.LetFloat("by", kernel.PickLess(zero, amax, kernel.F(127).Div(amax), zero))
	b.Muls(r.x, r.x, by)
	b.Quantize(r.q, r.x, r.magnitude.AsInt(), r.half)
	b.Fill(r.scale, amax.Div(kernel.F(127)))
}
