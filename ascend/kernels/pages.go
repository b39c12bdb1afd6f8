package kernels

import "moge/ascend/kernel"

// PageRows is the number of positions of a page of keys or values.
const PageRows = 256

// MaxPages is the greatest number of pages that one tensor may have for rows of heads × dim halves:
// offsets in elements fit 32 bits.
func MaxPages(heads, dim int) int { return (1<<31 - 1) / PageRows / max(heads, 1) / max(dim, 1) }

// Pages is the shape of the keys, or of the values, of one layer: for each page an NZ matrix of
// halves [256 positions, heads · dim], heads one after the other. The page of one head is thus the
// contiguous NZ matrix [dim/16][256][16], and the row of one position is heads · dim/16 pieces of
// 32 bytes at one distance, 8 KiB. dim is a multiple of 16.
func Pages(pages kernel.Int, heads, dim int) kernel.Shape {
	return kernel.Fractals(pages, PageRows, heads*dim)
}

// HeadPage is the page of one head: 256 × dim of page of g, a tensor of shape Pages.
func HeadPage(g *kernel.Global, page, head kernel.Int, dim int) kernel.Region {
	return g.Sub(kernel.N(0), kernel.N(PageRows), head.MulN(dim), kernel.N(dim)).In(page)
}

// PageRow is the row of all heads at one position of a page.
func PageRow(g *kernel.Global, page, row kernel.Int) kernel.Region {
	return g.Sub(row, kernel.N(1), kernel.N(0), kernel.N(g.Shape.Cols)).In(page)
}
