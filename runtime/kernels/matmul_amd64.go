//go:build !purego

package kernels

import "moge/runtime/cpu"

// floatBlock is a kernel that multiplies a fixed number of rows of x by a fixed number of
// tiles of w.
type floatBlock struct {
	rows, tiles int
	run         func(dst *float32, dstStride int, x *float32, xStride int, w *byte,
		tileBytes, k int)
}

// The blocks of each kind of weight, in order of preference: the first that fits the rows and
// tiles at hand sets how many tiles are taken together.
type floatBlocks [cpu.AVX512 + 1][]floatBlock

var (
	f32Blocks = floatBlocks{
		cpu.AVX2: {{4, 1, matMulF32Rows4Tiles1AVX2}, {1, 4, matMulF32Rows1Tiles4AVX2},
			{1, 1, matMulF32Rows1Tiles1AVX2}},
		cpu.AVX512: {{4, 4, matMulF32Rows4Tiles4AVX512}, {1, 4, matMulF32Rows1Tiles4AVX512},
			{4, 1, matMulF32Rows4Tiles1AVX512}, {1, 1, matMulF32Rows1Tiles1AVX512}},
	}
	bf16Blocks = floatBlocks{
		cpu.AVX2: {{4, 1, matMulBF16Rows4Tiles1AVX2}, {1, 4, matMulBF16Rows1Tiles4AVX2},
			{1, 1, matMulBF16Rows1Tiles1AVX2}},
		cpu.AVX512: {{4, 4, matMulBF16Rows4Tiles4AVX512}, {1, 4, matMulBF16Rows1Tiles4AVX512},
			{4, 1, matMulBF16Rows4Tiles1AVX512}, {1, 1, matMulBF16Rows1Tiles1AVX512}},
	}
	f16Blocks = floatBlocks{
		cpu.AVX2: {{4, 1, matMulF16Rows4Tiles1AVX2}, {1, 4, matMulF16Rows1Tiles4AVX2},
			{1, 1, matMulF16Rows1Tiles1AVX2}},
		cpu.AVX512: {{4, 4, matMulF16Rows4Tiles4AVX512}, {1, 4, matMulF16Rows1Tiles4AVX512},
			{4, 1, matMulF16Rows4Tiles1AVX512}, {1, 1, matMulF16Rows1Tiles1AVX512}},
	}
	w8Blocks = floatBlocks{
		cpu.AVX2: {{4, 1, matMulW8Rows4Tiles1AVX2}, {1, 4, matMulW8Rows1Tiles4AVX2},
			{1, 1, matMulW8Rows1Tiles1AVX2}},
		cpu.AVX512: {{4, 4, matMulW8Rows4Tiles4AVX512}, {1, 4, matMulW8Rows1Tiles4AVX512},
			{4, 1, matMulW8Rows4Tiles1AVX512}, {1, 1, matMulW8Rows1Tiles1AVX512}},
	}
)

func matMulF32(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []float32, tiles, k int) {
	if active == cpu.Generic {
		matMulF32Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
		return
	}
	p := floatProduct{dst: dst, dstStride: dstStride, x: x, xStride: xStride, rows: rows,
		w: Bytes(w), tileBytes: 4 * TileRows * k, tiles: tiles, k: k}
	p.run(f32Blocks[active])
}

func matMulBF16(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	if active == cpu.Generic {
		matMulBF16Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
		return
	}
	p := floatProduct{dst: dst, dstStride: dstStride, x: x, xStride: xStride, rows: rows,
		w: Bytes(w), tileBytes: 2 * TileRows * k, tiles: tiles, k: k}
	p.run(bf16Blocks[active])
}

func matMulF16(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	if active == cpu.Generic {
		matMulF16Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
		return
	}
	p := floatProduct{dst: dst, dstStride: dstStride, x: x, xStride: xStride, rows: rows,
		w: Bytes(w), tileBytes: 2 * TileRows * k, tiles: tiles, k: k}
	p.run(f16Blocks[active])
}

func matMulW8(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []int8, tiles, k int) {
	if active == cpu.Generic {
		matMulW8Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
		return
	}
	p := floatProduct{dst: dst, dstStride: dstStride, x: x, xStride: xStride, rows: rows,
		w: Bytes(w), tileBytes: groupI8 * TileRows * groups(k), tiles: tiles, k: k}
	p.run(w8Blocks[active])
}

// floatProduct is the arguments of a product; strides are in elements.
type floatProduct struct {
	dst       []float32
	dstStride int
	x         []float32
	xStride   int
	rows      int
	w         []byte
	tileBytes int
	tiles     int
	k         int
}

// run covers the product by blocks. All rows pass over one group of tiles before the next, so
// that weights come from memory once.
func (p *floatProduct) run(blocks []floatBlock) {
	for tile := 0; tile < p.tiles; {
		width := preferred(blocks, p.rows, p.tiles-tile).tiles
		for row := 0; row < p.rows; {
			block := fitting(blocks, p.rows-row, width)
			p.runBlock(block, row, tile)
			row += block.rows
		}
		tile += width
	}
}

func (p *floatProduct) runBlock(block *floatBlock, row, tile int) {
	block.run(at(p.dst[row*p.dstStride+tile*TileRows:]), 4*p.dstStride,
		at(p.x[row*p.xStride:]), 4*p.xStride, at(p.w[tile*p.tileBytes:]), p.tileBytes, p.k)
}

// preferred is the first block within rows and tiles.
func preferred(blocks []floatBlock, rows, tiles int) *floatBlock {
	for i := range blocks {
		if blocks[i].rows <= rows && blocks[i].tiles <= tiles {
			return &blocks[i]
		}
	}
	panic("BUG: no kernel for one row and one tile")
}

// fitting is the first block of exactly tiles tiles within rows.
func fitting(blocks []floatBlock, rows, tiles int) *floatBlock {
	for i := range blocks {
		if blocks[i].rows <= rows && blocks[i].tiles == tiles {
			return &blocks[i]
		}
	}
	panic("BUG: no kernel for one row")
}
