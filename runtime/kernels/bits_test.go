package kernels

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"testing"

	"moge/ir/dtype"
)

// goldenBits is the hash of the results below. It is one number for all machines: a machine
// whose compiler fuses a product with a sum, or orders a sum differently, gives another.
const goldenBits = 0x761fd5cbd3c976c2

func TestResultsAreTheSameOnEveryMachine(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		sum := fnv.New64a()
		for _, v := range append(everyVectorKernel(plainFloats(517), 0.7), everyProduct()...) {
			if v != v {
				t.Fatal("a result is NaN, whose bits are open")
			}
			_ = binary.Write(sum, binary.LittleEndian, math.Float32bits(v))
		}
		if got := sum.Sum64(); got != goldenBits {
			t.Errorf("hash %#x, want %#x", got, uint64(goldenBits))
		}
	})
}

// plainFloats are the same numbers on every machine: no function of package math but exact
// ones.
func plainFloats(n int) []float32 {
	x, state := make([]float32, n), uint32(1)
	for i := range x {
		state = state*1664525 + 1013904223
		x[i] = float32(int32(state)>>8) / (1 << 21)
	}
	return x
}

// everyProduct is the results of the float products for 5 rows, 5 tiles and 67 columns.
func everyProduct() []float32 {
	const rows, tiles, k = 5, 5, 67
	var out []float32
	x := plainFloats(rows * k)
	for _, kernel := range floatKernels {
		values := plainFloats(tiles * TileRows * k)
		flat := make([]byte, len(values)*elementBytes(kernel.dt))
		if kernel.dt == dtype.I8 {
			for i, v := range values {
				flat[i] = byte(int8(v * 31))
			}
		} else {
			dtype.Encode(kernel.dt, flat, values)
		}
		w := make([]byte, MatrixBytes(kernel.dt, tiles*TileRows, k))
		Pack(kernel.dt, w, flat, tiles*TileRows, k)
		dst := make([]float32, rows*tiles*TileRows)
		kernel.run(dst, tiles*TileRows, x, k, rows, w, tiles, k)
		out = append(out, dst...)
	}
	return out
}
