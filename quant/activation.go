package quant

import (
	"fmt"
	"math"
)

// ActivationScale gives, for activations whose largest magnitude is amax, the scale that
// decodes them and the factor that encodes them: scale = f32(amax / 127),
// inverse = f32(127 / amax). Both are 0 where amax is 0 or so small that the inverse
// overflows. The largest amax that is flushed lies below 2^-121.
func ActivationScale(amax float32) (scale, inverse float32) {
	if amax == 0 {
		return 0, 0
	}
	inverse = levels / amax
	if math.IsInf(float64(inverse), 0) {
		return 0, 0
	}
	return amax / levels, inverse
}

// EncodeDynamic quantizes one token's activations x [K] to dst [K] and returns their scale:
//
//	amax = max |x|;  dst = rne(f32(x * f32(127 / amax)));  scale = f32(amax / 127)
//
// No clamp is needed: |x| <= amax, so the product is below 127.5. If amax is 0 or 127/amax
// overflows, dst is all zeros and the scale 0. If x holds an infinity or NaN, dst is all
// zeros and the scale NaN, so that the fault reaches the logits instead of hiding.
func EncodeDynamic(dst []int8, x []float32) (scale float32) {
	sameLength("activation row", len(dst), len(x))
	amax := maxAbs(x)
	if !finite(amax) {
		clear(dst)
		return float32(math.NaN())
	}
	scale, inverse := ActivationScale(amax)
	encodeSymmetric(dst, x, inverse)
	return scale
}

// EncodeStatic quantizes activations x [n] to dst [n] with the calibrated largest magnitude
// amax: dst = clamp(rne(f32(x * f32(127 / amax))), -127, 127), where infinities clamp and
// NaN gives 0. The scale to decode with is ActivationScale(amax). amax must be finite and
// not negative, which ParseStats guarantees.
func EncodeStatic(dst []int8, x []float32, amax float32) {
	sameLength("activation row", len(dst), len(x))
	if !finite(amax) || amax < 0 {
		panic(fmt.Sprintf("BUG: calibrated range %v", amax))
	}
	_, inverse := ActivationScale(amax)
	encodeSymmetric(dst, x, inverse)
}

func encodeSymmetric(dst []int8, x []float32, inverse float32) {
	for i, v := range x {
		dst[i] = roundClamp(v*inverse, -levels)
	}
}

// ActivationErrorBound bounds |x - DecodeRow(EncodeDynamic(x))| for every element of a
// token encoded with scale s, and of a static tensor for |x| <= amax. With u = 2^-24,
// t = 127 x/amax, |t| <= 127:
//
// The inverse and the product each round once (an inverse is never subnormal), so the value
// v before rounding to an integer has |v - t| <= 127 (2u + u^2) < 255u, and |q - v| <= 1/2.
// Against the exact scale a = amax/127 the code is off by (1/2 + 255u) a. The stored scale
// is off from a by at most u a, or by 2^-150 where it is subnormal, which 127 codes multiply;
// the product q*s rounds by 127 u s, or 2^-150. With a <= s (1+2u) + 2^-150 the sum is below
//
//	s (1/2 + 512u) + 2^-142.
//
// A flushed token (s = 0) has amax < 2^-121. The bound holds for amax <= 2^127; nearer to
// the end of float32 the decoded 127*s may overflow.
func ActivationErrorBound(scale float32) float64 {
	if scale == 0 {
		return 0x1p-121
	}
	return float64(scale)*(0.5+512*unit) + 0x1p-142
}

// StaticErrorBound bounds |x - decoded| of EncodeStatic for one value: what the clamp cuts
// off, |x| - amax where that is positive, plus ActivationErrorBound. Beyond amax the code is
// +-127, whose distance from +-amax is within the same bound.
func StaticErrorBound(x, amax float32) float64 {
	scale, _ := ActivationScale(amax)
	clipped := math.Abs(float64(x)) - float64(amax)
	return max(clipped, 0) + ActivationErrorBound(scale)
}
