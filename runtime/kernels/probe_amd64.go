//go:build !purego

package kernels

import "moge/runtime/cpu"

// xorKernels is by the number of streams.
var xorKernels = [...]map[int]func(p *byte, stride, n, ahead int) uint32{
	cpu.AVX2: {1: xorStreams1AVX2, 2: xorStreams2AVX2, 4: xorStreams4AVX2, 8: xorStreams8AVX2},
	cpu.AVX512: {1: xorStreams1AVX512, 2: xorStreams2AVX512, 4: xorStreams4AVX512,
		8: xorStreams8AVX512},
}

func xorStreams(data []byte, streams, ahead int) uint32 {
	if active == cpu.Generic {
		return xorGeneric(data)
	}
	n := len(data) / streams
	return xorKernels[active][streams](at(data), n, n, ahead)
}

func multiplyOnes(rounds int) uint32 {
	switch active {
	case cpu.AVX512:
		return multiplyOnesAVX512(rounds)
	case cpu.AVX2:
		return multiplyOnesAVX2(rounds)
	}
	return multiplyOnesGeneric(rounds)
}

func onesPerRound() int {
	switch active {
	case cpu.AVX512:
		return 24 * 64 // sums of 16 lanes, 4 products each
	case cpu.AVX2:
		return 8 * 16 // sums of 8 lanes, 2 products each
	}
	return TileRows * onesDepth
}
