package quant

import (
	"fmt"
	"math"
)

// levels is the largest magnitude of a symmetric int8 code; -128 is never produced, so
// that negation is exact and kernels may use the sign trick of unsigned-by-signed products.
const levels = 127

// unit is the rounding unit u of float32: a correctly rounded normal result is off by at
// most u times its magnitude.
const unit = 0x1p-24

// minNormal is the smallest normal float32.
const minNormal = 0x1p-126

// roundClamp rounds half to even and clamps to [lo, 127]; NaN gives 0.
func roundClamp(v float32, lo float64) int8 {
	if v != v {
		return 0
	}
	return int8(min(max(math.RoundToEven(float64(v)), lo), levels))
}

// maxAbs is the largest magnitude of x, and NaN if x holds one. Bit patterns without their
// sign order as finite < infinity < NaN, so the result does not depend on the order of x.
func maxAbs(x []float32) float32 {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(top)
}

func finite(v float32) bool { return v-v == 0 }

// NonFiniteError reports an infinity or NaN where only numbers can be encoded. The caller
// knows the tensor and wraps the error with its name and row.
type NonFiniteError struct {
	Index int // element within the slice that was given
	Value float32
}

// Error names the element and its value.
func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("element %d is %v; only finite values can be quantized", e.Index, e.Value)
}

// checkFinite returns a *NonFiniteError for the first element that is no number.
func checkFinite(x []float32) error {
	for i, v := range x {
		if !finite(v) {
			return &NonFiniteError{Index: i, Value: v}
		}
	}
	return nil
}

func sameLength(what string, dst, src int) {
	if dst != src {
		panic(fmt.Sprintf("BUG: %s of %d elements into %d", what, src, dst))
	}
}
