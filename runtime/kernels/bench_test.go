package kernels

import (
	"fmt"
	"testing"

	"moge/ir/dtype"
	"moge/runtime/cpu"
)

// benchN and benchK are the shape of a weight matrix of a large model.
const benchN, benchK = 4096, 4096

// benchBytes is how much weight a benchmark walks through before it comes back to the start:
// more than the last-level cache holds.
const benchBytes = 192 << 20

// eachISABench runs a benchmark under every level above the portable code, whose speed says
// nothing, unless there is no other.
func eachISABench(b *testing.B, run func(b *testing.B)) {
	defer func(before cpu.ISA) { active = before }(active)
	levels := cpu.Available()
	if len(levels) > 1 {
		levels = levels[1:]
	}
	for _, isa := range levels {
		active = isa
		b.Run(isa.String(), run)
	}
}

// report adds the rates of a step that reads bytes of weights and multiplies macs times.
func report(b *testing.B, bytes, macs int) {
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(bytes)*float64(b.N)/seconds/1e9, "GB/s")
	b.ReportMetric(float64(macs)*float64(b.N)/seconds/1e9, "GMAC/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkMatMulI8(b *testing.B) {
	size := MatrixBytes(dtype.I8, benchN, benchK)
	w := make([]int8, benchBytes/size*size)
	for i := range w {
		w[i] = int8(i)
	}
	sums := make([]int32, benchN)
	for _, rows := range []int{1, 4, 64} {
		x, acc := make([]int8, rows*benchK), make([]int32, rows*benchN)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			eachISABench(b, func(b *testing.B) {
				for i := range b.N {
					at := i * size % len(w)
					MatMulI8(acc, x, benchK, rows, w[at:at+size], benchN/16, benchK, sums)
				}
				report(b, size, rows*benchN*benchK)
			})
		})
	}
}

// BenchmarkMatMulI8Parallel is one product of one row on all workers, as decoding does it.
func BenchmarkMatMulI8Parallel(b *testing.B) {
	size := MatrixBytes(dtype.I8, benchN, benchK)
	w := make([]int8, benchBytes/size*size)
	for i := range w {
		w[i] = int8(i)
	}
	const tasks, tiles = 16, benchN / 16 / 16
	x, acc, sums := make([]int8, benchK), make([]int32, benchN), make([]int32, benchN)
	pool := cpu.NewPool(0)
	defer pool.Close()
	eachISABench(b, func(b *testing.B) {
		for i := range b.N {
			at := i * size % len(w)
			err := pool.Run(tasks, func(_, task int) {
				part := w[at+task*size/tasks:]
				MatMulI8(acc[task*tiles*16:], x, benchK, 1, part, tiles, benchK,
					sums[task*tiles*16:])
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		report(b, size, benchN*benchK)
	})
}

func BenchmarkMatMulFloat(b *testing.B) {
	for _, kernel := range floatKernels {
		size := MatrixBytes(kernel.dt, benchN, benchK)
		w := make([]byte, max(benchBytes/size, 1)*size)
		for i := range w {
			w[i] = byte(i) & 0x3f // also as the upper byte of a float: no NaN, no subnormal sum
		}
		for _, rows := range []int{1, 16} {
			x, dst := make([]float32, rows*benchK), make([]float32, rows*benchN)
			b.Run(fmt.Sprintf("%s/rows=%d", kernel.name, rows), func(b *testing.B) {
				eachISABench(b, func(b *testing.B) {
					for i := range b.N {
						at := i * size % len(w)
						kernel.run(dst, benchN, x, benchK, rows, w[at:at+size], benchN/16, benchK)
					}
					report(b, size, rows*benchN*benchK)
				})
			})
		}
	}
}

func BenchmarkVector(b *testing.B) {
	const n = 4096
	r := testRand(1)
	x, y, w, q := floats(r, n, false), floats(r, n, false), floats(r, n, false), make([]int8, n)
	h := halves(r, n)
	for _, c := range []struct {
		name  string
		bytes int
		run   func()
	}{
		{"DotF32", 8 * n, func() { DotF32(x, w) }},
		{"DotF16", 6 * n, func() { DotF16(x, h) }},
		{"DotI8F32", 5 * n, func() { DotI8F32(x, q) }},
		{"AxpyF32", 12 * n, func() { AxpyF32(y, 0, x) }},
		{"QuantizeRow", 9 * n, func() { QuantizeRow(q, x) }},
		{"RMSNorm", 16 * n, func() { RMSNorm(y, x, w, 1e-5) }},
		{"SwiGLU", 12 * n, func() { SwiGLU(y, x, w) }},
		{"Softmax", 16 * n, func() { Softmax(y) }},
		{"ArgMax", 8 * n, func() { ArgMax(x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			eachISABench(b, func(b *testing.B) {
				for range b.N {
					c.run()
				}
				report(b, c.bytes, n)
			})
		})
	}
}
