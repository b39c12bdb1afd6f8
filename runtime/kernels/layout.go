package kernels

import (
	"fmt"

	"moge/ir/dtype"
)

// TileRows is the number of output rows (N) in one weight tile: one 512-bit register of
// 32-bit lanes.
const TileRows = 16

// groupI8 is how many columns (K) of int8 stand together: one 32-bit lane.
const groupI8 = 4

// A weight matrix [N, K] is stored as ceil(N/16) tiles of 16 rows one after another, missing
// rows being zero, so that any range of tiles is a matrix too. Within a tile:
//
//	int8         [ceil(K/4)][16 rows][4 columns]   columns past K are zero
//	f32,bf16,f16 [K][16 rows]
//
// so that one vector holds the 16 rows at one column, or at four for int8.

// Tiles is the number of tiles that hold n rows.
func Tiles(n int) int { return (n + TileRows - 1) / TileRows }

// TileColumns is the number of columns stored for k columns: k rounded up to a multiple of 4
// for int8, else k.
func TileColumns(dt dtype.Type, k int) int {
	if dt == dtype.I8 {
		return groups(k) * groupI8
	}
	return k
}

// TileBytes is the size in bytes of one tile of k columns. dt is I8, F32, BF16 or F16.
func TileBytes(dt dtype.Type, k int) int {
	return TileColumns(dt, k) * TileRows * elementBytes(dt)
}

// MatrixBytes is the size in bytes of an [n, k] matrix in tiles.
func MatrixBytes(dt dtype.Type, n, k int) int { return Tiles(n) * TileBytes(dt, k) }

func groups(k int) int { return (k + groupI8 - 1) / groupI8 }

func elementBytes(dt dtype.Type) int {
	switch dt {
	case dtype.I8:
		return 1
	case dtype.BF16, dtype.F16:
		return 2
	case dtype.F32:
		return 4
	}
	panic(fmt.Sprintf("BUG: no tile layout for %v", dt))
}

// PackTile stores up to 16 rows of k elements, row-major in src [rows, k], as one tile in
// dst; missing rows and columns become zero bytes. dst must have TileBytes(dt, k) bytes.
func PackTile(dt dtype.Type, dst, src []byte, rows, k int) {
	checkTile("PackTile", dt, dst, src, rows, k)
	clear(dst[:TileBytes(dt, k)])
	size := elementBytes(dt)
	for row := range rows {
		for col := range k {
			at := tileOffset(dt, row, col)
			copy(dst[at:at+size], src[(row*k+col)*size:])
		}
	}
}

// UnpackTile is the inverse of PackTile: it writes the first rows rows of the tile in src to
// dst [rows, k], row-major.
func UnpackTile(dt dtype.Type, dst, src []byte, rows, k int) {
	checkTile("UnpackTile", dt, src, dst, rows, k)
	size := elementBytes(dt)
	for row := range rows {
		for col := range k {
			at := tileOffset(dt, row, col)
			copy(dst[(row*k+col)*size:][:size], src[at:])
		}
	}
}

// tileOffset is the byte offset of an element within its tile.
func tileOffset(dt dtype.Type, row, col int) int {
	if dt == dtype.I8 {
		return (col/groupI8*TileRows+row)*groupI8 + col%groupI8
	}
	return (col*TileRows + row) * elementBytes(dt)
}

func checkTile(name string, dt dtype.Type, tile, flat []byte, rows, k int) {
	if rows < 0 || rows > TileRows || k < 0 {
		panic(fmt.Sprintf("BUG: %s: %d rows of %d columns", name, rows, k))
	}
	need(name, "tile", len(tile), TileBytes(dt, k))
	need(name, "matrix", len(flat), rows*k*elementBytes(dt))
}

// Pack stores the row-major matrix src [n, k] in tiles. dst must have MatrixBytes(dt, n, k)
// bytes.
func Pack(dt dtype.Type, dst, src []byte, n, k int) {
	need("Pack", "dst", len(dst), MatrixBytes(dt, n, k))
	forTiles(dt, n, k, func(tile, flat, rows int) {
		PackTile(dt, dst[tile:], src[flat:], rows, k)
	})
}

// Unpack is the inverse of Pack.
func Unpack(dt dtype.Type, dst, src []byte, n, k int) {
	need("Unpack", "src", len(src), MatrixBytes(dt, n, k))
	forTiles(dt, n, k, func(tile, flat, rows int) {
		UnpackTile(dt, dst[flat:], src[tile:], rows, k)
	})
}

// forTiles calls fn with the byte offset of each tile, that of its first row in the row-major
// matrix, and its number of rows.
func forTiles(dt dtype.Type, n, k int, fn func(tile, flat, rows int)) {
	for t := range Tiles(n) {
		first := t * TileRows
		fn(t*TileBytes(dt, k), first*k*elementBytes(dt), min(TileRows, n-first))
	}
}

// PackTileI8 is PackTile for int8.
func PackTileI8(dst, src []byte, rows, k int) { PackTile(dtype.I8, dst, src, rows, k) }

// UnpackTileI8 is UnpackTile for int8.
func UnpackTileI8(dst, src []byte, rows, k int) { UnpackTile(dtype.I8, dst, src, rows, k) }

// PackTile16 is PackTile for bf16 and f16.
func PackTile16(dst, src []byte, rows, k int) { PackTile(dtype.BF16, dst, src, rows, k) }

// UnpackTile16 is UnpackTile for bf16 and f16.
func UnpackTile16(dst, src []byte, rows, k int) { UnpackTile(dtype.BF16, dst, src, rows, k) }

// PackTile32 is PackTile for f32.
func PackTile32(dst, src []byte, rows, k int) { PackTile(dtype.F32, dst, src, rows, k) }

// UnpackTile32 is UnpackTile for f32.
func UnpackTile32(dst, src []byte, rows, k int) { UnpackTile(dtype.F32, dst, src, rows, k) }
