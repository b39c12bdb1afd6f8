package shape

import (
	"fmt"
	"slices"
	"strings"
)

// Shape is a list of dimensions, outermost first. At most one may be symbolic
// where a product of all is asked for.
type Shape []Dim

// Make builds a shape of fixed dimensions.
func Make(dims ...int64) Shape {
	s := make(Shape, len(dims))
	for i, d := range dims {
		s[i] = Fixed(d)
	}
	return s
}

// Rows is a shape whose first dimension is d, followed by fixed ones.
func Rows(d Dim, inner ...int64) Shape { return append(Shape{d}, Make(inner...)...) }

// Equal compares dimension by dimension.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Elements is the product of all dimensions; ok is false when it overflows or
// when two dimensions are symbolic.
func (s Shape) Elements() (d Dim, ok bool) {
	d = Fixed(1)
	for _, x := range s {
		if !x.IsFixed() && !d.IsFixed() {
			return Dim{}, false
		}
		coef := d.Coef
		if !x.IsFixed() {
			d = x
		} else {
			coef = x.Coef
		}
		if d, ok = d.Times(coef); !ok {
			return Dim{}, false
		}
	}
	return d, true
}

// IsFixed reports whether no dimension depends on a step scalar.
func (s Shape) IsFixed() bool {
	for _, d := range s {
		if !d.IsFixed() {
			return false
		}
	}
	return true
}

// Ints gives the dimensions of a fixed shape.
func (s Shape) Ints() []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		if !d.IsFixed() {
			panic("BUG: fixed dimensions wanted of shape " + s.String())
		}
		out[i] = d.Coef
	}
	return out
}

// Eval gives every dimension its value under env.
func (s Shape) Eval(env *Env) []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		out[i] = d.Eval(env)
	}
	return out
}

// String is the spelling in IR text: [T,128].
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(d.String())
	}
	b.WriteByte(']')
	return b.String()
}

// maxRank bounds what a parsed shape may declare.
const maxRank = 8

// Parse reads what String writes.
func Parse(text string) (Shape, error) {
	inner, open := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !open || !closed {
		return nil, fmt.Errorf("bad shape %q", text)
	}
	if inner == "" {
		return Shape{}, nil
	}
	parts := strings.Split(inner, ",")
	if len(parts) > maxRank {
		return nil, fmt.Errorf("shape %q has %d dimensions, at most %d are allowed", text, len(parts), maxRank)
	}
	s := make(Shape, len(parts))
	for i, p := range parts {
		d, err := ParseDim(p)
		if err != nil {
			return nil, err
		}
		s[i] = d
	}
	return s, nil
}
