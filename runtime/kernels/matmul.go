package kernels

import (
	"fmt"

	"moge/ir/dtype"
)

// MatMulF32 multiplies f32 activations by f32 weights:
//
//	acc = 0; for k ascending: acc = acc + x[r*xStride + k] * w[n, k]
//	dst[r*dstStride + n] = acc
//
// for r in [0, rows) and n in [0, tiles*16); every product and every sum is rounded. w is
// tiles of k columns in the f32 layout. All tiles*16 columns of a row of dst are written.
func MatMulF32(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []float32, tiles, k int) {
	if checkMatMul("MatMulF32", dst, dstStride, x, xStride, rows, len(w), tiles, k, k) {
		matMulF32(dst, dstStride, x, xStride, rows, w, tiles, k)
	}
}

// MatMulBF16 is MatMulF32 with weights in bf16, widened exactly.
func MatMulBF16(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	if checkMatMul("MatMulBF16", dst, dstStride, x, xStride, rows, len(w), tiles, k, k) {
		matMulBF16(dst, dstStride, x, xStride, rows, w, tiles, k)
	}
}

// MatMulF16 is MatMulF32 with weights in f16, widened exactly, subnormals included.
func MatMulF16(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	if checkMatMul("MatMulF16", dst, dstStride, x, xStride, rows, len(w), tiles, k, k) {
		matMulF16(dst, dstStride, x, xStride, rows, w, tiles, k)
	}
}

// MatMulW8 is MatMulF32 with weights in int8 (the int8 layout), converted exactly. The
// weights' scales are applied afterwards, by ScaleBias. A row of x has k columns.
func MatMulW8(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []int8, tiles, k int) {
	if checkMatMul("MatMulW8", dst, dstStride, x, xStride, rows, len(w), tiles, k,
		groups(k)*groupI8) {
		matMulW8(dst, dstStride, x, xStride, rows, w, tiles, k)
	}
}

// checkMatMul panics unless the slices of a float product are long enough, and reports whether
// there is anything to write; stored is the columns of a tile.
func checkMatMul(name string, dst []float32, dstStride int, x []float32, xStride, rows,
	wLen, tiles, k, stored int) bool {
	checkShape(name, rows, tiles, k)
	if rows == 0 || tiles == 0 {
		return false
	}
	checkStride(name, "dstStride", dstStride, tiles*TileRows, rows)
	checkStride(name, "xStride", xStride, k, rows)
	need(name, "dst", len(dst), (rows-1)*dstStride+tiles*TileRows)
	need(name, "x", len(x), (rows-1)*xStride+k)
	need(name, "w", wLen, tiles*TileRows*stored)
	return true
}

func checkShape(name string, rows, tiles, k int) {
	if rows < 0 || tiles < 0 || k < 0 {
		panic(fmt.Sprintf("BUG: %s: %d rows, %d tiles, %d columns", name, rows, tiles, k))
	}
}

// checkStride panics if rows overlap or run backwards.
func checkStride(kernel, name string, stride, width, rows int) {
	if rows > 1 && stride < width {
		panic(fmt.Sprintf("BUG: %s: %s is %d, a row is %d", kernel, name, stride, width))
	}
}

// lanes is one value for each row of a tile.
type lanes = [TileRows]float32

func matMulF32Generic(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []float32, tiles, k int) {
	matMulGeneric(dst, dstStride, x, xStride, rows, tiles, k, func(out *lanes, t, col int) {
		copy(out[:], w[(t*k+col)*TileRows:])
	})
}

func matMulBF16Generic(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	matMulGeneric(dst, dstStride, x, xStride, rows, tiles, k, func(out *lanes, t, col int) {
		for n, v := range w[(t*k+col)*TileRows:][:TileRows] {
			out[n] = dtype.BF16ToF32(v)
		}
	})
}

func matMulF16Generic(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	matMulGeneric(dst, dstStride, x, xStride, rows, tiles, k, func(out *lanes, t, col int) {
		for n, v := range w[(t*k+col)*TileRows:][:TileRows] {
			out[n] = dtype.F16ToF32(v)
		}
	})
}

func matMulW8Generic(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []int8, tiles, k int) {
	tile := groups(k) * groupI8 * TileRows
	matMulGeneric(dst, dstStride, x, xStride, rows, tiles, k, func(out *lanes, t, col int) {
		group := w[t*tile+col/groupI8*groupI8*TileRows:]
		for n := range out {
			out[n] = float32(group[n*groupI8+col%groupI8])
		}
	})
}

// matMulGeneric widens each column of each tile once and adds it to all rows of dst; an
// element of dst still sees its columns in ascending order.
func matMulGeneric(dst []float32, dstStride int, x []float32, xStride, rows, tiles, k int,
	widen func(out *lanes, tile, col int)) {
	for r := range rows {
		clear(dst[r*dstStride:][:tiles*TileRows])
	}
	var w lanes
	for t := range tiles {
		for col := range k {
			widen(&w, t, col)
			for r := range rows {
				axpyTile((*lanes)(dst[r*dstStride+t*TileRows:]), x[r*xStride+col], &w)
			}
		}
	}
}

func axpyTile(acc *lanes, x float32, w *lanes) {
	for n := range acc {
		acc[n] += float32(x * w[n])
	}
}
