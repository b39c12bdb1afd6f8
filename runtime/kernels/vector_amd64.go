//go:build !purego

package kernels

import (
	"unsafe"

	"moge/runtime/cpu"
)

// whole is how many of n elements the assembly of an elementwise kernel takes, a multiple of
// 16; the portable code does the rest.
func whole(n int) int { return n &^ (TileRows - 1) }

// at is the address of the first element, also of an empty slice.
func at[T any](s []T) *T { return unsafe.SliceData(s) }

func addF32(dst, a, b []float32) {
	n := whole(len(dst))
	switch active {
	case cpu.AVX512:
		addF32AVX512(at(dst), at(a), at(b), n)
	case cpu.AVX2:
		addF32AVX2(at(dst), at(a), at(b), n)
	default:
		n = 0
	}
	addF32Generic(dst[n:], a[n:], b[n:])
}

func mulF32(dst, a, b []float32) {
	n := whole(len(dst))
	switch active {
	case cpu.AVX512:
		mulF32AVX512(at(dst), at(a), at(b), n)
	case cpu.AVX2:
		mulF32AVX2(at(dst), at(a), at(b), n)
	default:
		n = 0
	}
	mulF32Generic(dst[n:], a[n:], b[n:])
}

func scaleF32(dst, x []float32, a float32) {
	n := whole(len(dst))
	switch active {
	case cpu.AVX512:
		scaleF32AVX512(at(dst), at(x), a, n)
	case cpu.AVX2:
		scaleF32AVX2(at(dst), at(x), a, n)
	default:
		n = 0
	}
	scaleF32Generic(dst[n:], x[n:], a)
}

func divF32(x []float32, a float32) {
	n := whole(len(x))
	switch active {
	case cpu.AVX512:
		divF32AVX512(at(x), a, n)
	case cpu.AVX2:
		divF32AVX2(at(x), a, n)
	default:
		n = 0
	}
	divF32Generic(x[n:], a)
}

func scaleMul(dst, x []float32, a float32, w []float32) {
	n := whole(len(dst))
	switch active {
	case cpu.AVX512:
		scaleMulAVX512(at(dst), at(x), a, at(w), n)
	case cpu.AVX2:
		scaleMulAVX2(at(dst), at(x), a, at(w), n)
	default:
		n = 0
	}
	scaleMulGeneric(dst[n:], x[n:], a, w[n:])
}

func dequant(dst []float32, acc []int32, xs float32, ws []float32) {
	n := whole(len(dst))
	switch active {
	case cpu.AVX512:
		dequantAVX512(at(dst), at(acc), xs, at(ws), n)
	case cpu.AVX2:
		dequantAVX2(at(dst), at(acc), xs, at(ws), n)
	default:
		n = 0
	}
	dequantGeneric(dst[n:], acc[n:], xs, ws[n:])
}

func rotary(lo, hi, cos, sin []float32) {
	n := whole(len(lo))
	switch active {
	case cpu.AVX512:
		rotaryAVX512(at(lo), at(hi), at(cos), at(sin), n)
	case cpu.AVX2:
		rotaryAVX2(at(lo), at(hi), at(cos), at(sin), n)
	default:
		n = 0
	}
	rotaryGeneric(lo[n:], hi[n:], cos[n:], sin[n:])
}
