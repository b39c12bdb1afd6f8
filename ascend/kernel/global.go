package kernel

import (
	"fmt"

	"moge/ascend/kernel/scalar"
)

// Role says what a kernel does with a tensor in device memory.
type Role uint8

// Roles.
const (
	In Role = iota
	Out
	InOut
	Scratch  // written and read back by the same launch
	Exchange // carries tiles between the two halves of a core; made by lowering
)

// String is the word of text forms, such as "inout".
func (r Role) String() string {
	return [...]string{"in", "out", "inout", "scratch", "exchange"}[r]
}

// Shape is the extent of a tensor in device memory: Batch matrices of Rows × Cols.
type Shape struct {
	Layout Layout // ND or NZ
	Batch  Int
	Rows   Int
	Cols   int
}

// Matrix is a row-major shape; rows are padded to 32 bytes each, and storage to 16 rows.
func Matrix(rows Int, cols int) Shape { return Shape{ND, N(1), rows, cols} }

// Matrices is batch row-major matrices, each padded to 16 rows.
func Matrices(batch, rows Int, cols int) Shape { return Shape{ND, batch, rows, cols} }

// Fractal is a matrix in NZ.
func Fractal(rows, cols int) Shape { return Shape{NZ, N(1), N(rows), cols} }

// Fractals is batch matrices in NZ, one after another.
func Fractals(batch Int, rows, cols int) Shape { return Shape{NZ, batch, N(rows), cols} }

// Global is a tensor in device memory: an argument of the kernel.
type Global struct {
	Name  string
	Elem  Elem
	Role  Role
	Shape Shape
}

// C0 is the width of a column block of an NZ tensor in elements.
func (g *Global) C0() int { return Block / size(g.Elem) }

// Pitch is the distance of two rows of an ND tensor in elements.
func (g *Global) Pitch() int { return roundUp(g.Shape.Cols*size(g.Elem), Block) / size(g.Elem) }

// PaddedRows is the rows that storage holds of each matrix: a multiple of 16.
func (g *Global) PaddedRows() Int { return g.Shape.Rows.Align(FractalRows) }

// MatrixElems is the storage of one matrix in elements.
func (g *Global) MatrixElems() Int {
	if g.Shape.Layout == ND {
		return g.PaddedRows().MulN(g.Pitch())
	}
	return g.PaddedRows().MulN(roundUp(g.Shape.Cols, g.C0()))
}

// Elems is the storage of the whole tensor in elements; host code allocates this much.
func (g *Global) Elems() Int { return g.MatrixElems().Mul(g.Shape.Batch) }

// Bytes is that storage where the run-time integers have the given values.
func (g *Global) Bytes(value func(*scalar.Var) int64) int64 {
	return g.Elems().Eval(value) * int64(g.Elem.Bits()) / 8
}

// Region is a rectangle of one matrix of a tensor.
type Region struct {
	Global     *Global
	Batch      Int
	Row, Col   Int
	Rows, Cols Int
}

// All is the whole of a tensor with one matrix.
func (g *Global) All() Region {
	return Region{g, N(0), N(0), N(0), g.Shape.Rows, N(g.Shape.Cols)}
}

// Rows is count whole rows from row.
func (g *Global) Rows(row, count Int) Region {
	return Region{g, N(0), row, N(0), count, N(g.Shape.Cols)}
}

// Sub is rows × cols from (row, col).
func (g *Global) Sub(row, rows, col, cols Int) Region {
	return Region{g, N(0), row, col, rows, cols}
}

// In is the same rectangle of matrix batch.
func (r Region) In(batch Int) Region {
	r.Batch = batch
	return r
}

// Offset is the index of the first element of r.
func (r Region) Offset() Int {
	g := r.Global
	base := r.Batch.Mul(g.MatrixElems())
	if g.Shape.Layout == ND {
		return base.Add(r.Row.MulN(g.Pitch())).Add(r.Col)
	}
	c0 := g.C0()
	block := r.Col.Div(c0).MulN(c0).Mul(g.PaddedRows())
	return base.Add(block).Add(r.Row.MulN(c0)).Add(r.Col.Mod(c0))
}

// String is the tensor with first row and count, first column and count.
func (r Region) String() string {
	s := fmt.Sprintf("%s[%v +%v, %v +%v]", r.Global.Name, r.Row, r.Rows, r.Col, r.Cols)
	if !r.Batch.Is(0) {
		s += " of " + r.Batch.String()
	}
	return s
}

// Fixed is r with rows that are known where it is written.
func (r Region) Fixed(rows int) Region {
	r.Rows = N(rows)
	return r
}
