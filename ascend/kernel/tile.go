package kernel

import (
	"fmt"

	"moge/ascend/kernel/scalar"
)

// Int is a run-time integer; see package scalar.
type Int = scalar.Int

// N is the constant n.
func N(n int) Int { return scalar.C(n) }

// Memory is where a tile lives.
type Memory uint8

// The memories of a core.
const (
	Vec Memory = iota // operands of vector statements
	Mat               // operands of MatMul
	Acc               // accumulators of MatMul
)

// String is "vec", "mat" or "acc".
func (m Memory) String() string { return [...]string{"vec", "mat", "acc"}[m] }

// Layout is the order of elements.
type Layout uint8

// Layouts. ND is row-major with rows padded to 32 bytes. NZ is columns of blocks: blocks of C0
// columns, each holding all rows (padded to 16) in turn; C0 is 32 bytes in Mat and device memory,
// 16 elements in Vec and Acc. Zz and Zn are what the matrix unit reads; only lowering makes them.
const (
	ND Layout = iota
	NZ
	Zz
	Zn
)

// String is "nd", "nz", "zz" or "zn".
func (l Layout) String() string { return [...]string{"nd", "nz", "zz", "zn"}[l] }

// TileType is the type of a tile.
type TileType struct {
	Elem   Elem
	Memory Memory
	Layout Layout
	Rows   int
	Cols   int
}

// VecTile is the type of a row-major tile for vector statements.
func VecTile(e Elem, rows, cols int) TileType { return TileType{e, Vec, ND, rows, cols} }

// MatTile is the type of an operand of MatMul: [rows, cols] in NZ; the left operand is [M, K],
// the right one [N, K].
func MatTile(e Elem, rows, cols int) TileType { return TileType{e, Mat, NZ, rows, cols} }

// AccTile is the type of an accumulator [rows, cols]: I32 for I8 operands, F32 for F16 operands.
func AccTile(e Elem, rows, cols int) TileType { return TileType{e, Acc, NZ, rows, cols} }

// C0 is the width in elements of a column block of an NZ tile.
func (t TileType) C0() int {
	if t.Memory == Mat {
		return Block / size(t.Elem)
	}
	return FractalRows
}

// Pitch is the distance of two rows in elements: of the padded row (ND), of a block's row (NZ).
func (t TileType) Pitch() int {
	if t.Layout == ND {
		return roundUp(t.Cols*size(t.Elem), Block) / size(t.Elem)
	}
	return t.C0()
}

// PaddedRows is the rows that an NZ tile holds.
func (t TileType) PaddedRows() int {
	if t.Layout == ND {
		return t.Rows
	}
	return roundUp(t.Rows, FractalRows)
}

// Elems is the storage in elements.
func (t TileType) Elems() int {
	if t.Layout == ND {
		return t.Rows * t.Pitch()
	}
	return roundUp(t.Cols, t.C0()) * t.PaddedRows()
}

// Bytes is the storage in bytes.
func (t TileType) Bytes() int { return t.Elems() * size(t.Elem) }

// String is memory, layout, element type and extent.
func (t TileType) String() string {
	return fmt.Sprintf("%s %s %s [%d, %d]", t.Memory, t.Layout, t.Elem, t.Rows, t.Cols)
}

// Buffer is the storage behind tiles: one of a type, or a ring of several.
type Buffer struct {
	Name  string
	Type  TileType
	Depth int // slots of a ring; 1 for a single tile
	// Scope is the block that the storage lives as long as.
	Scope *Body
}

// Slot is one turn of a ring, or a tile of a loop body: its contents last from here to the end of
// the block that took it.
type Slot struct {
	Buf *Buffer
}

// Tile is a view of a buffer: rows and columns from an origin, in elements.
type Tile struct {
	Buf        *Buffer
	Slot       *Slot // nil for a tile that outlives loops
	Row, Col   Int
	Rows, Cols Int
	View       Elem // how the elements are read where not as the buffer's type
}

// Elem is the element type of t.
func (t Tile) Elem() Elem {
	if t.View.Valid() {
		return t.View
	}
	return t.Buf.Type.Elem
}

// Sub is the view of rows × cols elements of t from (row, col).
func (t Tile) Sub(row, rows, col, cols Int) Tile {
	t.Row, t.Rows = t.Row.Add(row), rows
	t.Col, t.Cols = t.Col.Add(col), cols
	return t
}

// Head is the first rows of t.
func (t Tile) Head(rows Int) Tile { return t.Sub(N(0), rows, N(0), t.Cols) }

// At is one row of t.
func (t Tile) At(row Int) Tile { return t.Sub(row, N(1), N(0), t.Cols) }

// Span is cols columns of every row from col.
func (t Tile) Span(col, cols Int) Tile { return t.Sub(N(0), t.Rows, col, cols) }

// Full reports whether t covers the columns of its buffer.
func (t Tile) Full() bool { return t.Col.Is(0) && t.Cols.Same(N(t.Buf.Type.Cols)) }

// Offset is the index of the first element of t in its slot.
func (t Tile) Offset() Int {
	ty := t.Buf.Type
	if ty.Layout == ND {
		return t.Row.MulN(ty.Pitch()).Add(t.Col)
	}
	c0 := ty.C0()
	block := t.Col.Div(c0).MulN(ty.PaddedRows() * c0)
	return block.Add(t.Row.MulN(c0)).Add(t.Col.Mod(c0))
}

// String is the buffer, with first row and count, first column and count of a part.
func (t Tile) String() string {
	if t.Row.Is(0) && t.Full() && t.Rows.Is(t.Buf.Type.Rows) {
		return t.Buf.Name
	}
	return fmt.Sprintf("%s[%v +%v, %v +%v]", t.Buf.Name, t.Row, t.Rows, t.Col, t.Cols)
}
