package report

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// plus and times stop at the largest number: a manifest may be hostile, and no sum of a real one is
// near it.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func times(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}

// scalars are the values of a step's scalars, by bundlepb.Scalar.
type scalars [6]int64

// length is a dimension.
func (s scalars) length(d *bundlepb.Dim) int64 {
	if d.Scalar == bundlepb.Scalar_FIXED {
		return d.Coef
	}
	return times(d.Coef, ceilDiv(max(s[d.Scalar], 1), max(d.Div, 1)))
}

// elements and bytes are of a buffer.
func (s scalars) elements(b *bundlepb.Buffer) int64 {
	n := int64(1)
	for _, d := range b.Shape {
		n = times(n, s.length(d))
	}
	return n
}

func (s scalars) bytes(b *bundlepb.Buffer) int64 {
	return tensorBytes(bundle.DType(b.Dtype), s.elements(b))
}

// tensorBytes is the memory of elements; in 4 bits there are two a byte.
func tensorBytes(t dtype.Type, elements int64) int64 {
	if elements > math.MaxInt64/16 {
		return math.MaxInt64
	}
	return t.Bytes(elements)
}

// shapeText spells a buffer: T,128 f32.
func shapeText(b *bundlepb.Buffer) string {
	var parts []string
	for _, d := range b.Shape {
		parts = append(parts, dimText(d))
	}
	return "[" + strings.Join(parts, ",") + "] " + bundle.DType(b.Dtype).String()
}

func dimText(d *bundlepb.Dim) string {
	coef := strconv.FormatInt(d.Coef, 10)
	if d.Scalar == bundlepb.Scalar_FIXED {
		return coef
	}
	text := d.Scalar.String()
	if d.Div > 1 {
		text = "⌈" + text + "/" + strconv.FormatInt(d.Div, 10) + "⌉"
	}
	if d.Coef == 1 {
		return text
	}
	return coef + text
}

// PositionBytes is what a position takes in a state: int8 rows of a head have an f32 scale each.
func PositionBytes(s *bundlepb.State) int64 {
	t := bundle.DType(s.Dtype)
	row := tensorBytes(t, s.Width)
	if t == dtype.I8 {
		row = plus(row, 4)
	}
	return times(row, s.Heads)
}
