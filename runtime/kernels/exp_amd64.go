//go:build !purego

package kernels

import "moge/runtime/cpu"

func swiGLU(dst, gate, up []float32) {
	n := whole(len(dst))
	switch active {
	case cpu.AVX512:
		swiGLUAVX512(at(dst), at(gate), at(up), n)
	case cpu.AVX2:
		swiGLUAVX2(at(dst), at(gate), at(up), n)
	default:
		n = 0
	}
	swiGLUGeneric(dst[n:], gate[n:], up[n:])
}

func maxF32(x []float32) float32 {
	n := whole(len(x))
	var largest float32
	switch active {
	case cpu.AVX512:
		largest = maxF32AVX512(at(x), n)
	case cpu.AVX2:
		largest = maxF32AVX2(at(x), n)
	default:
		return maxF32Generic(x)
	}
	if rest := maxF32Generic(x[n:]); rest > largest {
		return rest
	}
	return largest
}

func expSum(x []float32, shift float32) float32 {
	n := whole(len(x))
	var sum lanes
	switch active {
	case cpu.AVX512:
		expLanesAVX512(at(x), shift, &sum, n)
	case cpu.AVX2:
		expLanesAVX2(at(x), shift, &sum, n)
	default:
		n = 0
	}
	expLanes(x[n:], shift, &sum)
	return reduceLanes(&sum)
}
