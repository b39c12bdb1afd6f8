//go:build !amd64 || purego

package kernels

func addF32(dst, a, b []float32)                        { addF32Generic(dst, a, b) }
func mulF32(dst, a, b []float32)                        { mulF32Generic(dst, a, b) }
func scaleF32(dst, x []float32, a float32)              { scaleF32Generic(dst, x, a) }
func divF32(x []float32, a float32)                     { divF32Generic(x, a) }
func rotary(lo, hi, cos, sin []float32)                 { rotaryGeneric(lo, hi, cos, sin) }
func scaleMul(dst, x []float32, a float32, w []float32) { scaleMulGeneric(dst, x, a, w) }

func dequant(dst []float32, acc []int32, xs float32, ws []float32) {
	dequantGeneric(dst, acc, xs, ws)
}
