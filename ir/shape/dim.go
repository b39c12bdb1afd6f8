package shape

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Scalar is a number known only when a step runs.
type Scalar uint8

// The scalars of a step. None marks a fixed dimension.
const (
	None   Scalar = iota
	T             // tokens of the step
	L             // rows whose logits are wanted
	TDP           // tokens of one data-parallel group
	TPad          // maximum of TDP over the groups, padded to the tensor-parallel degree
	TWorld        // data-parallel degree × TPad
	scalarEnd
)

var scalarNames = [scalarEnd]string{None: "", T: "T", L: "L", TDP: "T_dp", TPad: "T_pad", TWorld: "T_world"}

// Scalars lists the step scalars in declaration order.
func Scalars() []Scalar { return []Scalar{T, L, TDP, TPad, TWorld} }

// Valid reports whether s is None or a named scalar.
func (s Scalar) Valid() bool { return s < scalarEnd }

// String is the spelling in IR text; empty for None.
func (s Scalar) String() string {
	if !s.Valid() {
		return fmt.Sprintf("scalar(%d)", uint8(s))
	}
	return scalarNames[s]
}

// Env gives the scalars their values, indexed by Scalar.
type Env [scalarEnd]int64

// Dim is Coef when Scalar is None, else Coef · ceil(Scalar / Div) with Div ≥ 1.
type Dim struct {
	Coef   int64
	Scalar Scalar
	Div    int64
}

// Fixed is a dimension of n elements.
func Fixed(n int64) Dim { return Dim{Coef: n, Div: 1} }

// Of is a dimension of s elements.
func Of(s Scalar) Dim { return Dim{Coef: 1, Scalar: s, Div: 1} }

// IsFixed reports whether the dimension does not depend on a step scalar.
func (d Dim) IsFixed() bool { return d.Scalar == None }

// Times multiplies the dimension by n; ok is false on overflow.
func (d Dim) Times(n int64) (Dim, bool) {
	coef, ok := mul(d.Coef, n)
	d.Coef = coef
	return d, ok
}

// Eval gives the number of elements under env.
func (d Dim) Eval(env *Env) int64 {
	if d.IsFixed() {
		return d.Coef
	}
	return d.Coef * ((env[d.Scalar] + d.Div - 1) / d.Div)
}

// String is the spelling in IR text: 128, T, 8*T or 8*ceil(T/16).
func (d Dim) String() string {
	if d.IsFixed() {
		return strconv.FormatInt(d.Coef, 10)
	}
	text := d.Scalar.String()
	if d.Div != 1 {
		text = fmt.Sprintf("ceil(%s/%d)", text, d.Div)
	}
	if d.Coef != 1 {
		text = fmt.Sprintf("%d*%s", d.Coef, text)
	}
	return text
}

// ParseDim reads what String writes.
func ParseDim(text string) (Dim, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return canonical(text, Fixed(n))
	}
	d := Dim{Coef: 1, Div: 1}
	rest := text
	if coef, after, ok := strings.Cut(text, "*"); ok {
		n, err := strconv.ParseInt(coef, 10, 64)
		if err != nil || n < 0 {
			return Dim{}, badDim(text)
		}
		d.Coef, rest = n, after
	}
	if inner, ok := strings.CutPrefix(rest, "ceil("); ok {
		name, div, ok := strings.Cut(strings.TrimSuffix(inner, ")"), "/")
		n, err := strconv.ParseInt(div, 10, 64)
		if !ok || err != nil || n < 1 {
			return Dim{}, badDim(text)
		}
		d.Div, rest = n, name
	}
	for _, s := range Scalars() {
		if s.String() == rest {
			d.Scalar = s
			return canonical(text, d)
		}
	}
	return Dim{}, badDim(text)
}

// canonical refuses every spelling but the printed one, so that text has one form.
func canonical(text string, d Dim) (Dim, error) {
	if d.String() != text {
		return Dim{}, badDim(text)
	}
	return d, nil
}

func badDim(text string) error { return fmt.Errorf("bad dimension %q", text) }

// mul multiplies non-negative numbers; ok is false when the product leaves int64.
func mul(a, b int64) (int64, bool) {
	if a < 0 || b < 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo), hi == 0 && lo <= math.MaxInt64
}
