package kernels

import "math"

// MinAmax is the smallest largest magnitude that QuantizeRow scales: below it, 127/amax
// overflows, and the row becomes zeros with scale 0. It is about 3.73e-37, the least float32
// from 127/MaxFloat32 on.
const MinAmax float32 = 0x1.fc0002p-122

// QuantizeRow quantizes one row of activations symmetrically to int8 and returns the scale,
// so that x is about q*scale:
//
//	amax  = max |x|
//	inv   = 127/amax
//	q     = x*inv rounded to the nearest integer, ties to even, clamped to [-127, 127]
//	scale = amax/127
//
// each operation rounded to float32. If inv is infinite (amax is zero or below MinAmax) q is
// zero and the scale 0. If a value is infinite or NaN, q is zero and the scale is infinite or
// NaN, so that it shows in whatever is computed from it.
func QuantizeRow(dst []int8, x []float32) (scale float32) {
	need("QuantizeRow", "dst", len(dst), len(x))
	dst = dst[:len(x)]
	amax := math.Float32frombits(maxAbsBits(x))
	inv := 127 / amax
	switch {
	case math.IsInf(float64(inv), 0):
		clear(dst)
		return 0
	case !(amax <= math.MaxFloat32):
		clear(dst)
	default:
		quantize(dst, x, inv)
	}
	return amax / 127
}

// QuantizeRowStatic is QuantizeRow with a largest magnitude known beforehand, amax >= 0:
// values beyond it are clamped, NaN becomes 0. If 127/amax is infinite, q is zero.
func QuantizeRowStatic(dst []int8, x []float32, amax float32) {
	need("QuantizeRowStatic", "dst", len(dst), len(x))
	dst = dst[:len(x)]
	inv := 127 / amax
	if math.IsInf(float64(inv), 0) {
		clear(dst)
		return
	}
	quantize(dst, x, inv)
}

// maxAbsBitsGeneric is the largest magnitude as bits: the order of the bits without sign is
// that of the magnitudes, with infinity above all numbers and NaN above infinity.
func maxAbsBitsGeneric(x []float32) uint32 {
	var largest uint32
	for _, v := range x {
		largest = max(largest, math.Float32bits(v)&0x7fffffff)
	}
	return largest
}

// quantizeGeneric clamps before rounding, which gives the same and keeps every value in the
// range of the conversion. Adding 1.5*2^23 leaves no bits for a fraction, so the addition
// rounds to an integer, ties to even.
func quantizeGeneric(dst []int8, x []float32, inv float32) {
	for i, v := range x {
		scaled := float32(v * inv)
		switch {
		case scaled > 127:
			scaled = 127
		case scaled < -127:
			scaled = -127
		case scaled != scaled:
			scaled = 0
		}
		dst[i] = int8(int32(math.Float32bits(scaled+roundMagic)) - roundMagicBits)
	}
}

const (
	roundMagic     = 0x1.8p23
	roundMagicBits = 0x4b400000
)
