package kernels

// MatMulI8 multiplies int8 activations by int8 weights, exactly:
//
//	acc[r*tiles*16 + n] = sum over k of x[r*xStride + k] * w[n, k]
//
// for r in [0, rows) and n in [0, tiles*16). The sum is taken modulo 2^32, so it is exact for
// k up to 131071 (128*128*k below 2^31).
//
// w is tiles of k columns in the int8 layout. A row of x must have room for k rounded up to a
// multiple of 4 columns; what stands past k does not matter, because the weights there are
// zero. rowSums[n] must be the sum of row n of w (see RowSumsI8): the VNNI code multiplies
// x+128, which is unsigned, and takes 128*rowSums[n] away again. That is exact for every int8;
// quantized activations are within [-127, 127].
func MatMulI8(acc []int32, x []int8, xStride, rows int, w []int8, tiles, k int, rowSums []int32) {
	checkShape("MatMulI8", rows, tiles, k)
	if rows == 0 || tiles == 0 {
		return
	}
	padded := groups(k) * groupI8
	checkStride("MatMulI8", "xStride", xStride, padded, rows)
	need("MatMulI8", "acc", len(acc), rows*tiles*TileRows)
	need("MatMulI8", "x", len(x), (rows-1)*xStride+padded)
	need("MatMulI8", "w", len(w), tiles*TileRows*padded)
	need("MatMulI8", "rowSums", len(rowSums), tiles*TileRows)
	matMulI8(acc, x, xStride, rows, w, tiles, k, rowSums)
}

// RowSumsI8 writes the sum of each row of w, tiles of k columns in the int8 layout, to
// dst[0:tiles*16].
func RowSumsI8(dst []int32, w []int8, tiles, k int) {
	checkShape("RowSumsI8", 0, tiles, k)
	tile := groups(k) * groupI8 * TileRows
	need("RowSumsI8", "dst", len(dst), tiles*TileRows)
	need("RowSumsI8", "w", len(w), tiles*tile)
	clear(dst[:tiles*TileRows])
	for i, v := range w[:tiles*tile] {
		dst[i/tile*TileRows+i/groupI8%TileRows] += int32(v)
	}
}

func matMulI8Generic(acc []int32, x []int8, xStride, rows int, w []int8, tiles, k int) {
	padded := groups(k) * groupI8
	for t := range tiles {
		tile := w[t*TileRows*padded:][:TileRows*padded]
		for r := range rows {
			out := (*[TileRows]int32)(acc[(r*tiles+t)*TileRows:])
			matVecTileI8(out, x[r*xStride:][:padded], tile)
		}
	}
}

// matVecTileI8 is one row of x times one tile.
func matVecTileI8(out *[TileRows]int32, x, tile []int8) {
	*out = [TileRows]int32{}
	for k := 0; k < len(x); k += groupI8 {
		x0, x1, x2, x3 := int32(x[k]), int32(x[k+1]), int32(x[k+2]), int32(x[k+3])
		w := (*[TileRows * groupI8]int8)(tile[k*TileRows:])
		for n := range out {
			out[n] += x0*int32(w[4*n]) + x1*int32(w[4*n+1]) +
				x2*int32(w[4*n+2]) + x3*int32(w[4*n+3])
		}
	}
}
