//go:build !purego

package kernels

import "moge/runtime/cpu"

// int8Block is a kernel that multiplies a fixed number of rows of x by a fixed number of tiles
// of w.
type int8Block struct {
	rows, tiles int
	run         func(acc *int32, accStride int, x *int8, xStride int, w *int8,
		tileBytes, groups int, rowSums *int32)
}

// int8Blocks is in order of rows; of those with equal rows the wider stands first.
var int8Blocks = [...][]int8Block{
	cpu.AVX2: {{2, 1, matMulI8Rows2Tiles1AVX2}, {1, 1, matMulI8Rows1Tiles1AVX2}},
	cpu.AVX512: {{6, 4, matMulI8Rows6Tiles4AVX512}, {4, 4, matMulI8Rows4Tiles4AVX512},
		{2, 4, matMulI8Rows2Tiles4AVX512}, {1, 4, matMulI8Rows1Tiles4AVX512},
		{4, 1, matMulI8Rows4Tiles1AVX512}, {2, 1, matMulI8Rows2Tiles1AVX512},
		{1, 1, matMulI8Rows1Tiles1AVX512}},
}

func matMulI8(acc []int32, x []int8, xStride, rows int, w []int8, tiles, k int, rowSums []int32) {
	if active == cpu.Generic {
		matMulI8Generic(acc, x, xStride, rows, w, tiles, k)
		return
	}
	p := int8Product{acc: acc, x: x, xStride: xStride, rows: rows, w: w, tiles: tiles,
		groups: groups(k), rowSums: rowSums}
	p.run(int8Blocks[active])
}

// int8Product is the arguments of a product.
type int8Product struct {
	acc     []int32
	x       []int8
	xStride int
	rows    int
	w       []int8
	tiles   int
	groups  int
	rowSums []int32
}

// run covers the product by blocks. All rows pass over one group of tiles before the next, so
// that weights come from memory once.
func (p *int8Product) run(blocks []int8Block) {
	for tile := 0; tile < p.tiles; {
		width := p.width(blocks, p.tiles-tile)
		for row := 0; row < p.rows; {
			block := p.fitting(blocks, p.rows-row, width)
			p.runBlock(block, row, tile)
			row += block.rows
		}
		tile += width
	}
}

// width is how many tiles to take together: the most that a block has and that are left.
func (p *int8Product) width(blocks []int8Block, left int) int {
	most := 1
	for _, b := range blocks {
		if b.tiles <= left {
			most = max(most, b.tiles)
		}
	}
	return most
}

// fitting is the block of width tiles that takes the most of the rows left.
func (p *int8Product) fitting(blocks []int8Block, rows, width int) *int8Block {
	for i := range blocks {
		if blocks[i].tiles == width && blocks[i].rows <= rows {
			return &blocks[i]
		}
	}
	panic("BUG: no kernel for one row")
}

func (p *int8Product) runBlock(block *int8Block, row, tile int) {
	tileBytes := p.groups * groupI8 * TileRows
	block.run(at(p.acc[(row*p.tiles+tile)*TileRows:]), 4*p.tiles*TileRows,
		at(p.x[row*p.xStride:]), p.xStride, at(p.w[tile*tileBytes:]), tileBytes, p.groups,
		at(p.rowSums[tile*TileRows:]))
}
