//go:build !purego

package kernels

import "moge/runtime/cpu"

func axpyF32(y []float32, a float32, x []float32) {
	n := whole(len(y))
	switch active {
	case cpu.AVX512:
		axpyF32AVX512(at(y), a, at(x), n)
	case cpu.AVX2:
		axpyF32AVX2(at(y), a, at(x), n)
	default:
		n = 0
	}
	axpyF32Generic(y[n:], a, x[n:])
}

func axpyF16(y []float32, a float32, x []uint16) {
	n := whole(len(y))
	switch active {
	case cpu.AVX512:
		axpyF16AVX512(at(y), a, at(x), n)
	case cpu.AVX2:
		axpyF16AVX2(at(y), a, at(x), n)
	default:
		n = 0
	}
	axpyF16Generic(y[n:], a, x[n:])
}

func axpyI8(y []float32, a float32, x []int8) {
	n := whole(len(y))
	switch active {
	case cpu.AVX512:
		axpyI8AVX512(at(y), a, at(x), n)
	case cpu.AVX2:
		axpyI8AVX2(at(y), a, at(x), n)
	default:
		n = 0
	}
	axpyI8Generic(y[n:], a, x[n:])
}
