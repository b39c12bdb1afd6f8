package kernels

import "moge/ir/dtype"

// AxpyF32 adds a multiple of x: y[i] = y[i] + a*x[i], the product rounded. y and x must have
// equal lengths and be the same slice or apart.
func AxpyF32(y []float32, a float32, x []float32) {
	need("AxpyF32", "x", len(x), len(y))
	axpyF32(y, a, x[:len(y)])
}

// AxpyF16 is AxpyF32 with x in f16, widened exactly.
func AxpyF16(y []float32, a float32, x []uint16) {
	need("AxpyF16", "x", len(x), len(y))
	axpyF16(y, a, x[:len(y)])
}

// AxpyI8 is AxpyF32 with x in int8, converted exactly. The caller puts x's scale into a.
func AxpyI8(y []float32, a float32, x []int8) {
	need("AxpyI8", "x", len(x), len(y))
	axpyI8(y, a, x[:len(y)])
}

func axpyF32Generic(y []float32, a float32, x []float32) {
	for i, v := range x {
		y[i] += float32(a * v)
	}
}

func axpyF16Generic(y []float32, a float32, x []uint16) {
	for i, v := range x {
		y[i] += float32(a * dtype.F16ToF32(v))
	}
}

func axpyI8Generic(y []float32, a float32, x []int8) {
	for i, v := range x {
		y[i] += float32(a * float32(v))
	}
}
