package kernels

import "moge/ascend/kernel"

// FixedScale is the shape of what a kernel knows of rows that are quantized by one range amax,
// found beforehand, in place of each row's own maximum: f32 [1, 8], f32(127/amax), then
// f32(amax/127), then zeros. Where 127/amax is not finite both are 0, and so are all integers. It
// is data, not part of the kernel, so that layers with different ranges share one kernel.
func FixedScale() kernel.Shape { return kernel.Matrix(n(1), lanes) }

// fixedScale is the numbers of a FixedScale, as far as a kernel uses them.
type fixedScale struct {
	inverse kernel.Float // 127/amax, of kernels that quantize
	scale   kernel.Float // amax/127, of kernels that multiply
}

// newFixedScale declares and loads it.
func newFixedScale(b *kernel.Builder, quantizes, multiplies bool) *fixedScale {
	source := b.Input("fixedScale", kernel.F32, FixedScale())
	tile := b.Tile("fixedTile", kernel.VecTile(kernel.F32, 1, lanes))
	b.Load(tile, source.All())
	f := &fixedScale{}
	if quantizes {
		f.inverse = b.ReadFloat("fixedInverse", at(tile, n(0)))
	}
	if multiplies {
		f.scale = b.ReadFloat("fixedFactor", at(tile, n(1)))
	}
	return f
}

// amaxOf is what the text of a kernel says for the magnitude that becomes 127.
func amaxOf(row string, static bool) string {
	if static {
		return "amax"
	}
	return "max|" + row + "|"
}

// scaleOf is what it says for the scale of rows that come in int8.
func scaleOf(static bool) string {
	if static {
		return "amax / 127"
	}
	return "xScale"
}
