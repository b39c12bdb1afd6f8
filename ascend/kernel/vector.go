package kernel

// Add, Sub, Mul, Div, Max, Min, And, Or: dst = a op c, element by element; an operand of one row
// serves all rows of dst.
func (b *Builder) Add(dst, x, y Tile) { b.vector(&Vector{Op: OpAdd, Dst: dst, Src: []Tile{x, y}}) }

// Sub is dst = x - y.
func (b *Builder) Sub(dst, x, y Tile) { b.vector(&Vector{Op: OpSub, Dst: dst, Src: []Tile{x, y}}) }

// Mul is dst = x * y.
func (b *Builder) Mul(dst, x, y Tile) { b.vector(&Vector{Op: OpMul, Dst: dst, Src: []Tile{x, y}}) }

// Div is dst = x / y.
func (b *Builder) Div(dst, x, y Tile) { b.vector(&Vector{Op: OpDiv, Dst: dst, Src: []Tile{x, y}}) }

// Max is dst = max(x, y).
func (b *Builder) Max(dst, x, y Tile) { b.vector(&Vector{Op: OpMax, Dst: dst, Src: []Tile{x, y}}) }

// Min is dst = min(x, y).
func (b *Builder) Min(dst, x, y Tile) { b.vector(&Vector{Op: OpMin, Dst: dst, Src: []Tile{x, y}}) }

// And is dst = x & y, 16-bit integers.
func (b *Builder) And(dst, x, y Tile) { b.vector(&Vector{Op: OpAnd, Dst: dst, Src: []Tile{x, y}}) }

// Or is dst = x | y, 16-bit integers.
func (b *Builder) Or(dst, x, y Tile) { b.vector(&Vector{Op: OpOr, Dst: dst, Src: []Tile{x, y}}) }

// Adds is dst = x + s; s is rounded to the element type first.
func (b *Builder) Adds(dst, x Tile, s Float) { b.scalarOp(OpAdds, dst, x, s) }

// Muls is dst = x * s.
func (b *Builder) Muls(dst, x Tile, s Float) { b.scalarOp(OpMuls, dst, x, s) }

// Maxs is dst = max(x, s).
func (b *Builder) Maxs(dst, x Tile, s Float) { b.scalarOp(OpMaxs, dst, x, s) }

// Mins is dst = min(x, s).
func (b *Builder) Mins(dst, x Tile, s Float) { b.scalarOp(OpMins, dst, x, s) }

func (b *Builder) scalarOp(op VectorOp, dst, x Tile, s Float) {
	b.vector(&Vector{Op: op, Dst: dst, Src: []Tile{x}, Scalar: s})
}

// Exp is dst = e^x.
func (b *Builder) Exp(dst, x Tile) { b.vector(&Vector{Op: OpExp, Dst: dst, Src: []Tile{x}}) }

// Ln is dst = ln x.
func (b *Builder) Ln(dst, x Tile) { b.vector(&Vector{Op: OpLn, Dst: dst, Src: []Tile{x}}) }

// Sqrt is dst = √x.
func (b *Builder) Sqrt(dst, x Tile) { b.vector(&Vector{Op: OpSqrt, Dst: dst, Src: []Tile{x}}) }

// Abs is dst = |x|.
func (b *Builder) Abs(dst, x Tile) { b.vector(&Vector{Op: OpAbs, Dst: dst, Src: []Tile{x}}) }

// Relu is dst = max(x, 0).
func (b *Builder) Relu(dst, x Tile) { b.vector(&Vector{Op: OpRelu, Dst: dst, Src: []Tile{x}}) }

// Fill is dst = s.
func (b *Builder) Fill(dst Tile, s Float) { b.vector(&Vector{Op: OpFill, Dst: dst, Scalar: s}) }

// Move is dst = x for tiles of one element type.
func (b *Builder) Move(dst, x Tile) { b.vector(&Vector{Op: OpMove, Dst: dst, Src: []Tile{x}}) }

// Cast converts x to the element type of dst. Where the chip has no such conversion in one
// instruction the verifier says so; see Quantize for F32 to I8.
func (b *Builder) Cast(dst, x Tile, r Rounding) {
	b.vector(&Vector{Op: OpCast, Dst: dst, Src: []Tile{x}, Round: r})
}

// Compare sets the bits of dst (U8, bit i for element i) to x rel y. The bytes compared must be a
// multiple of 256.
func (b *Builder) Compare(dst, x, y Tile, rel Comparison) {
	b.vector(&Vector{Op: OpCompare, Dst: dst, Src: []Tile{x, y}, Rel: rel})
}

// Compares is Compare with a scalar.
func (b *Builder) Compares(dst, x Tile, s Float, rel Comparison) {
	b.vector(&Vector{Op: OpCompares, Dst: dst, Src: []Tile{x}, Scalar: s, Rel: rel})
}

// Select is dst = bit of mask ? x : y.
func (b *Builder) Select(dst, mask, x, y Tile) {
	b.vector(&Vector{Op: OpSelect, Dst: dst, Src: []Tile{mask, x, y}})
}

// Selects is dst = bit of mask ? x : s.
func (b *Builder) Selects(dst, mask, x Tile, s Float) {
	b.vector(&Vector{Op: OpSelects, Dst: dst, Src: []Tile{mask, x}, Scalar: s})
}

// Quantize is dst = I8 of x (F32), rounded to nearest even, by way of I32 and F16 in whole and
// half, which are written; the chain is the same on every chip. |x| must be at most 127.
func (b *Builder) Quantize(dst, x, whole, half Tile) {
	b.Cast(whole, x, Nearest)
	b.Cast(half, whole, Exact)
	b.Cast(dst, half, Truncate)
}

func (b *Builder) vector(v *Vector) {
	b.memory(v.Op.String(), v.Dst, Vec)
	for i, s := range v.Src {
		b.memory(v.Op.String(), s, Vec)
		mask := i == 0 && (v.Op == OpSelect || v.Op == OpSelects)
		if !mask && !isMask(v.Op) {
			b.fits(v.Op.String(), v.Dst, s)
		}
		if v.Op != OpCast && !mask && !isMask(v.Op) {
			b.sameElem(v.Op.String(), v.Dst.Elem(), s.Elem())
		}
	}
	b.add(v)
}

func isMask(op VectorOp) bool { return op == OpCompare || op == OpCompares }

func (b *Builder) fits(what string, dst, src Tile) {
	if dst.Buf.Type.Layout != src.Buf.Type.Layout {
		b.errorf("%s between %s and %s", what, dst.Buf.Type.Layout, src.Buf.Type.Layout)
	}
	if src.Rows.Is(1) && src.Cols.Same(dst.Cols) {
		return
	}
	b.sameExtent(what, dst.Rows, src.Rows, dst.Cols, src.Cols)
}

// ReduceSum puts the sum of each row of src into consecutive elements of dst. work is one row of
// the same element type; see WorkCols.
func (b *Builder) ReduceSum(dst, src, work Tile) { b.reduce(ReduceSum, dst, src, work, false) }

// ReduceMax is the same with maxima.
func (b *Builder) ReduceMax(dst, src, work Tile) { b.reduce(ReduceMax, dst, src, work, false) }

// ReduceMin is the same with minima.
func (b *Builder) ReduceMin(dst, src, work Tile) { b.reduce(ReduceMin, dst, src, work, false) }

// ArgMax puts the maximum of a row into dst[0] and the lowest index that has it into dst[1], as
// raw bits of the index (read it with AsInt).
func (b *Builder) ArgMax(dst, src, work Tile) { b.reduce(ReduceMax, dst, src, work, true) }

func (b *Builder) reduce(op ReduceOp, dst, src, work Tile, index bool) {
	for _, t := range []Tile{dst, src, work} {
		b.memory(op.String(), t, Vec)
		b.sameElem(op.String(), t.Elem(), src.Elem())
	}
	if index && !src.Rows.Is(1) {
		b.errorf("index of the maximum of %v rows", src.Rows)
	}
	b.add(&Reduce{Op: op, Dst: dst, Src: src, Work: work, Index: index})
}

// WorkCols is how many elements the work tile of a reduction over cols elements needs.
func WorkCols(e Elem, cols int, index bool) int {
	perRepeat, perBlock := 256/size(e), Block/size(e)
	repeats := (cols + perRepeat - 1) / perRepeat
	if !index {
		return roundUp(2*repeats, perBlock)
	}
	total := 0
	for n := repeats; ; n = (2*n + perRepeat - 1) / perRepeat {
		total += roundUp(2*n, perBlock)
		if n <= 1 {
			return total
		}
	}
}

// Gather is dst[i] = src[offsets[i] / size]; offsets (U32) are bytes from the start of src.
func (b *Builder) Gather(dst, src, offsets Tile) {
	for _, t := range []Tile{dst, src, offsets} {
		b.memory("Gather", t, Vec)
	}
	b.sameElem("Gather", dst.Elem(), src.Elem())
	b.sameElem("Gather", offsets.Elem(), U32)
	b.add(&Gather{dst, src, offsets})
}

// Iota is dst[i] = first + i for one row.
func (b *Builder) Iota(dst Tile, first Float) {
	b.memory("Iota", dst, Vec)
	b.add(&Iota{dst, first})
}

// Transpose is dst = srcᵀ for 16 × 16 tiles of 16-bit elements.
func (b *Builder) Transpose(dst, src Tile) {
	b.memory("Transpose", dst, Vec)
	b.memory("Transpose", src, Vec)
	b.sameElem("Transpose", dst.Elem(), src.Elem())
	b.add(&Transpose{dst, src})
}

// AsInt is t with its bits read as integers of the same width.
func (t Tile) AsInt() Tile { return t.as(I32, U16) }

// AsFloat is t with its bits read as floats of the same width.
func (t Tile) AsFloat() Tile { return t.as(F32, F16) }

func (t Tile) as(wide, narrow Elem) Tile {
	if size(t.Elem()) == 4 {
		t.View = wide
	} else {
		t.View = narrow
	}
	return t
}
