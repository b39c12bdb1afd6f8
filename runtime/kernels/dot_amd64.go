//go:build !purego

package kernels

import "moge/runtime/cpu"

func dotF32(a, b []float32) float32 {
	switch active {
	case cpu.AVX512:
		return dotF32AVX512(at(a), at(b), len(a))
	case cpu.AVX2:
		return dotF32AVX2(at(a), at(b), len(a))
	}
	return dotF32Generic(a, b)
}

// The kernels for f16 and int8 take whole vectors, which the heads of a model are.

func dotF16(a []float32, b []uint16) float32 {
	switch {
	case whole(len(a)) != len(a):
	case active == cpu.AVX512:
		return dotF16AVX512(at(a), at(b), len(a))
	case active == cpu.AVX2:
		return dotF16AVX2(at(a), at(b), len(a))
	}
	return dotF16Generic(a, b)
}

func dotI8F32(a []float32, b []int8) float32 {
	switch {
	case whole(len(a)) != len(a):
	case active == cpu.AVX512:
		return dotI8F32AVX512(at(a), at(b), len(a))
	case active == cpu.AVX2:
		return dotI8F32AVX2(at(a), at(b), len(a))
	}
	return dotI8F32Generic(a, b)
}
