package kernels

import (
	"encoding/binary"
	"fmt"
)

// xorRound is how many bytes of each stream XorStreams may read at a time: lengths are multiples
// of it.
const xorRound = 512

// XorStreams reads data as fast as it can and returns the exclusive or of its little-endian
// 4-byte words. It goes through streams equal parts of data side by side and asks for each line
// ahead bytes before it reads it. streams must be 1, 2, 4 or 8, and data a multiple of 512 bytes
// for each of them. The sum is the same for every level.
func XorStreams(data []byte, streams, ahead int) uint32 {
	if streams != 1 && streams != 2 && streams != 4 && streams != 8 || ahead < 0 ||
		len(data)%(xorRound*streams) != 0 {
		panic(fmt.Sprintf("BUG: XorStreams: %d bytes in %d streams, %d ahead", len(data), streams, ahead))
	}
	if len(data) == 0 {
		return 0
	}
	return xorStreams(data, streams, ahead)
}

// xorGeneric needs no streams: the compiler's code is slower than one.
func xorGeneric(data []byte) uint32 {
	var sum uint64
	for i := 0; i < len(data); i += 8 {
		sum ^= binary.LittleEndian.Uint64(data[i:])
	}
	return uint32(sum) ^ uint32(sum>>32)
}

// MultiplyOnes does rounds times OnesPerRound multiply-adds of int8, with the instructions of
// MatMulI8 and without any memory, and returns their sum modulo 2^32. Every product is 1, so the
// sum is their number.
func MultiplyOnes(rounds int) uint32 {
	if rounds < 1 {
		return 0
	}
	return multiplyOnes(rounds)
}

// OnesPerRound is how many multiply-adds a round of MultiplyOnes has at the level in use.
func OnesPerRound() int { return onesPerRound() }

// onesDepth is how many products each sum of a portable round has.
const onesDepth = 64

func multiplyOnesGeneric(rounds int) (sum uint32) {
	var x [onesDepth]int8
	var w [onesDepth * TileRows]int8
	for i := range w {
		w[i], x[i%onesDepth] = 1, 1
	}
	var out [TileRows]int32
	for range rounds {
		matVecTileI8(&out, x[:], w[:])
		for _, v := range out {
			sum += uint32(v)
		}
	}
	return sum
}
