package quant

import (
	"fmt"
	"math"

	"moge/ir/dtype"
)

// The arithmetic of static W8A8 in AscendV1 checkpoints (msModelSlim, vLLM-Ascend):
//
//	y[n] = (sum_k xq[k]*wq[n,k] + quant_bias[n]) * deq_scale[n]
//
// The float bias and the zero point's correction are both inside quant_bias.

// DeqScale is the factor of one output channel: f32(inputScale * weightScale).
func DeqScale(inputScale, weightScale float32) float32 { return inputScale * weightScale }

// EncodeAffine quantizes activations x [n] to dst [n] with a zero point:
// dst = clamp(rne(f32(f32(x / inputScale) + offset)), -128, 127); NaN gives 0.
// inputScale must be positive.
func EncodeAffine(dst []int8, x []float32, inputScale, offset float32) {
	sameLength("activation row", len(dst), len(x))
	if !(inputScale > 0) {
		panic(fmt.Sprintf("BUG: input scale %v", inputScale))
	}
	for i, v := range x {
		dst[i] = roundClamp(v/inputScale+offset, -levels-1)
	}
}

// AffineErrorBound bounds |x - (q - offset) * s| in exact arithmetic for values that
// EncodeAffine does not clamp, with an integral |offset| <= 128 and normal s. With
// u = 2^-24: |x/s| <= 128.5 + 128 < 257 rounds once (257u), the sum, below 129, rounds once
// (129u), and the integer is off by 1/2: s (1/2 + 386u), rounded up.
func AffineErrorBound(inputScale float32) float64 {
	return float64(inputScale) * (0.5 + 400*unit)
}

// QuantBias is the int32 bias of one output channel with codes wq [K]:
// rne(bias/deq - sum(wq)*offset), computed in float64. It fails where deq is no positive
// number (an all-zero row; see ZeroRowScale) or the result exceeds int32.
func QuantBias(wq []int8, bias, deq, offset float32) (int32, error) {
	if !(deq > 0) || !finite(deq) {
		return 0, fmt.Errorf("dequantization scale %v cannot carry a bias; it must be positive", deq)
	}
	correction := float64(float64(sum(wq)) * float64(offset))
	q := math.RoundToEven(float64(bias)/float64(deq) - correction)
	if !(q >= math.MinInt32 && q <= math.MaxInt32) {
		return 0, fmt.Errorf("quantized bias %v exceeds int32 (bias %v, dequantization scale %v)",
			q, bias, deq)
	}
	return int32(q), nil
}

// RecoverBias inverts QuantBias up to half of deq: f32((quantBias + sum(wq)*offset) * deq).
func RecoverBias(wq []int8, quantBias int32, deq, offset float32) float32 {
	correction := float64(float64(sum(wq)) * float64(offset))
	return float32((float64(quantBias) + correction) * float64(deq))
}

// RecoverWeightScale inverts DeqScale up to rounding, for checkpoints without weight_scale.
func RecoverWeightScale(deq, inputScale float32) float32 { return deq / inputScale }

// ZeroRowScale is a weight scale for an all-zero row, whose own scale of 0 could not carry
// its bias: it makes the quantized bias about 2^20, so the bias keeps 20 bits.
func ZeroRowScale(bias, inputScale float32) float32 {
	scale := float32(math.Abs(float64(bias)) / 0x1p20 / float64(inputScale))
	if scale < minNormal || !finite(scale) {
		return 1
	}
	return scale
}

func sum(wq []int8) int64 {
	var total int64
	for _, q := range wq {
		total += int64(q)
	}
	return total
}

// DeqScaleToI64 stores a dequantization scale as fp16 targets read it: its float32 bits in
// an int64.
func DeqScaleToI64(deq float32) int64 { return int64(int32(math.Float32bits(deq))) }

// DeqScaleFromI64 reads the low 32 bits as a float32.
func DeqScaleFromI64(bits int64) float32 { return math.Float32frombits(uint32(bits)) }

// RoundScale rounds an input scale to the float type the runtime holds it in. Deq scales
// and biases must be derived from the rounded value, since the runtime divides by that one.
// It fails where the scale leaves the type's range.
func RoundScale(scale float32, t dtype.Type) (float32, error) {
	rounded := scale
	switch t {
	case dtype.F32:
	case dtype.F16:
		rounded = dtype.F16ToF32(dtype.F32ToF16(scale))
	case dtype.BF16:
		rounded = dtype.BF16ToF32(dtype.F32ToBF16(scale))
	default:
		panic("BUG: scale in element type " + t.String())
	}
	if !(rounded > 0) || !finite(rounded) {
		return 0, fmt.Errorf("input scale %v becomes %v in %v; it must stay positive and finite",
			scale, rounded, t)
	}
	return rounded, nil
}
