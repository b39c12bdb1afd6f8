package kernels

import (
	"fmt"

	"moge/ascend/kernel"
)

// lanes is the number of 32-bit elements of a 32-byte block.
const lanes = kernel.Block / 4

// RowScales is the shape of the scales of rows of int8: f32 [rows, 8], the scale of a row in each
// of the 8 elements of its block, so that a row's owner can write it alone.
func RowScales(rows kernel.Int) kernel.Shape { return kernel.Matrix(rows, lanes) }

// Indices is the shape of a packed vector of count 32-bit elements, padded to whole blocks.
func Indices(count kernel.Int) kernel.Shape { return kernel.Matrix(count.CeilDiv(lanes), lanes) }

// TokenRows is the shape of a few 32-bit elements for each token: rows of whole blocks, whose
// padding columns are zeros.
func TokenRows(tokens kernel.Int, perToken int) kernel.Shape {
	return kernel.Matrix(tokens, tokenCols(perToken))
}

func tokenCols(perToken int) int { return (perToken + lanes - 1) / lanes * lanes }

// SpecError says which field of a spec no kernel can be made of.
type SpecError struct {
	Kernel, Field string
	Value         int
	Want          string
}

// Error names the kernel, the field, its value and what it must be.
func (e *SpecError) Error() string {
	return fmt.Sprintf("kernel %s: %s is %d, must be %s", e.Kernel, e.Field, e.Value, e.Want)
}

// specCheck keeps the first fault of a spec.
type specCheck struct {
	kernel string
	err    error
}

func (c *specCheck) want(ok bool, field string, value int, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = &SpecError{c.kernel, field, value, fmt.Sprintf(format, args...)}
	}
}

func (c *specCheck) between(field string, value, lo, hi int) {
	c.want(lo <= value && value <= hi, field, value, "%d to %d", lo, hi)
}

func (c *specCheck) multiple(field string, value, of int) {
	c.want(value > 0 && value%of == 0, field, value, "a positive multiple of %d", of)
}

// maxTokens bounds the tokens of one step, so that offsets in bytes fit 32 bits.
const maxTokens = 8192

// n is the constant i.
func n(i int) kernel.Int { return kernel.N(i) }

// workTile is the scratch of a reduction over cols elements of f32.
func workTile(cols int, index bool) kernel.TileType {
	return kernel.VecTile(kernel.F32, 1, kernel.WorkCols(kernel.F32, cols, index))
}

// element is one element of a tile, for scalar reads and writes.
func element(t kernel.Tile, row, col kernel.Int) kernel.Tile { return t.Sub(row, n(1), col, n(1)) }
