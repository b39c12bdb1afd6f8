package cpucard

import (
	"moge/ir/dtype"
	"moge/runtime/kernels"
)

// widen sets dst to the halves of src.
func widen(dst []float32, src []uint16) {
	clear(dst)
	kernels.AxpyF16(dst, 1, src)
}

// narrow rounds to half, to the nearest, ties to even.
func narrow(dst []uint16, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] = dtype.F32ToF16(v)
	}
}

// asHalf is x rounded to half.
func asHalf(x float32) float32 { return dtype.F16ToF32(dtype.F32ToF16(x)) }
