package kernels

// In this file the output may be the same slice as an input, but must not overlap one
// otherwise. Inputs may be longer than the output.

// AddF32 sets dst[i] = a[i] + b[i].
func AddF32(dst, a, b []float32) {
	need("AddF32", "a", len(a), len(dst))
	need("AddF32", "b", len(b), len(dst))
	addF32(dst, a[:len(dst)], b[:len(dst)])
}

// MulF32 sets dst[i] = a[i] * b[i].
func MulF32(dst, a, b []float32) {
	need("MulF32", "a", len(a), len(dst))
	need("MulF32", "b", len(b), len(dst))
	mulF32(dst, a[:len(dst)], b[:len(dst)])
}

// ScaleF32 sets dst[i] = x[i] * a.
func ScaleF32(dst, x []float32, a float32) {
	need("ScaleF32", "x", len(x), len(dst))
	scaleF32(dst, x[:len(dst)], a)
}

// ScaleBias sets dst[n] = dst[n]*ws[n], rounded, then + bias[n] unless bias is nil: what
// follows MatMulW8.
func ScaleBias(dst, ws, bias []float32) {
	MulF32(dst, dst, ws)
	if bias != nil {
		AddF32(dst, dst, bias)
	}
}

// Dequant turns the sums of MatMulI8 for one row into numbers:
//
//	dst[n] = (float32(acc[n]) * ws[n]) * xs, then + bias[n] unless bias is nil
//
// each step rounded, in that order. xs is the row's activation scale, ws the weights' scales.
func Dequant(dst []float32, acc []int32, xs float32, ws, bias []float32) {
	need("Dequant", "acc", len(acc), len(dst))
	need("Dequant", "ws", len(ws), len(dst))
	dequant(dst, acc[:len(dst)], xs, ws[:len(dst)])
	if bias != nil {
		AddF32(dst, dst, bias)
	}
}

func addF32Generic(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func mulF32Generic(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func scaleF32Generic(dst, x []float32, a float32) {
	for i := range dst {
		dst[i] = x[i] * a
	}
}

func dequantGeneric(dst []float32, acc []int32, xs float32, ws []float32) {
	for i := range dst {
		dst[i] = float32(float32(acc[i])*ws[i]) * xs
	}
}

// scaleMulGeneric sets dst[i] = (x[i]*a) * w[i], each product rounded.
func scaleMulGeneric(dst, x []float32, a float32, w []float32) {
	for i := range dst {
		dst[i] = float32(x[i]*a) * w[i]
	}
}
