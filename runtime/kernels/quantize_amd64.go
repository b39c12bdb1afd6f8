//go:build !purego

package kernels

import "moge/runtime/cpu"

func maxAbsBits(x []float32) uint32 {
	n, largest := whole(len(x)), uint32(0)
	switch active {
	case cpu.AVX512:
		largest = maxAbsBitsAVX512(at(x), n)
	case cpu.AVX2:
		largest = maxAbsBitsAVX2(at(x), n)
	default:
		n = 0
	}
	return max(largest, maxAbsBitsGeneric(x[n:]))
}

func quantize(dst []int8, x []float32, inv float32) {
	n := whole(len(x))
	switch active {
	case cpu.AVX512:
		quantizeAVX512(at(dst), at(x), inv, n)
	case cpu.AVX2:
		quantizeAVX2(at(dst), at(x), inv, n)
	default:
		n = 0
	}
	quantizeGeneric(dst[n:], x[n:], inv)
}
