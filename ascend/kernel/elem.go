package kernel

import "moge/ascend/soc"

// Elem is the type of an element of a tile or tensor.
type Elem = soc.Elem

// The element types of tiles and tensors.
const (
	F16 = soc.Half
	F32 = soc.Float
	I8  = soc.Int8
	U8  = soc.Uint8
	I16 = soc.Int16
	U16 = soc.Uint16
	I32 = soc.Int32
	U32 = soc.Uint32
	U64 = soc.Uint64
)

// Block is the grain of copies and vector addresses in bytes.
const Block = 32

// FractalRows is the number of rows of a fractal, the 16-row block of the matrix layouts.
const FractalRows = 16

func size(e Elem) int { return e.Bits() / 8 }

// roundUp is the least multiple of m that is not below n.
func roundUp(n, m int) int { return (n + m - 1) / m * m }
