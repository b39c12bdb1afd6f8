package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"moge/runtime/cpu"
)

// FuzzVectorKernels runs the vector kernels on arbitrary bits under every level; all must give
// the bits of the portable code.
func FuzzVectorKernels(f *testing.F) {
	for _, n := range []int{0, 4, 60, 64, 68, 200, 516} {
		f.Add(Bytes(floats(testRand(uint64(n)), n, true)), uint32(0x3f800000))
	}
	f.Fuzz(func(t *testing.T, raw []byte, bits uint32) {
		x := Float32s(append([]byte(nil), raw[:len(raw)&^3]...))
		a := math.Float32frombits(bits)
		defer func(before cpu.ISA) { active = before }(active)
		active = cpu.Generic
		want := everyVectorKernel(x, a)
		for _, isa := range cpu.Available() {
			active = isa
			sameBits(t, isa.String(), everyVectorKernel(x, a), want)
		}
	})
}

// everyVectorKernel puts the results of all kernels over x one after another.
func everyVectorKernel(x []float32, a float32) []float32 {
	n := len(x)
	y, half := scaledCopy(x, a), n/2
	q := make([]int8, n)
	out := []float32{DotF32(x, y), QuantizeRow(q, x), float32(ArgMax(x)), DotI8F32(x, q)}
	AxpyI8(y, a, q)
	AxpyF32(y, a, x)
	out = append(out, y...)
	QuantizeRowStatic(q, y, a)
	for _, v := range q {
		out = append(out, float32(v))
	}
	Rotary(y[:2*half], x[:half], x[half:])
	out = append(out, y...)
	SwiGLU(y, x, y)
	out = append(out, y...)
	Softmax(y)
	out = append(out, y...)
	RMSNorm(y, x, x, a)
	return append(out, y...)
}

// scaledCopy is x times a in a slice of its own.
func scaledCopy(x []float32, a float32) []float32 {
	y := make([]float32, len(x))
	ScaleF32(y, x, a)
	return y
}

// FuzzMatMul draws products of any shape; all levels must give the bits of the definition.
func FuzzMatMul(f *testing.F) {
	f.Add(uint64(1), uint8(1), uint8(1), uint8(1))
	f.Add(uint64(2), uint8(6), uint8(4), uint8(64))
	f.Add(uint64(3), uint8(11), uint8(7), uint8(33))
	f.Fuzz(func(t *testing.T, seed uint64, rows, tiles, k uint8) {
		s := productShape{1 + int(rows%20), 1 + int(tiles%12), int(k)}
		defer func(before cpu.ISA) { active = before }(active)
		for _, isa := range cpu.Available() {
			active = isa
			r := rand.New(rand.NewPCG(seed, 1))
			checkMatMulI8(t, r, s)
			for _, kernel := range floatKernels {
				checkMatMulFloat(t, r, kernel, s, seed%2 == 0)
			}
		}
	})
}
