package kernels

import (
	"testing"

	"moge/ir/dtype"
)

// TestShortSlicesAreBugs calls each kernel with one slice an element too short, which must
// panic before memory is touched.
func TestShortSlicesAreBugs(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	h := func(n int) []uint16 { return make([]uint16, n) }
	b := func(n int) []int8 { return make([]int8, n) }
	i := func(n int) []int32 { return make([]int32, n) }
	for message, fn := range map[string]func(){
		"AddF32: a has 1 elements, needs 2":              func() { AddF32(f(2), f(1), f(2)) },
		"AddF32: b has 1 elements, needs 2":              func() { AddF32(f(2), f(2), f(1)) },
		"MulF32: a has 1 elements, needs 2":              func() { MulF32(f(2), f(1), f(2)) },
		"MulF32: b has 1 elements, needs 2":              func() { MulF32(f(2), f(2), f(1)) },
		"ScaleF32: x has 1 elements, needs 2":            func() { ScaleF32(f(2), f(1), 1) },
		"Dequant: acc has 1 elements, needs 2":           func() { Dequant(f(2), i(1), 1, f(2), nil) },
		"Dequant: ws has 1 elements, needs 2":            func() { Dequant(f(2), i(2), 1, f(1), nil) },
		"DotF32: b has 1 elements, needs 2":              func() { DotF32(f(2), f(1)) },
		"DotF16: b has 1 elements, needs 2":              func() { DotF16(f(2), h(1)) },
		"DotI8F32: b has 1 elements, needs 2":            func() { DotI8F32(f(2), b(1)) },
		"AxpyF32: x has 1 elements, needs 2":             func() { AxpyF32(f(2), 1, f(1)) },
		"AxpyF16: x has 1 elements, needs 2":             func() { AxpyF16(f(2), 1, h(1)) },
		"AxpyI8: x has 1 elements, needs 2":              func() { AxpyI8(f(2), 1, b(1)) },
		"QuantizeRow: dst has 1 elements, needs 2":       func() { QuantizeRow(b(1), f(2)) },
		"QuantizeRowStatic: dst has 1 elements, needs 2": func() { QuantizeRowStatic(b(1), f(2), 1) },
		"SwiGLU: gate has 1 elements, needs 2":           func() { SwiGLU(f(2), f(1), f(2)) },
		"SwiGLU: up has 1 elements, needs 2":             func() { SwiGLU(f(2), f(2), f(1)) },
		"RMSNorm: x has 1 elements, needs 2":             func() { RMSNorm(f(2), f(1), f(2), 1) },
		"RMSNorm: w has 1 elements, needs 2":             func() { RMSNorm(f(2), f(2), f(1), 1) },
		"AddRMSNorm: sum has 1 elements, needs 2": func() {
			AddRMSNorm(f(1), f(2), f(2), f(2), f(2), 1)
		},
		"Rotary: cos has 0 elements, needs 1":      func() { Rotary(f(2), f(0), f(1)) },
		"Rotary: sin has 0 elements, needs 1":      func() { Rotary(f(2), f(1), f(0)) },
		"Rotary: head of 3 elements":               func() { Rotary(f(3), f(2), f(2)) },
		"RowSumsI8: dst has 15 elements, needs 16": func() { RowSumsI8(i(15), b(64), 1, 3) },
		"RowSumsI8: w has 63 elements, needs 64":   func() { RowSumsI8(i(16), b(63), 1, 3) },
		"PackTile: tile has 63 elements, needs 64": func() {
			PackTile(dtype.I8, make([]byte, 63), make([]byte, 4), 1, 4)
		},
		"UnpackTile: matrix has 3 elements, needs 4": func() {
			UnpackTile(dtype.I8, make([]byte, 3), make([]byte, 64), 1, 4)
		},
		"PackTile: 17 rows of 1 columns": func() { PackTile(dtype.I8, nil, nil, 17, 1) },
		"no tile layout for i64":         func() { TileBytes(dtype.I64, 1) },
		"Pack: dst has 63 elements, needs 64": func() {
			Pack(dtype.I8, make([]byte, 63), make([]byte, 4), 1, 4)
		},
		"Unpack: src has 63 elements, needs 64": func() {
			Unpack(dtype.I8, make([]byte, 4), make([]byte, 63), 1, 4)
		},
	} {
		t.Run(message, func(t *testing.T) { wantBug(t, "BUG: "+message, fn) })
	}
}

// TestShortMatricesAreBugs does the same for the products, of 2 rows, 2 tiles and 5 columns.
func TestShortMatricesAreBugs(t *testing.T) {
	i8 := func(acc, x, stride, w, sums int) func() {
		return func() {
			MatMulI8(make([]int32, acc), make([]int8, x), stride, 2, make([]int8, w), 2, 5,
				make([]int32, sums))
		}
	}
	f := func(dst, dstStride, x, xStride, w int) func() {
		return func() {
			MatMulF32(make([]float32, dst), dstStride, make([]float32, x), xStride, 2,
				make([]float32, w), 2, 5)
		}
	}
	for message, fn := range map[string]func(){
		"MatMulI8: acc has 63 elements, needs 64":     i8(63, 16, 8, 256, 32),
		"MatMulI8: x has 15 elements, needs 16":       i8(64, 15, 8, 256, 32),
		"MatMulI8: xStride is 7, a row is 8":          i8(64, 16, 7, 256, 32),
		"MatMulI8: w has 255 elements, needs 256":     i8(64, 16, 8, 255, 32),
		"MatMulI8: rowSums has 31 elements, needs 32": i8(64, 16, 8, 256, 31),
		"MatMulF32: dst has 63 elements, needs 64":    f(63, 32, 10, 5, 160),
		"MatMulF32: dstStride is 31, a row is 32":     f(64, 31, 10, 5, 160),
		"MatMulF32: x has 9 elements, needs 10":       f(64, 32, 9, 5, 160),
		"MatMulF32: xStride is 4, a row is 5":         f(64, 32, 10, 4, 160),
		"MatMulF32: w has 159 elements, needs 160":    f(64, 32, 10, 5, 159),
		"MatMulW8: w has 127 elements, needs 128": func() {
			MatMulW8(make([]float32, 16), 16, make([]float32, 5), 5, 1, make([]int8, 127), 1, 5)
		},
		"MatMulBF16: -1 rows, 1 tiles, 1 columns": func() {
			MatMulBF16(nil, 16, nil, 1, -1, nil, 1, 1)
		},
		"MatMulF16: 1 rows, -1 tiles, 1 columns": func() {
			MatMulF16(nil, 16, nil, 1, 1, nil, -1, 1)
		},
		"MatMulI8: 1 rows, 1 tiles, -1 columns": func() {
			MatMulI8(nil, nil, 16, 1, nil, 1, -1, nil)
		},
	} {
		t.Run(message, func(t *testing.T) { wantBug(t, "BUG: "+message, fn) })
	}
}
