package gate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// norm is RMSNorm with what goes before and behind it.
func norm(s kernels.NormSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for _, rows := range shapes.counts(s.MaxRows) {
			if !yield(normCase(s, rows, random(seed, uint64(rows)))) {
				return
			}
		}
	}
}

func normCase(s kernels.NormSpec, rows int, r *rand.Rand) *Case {
	x, y := normRows(r, rows, s.Width, s.Eps), normals(r, rows*s.Width, 2)
	if rows > 3 {
		clear(y[s.Width : 4*s.Width])
	}
	weight := normals(r, s.Width, 1)
	c := &Case{Name: fmt.Sprintf("%d rows", rows), Params: map[string]int{"rows": rows},
		Tensors: map[string][]byte{"x": halves(x)}}
	if s.Half || s.Int8 {
		c.Tensors["weight"] = halves(weight)
	}
	if s.Add {
		c.Tensors["y"] = halves(y)
		for i := range x {
			x[i] = asHalf(x[i] + y[i])
		}
		c.Want = append(c.Want, equal("sum", dtype.F16, x, s.Width))
	}
	if s.Static {
		c.Tensors["fixedScale"] = fixedScale(staticNormRange)
	}
	of := lazily(rows, func(i int) *normalised {
		return newNormalised(x[i*s.Width:][:s.Width], weight, s.Eps, s.Static)
	})
	if s.Half {
		c.Want = append(c.Want, Output{Tensor: "out", Type: dtype.F16, Rows: rows, Cols: s.Width,
			Pitch: s.Width, Why: normWhy,
			Want: func(row, col int) (value, bound float64) {
				return of(row).value(x[row*s.Width+col], weight[col])
			}})
	}
	if s.Int8 {
		outputs := int8Outputs(rows, s.Width, of)
		c.Want = append(c.Want, outputs[0])
		if !s.Static {
			c.Want = append(c.Want, outputs[1])
		}
	}
	return c
}

// normRows is rows for a norm: from the second on, where there are so many, one of zeros, one of
// nearly the greatest numbers that a half has, and one so small that eps matters.
func normRows(r *rand.Rand, rows, width int, eps float32) []float32 {
	x := normals(r, rows*width, 3)
	if rows > 3 {
		clear(x[width : 2*width])
		for i := range width {
			x[2*width+i] = 64000
		}
		copy(x[3*width:], normals(r, width, math.Sqrt(float64(eps))))
	}
	return x
}

// normalised is what is known of one row x / rms(x) · weight in half: an interval for each element.
type normalised struct {
	rms    float64
	lo, hi []float32
	// the same of the row quantized
	qLo, qHi         []int8
	scaleLo, scaleHi float64
}

// rmsError bounds the relative error of x / rms in f32: the tree of at most 2^13 squares has 13
// roundings, which the root halves; mean, eps, root, quotient and product add five.
const rmsError = 12.0 / (1 << 24)

const normWhy = "12 roundings of f32, two to half"

// newNormalised is for a row; static rows are quantized by staticNormRange.
func newNormalised(x, weight []float32, eps float32, static bool) *normalised {
	square := 0.0
	for _, v := range x {
		square += float64(v) * float64(v)
	}
	n := &normalised{rms: math.Sqrt(square/float64(len(x)) + float64(eps))}
	amaxLo, amaxHi := float32(0), float32(0)
	for i, v := range x {
		unit := float64(v) / n.rms
		a := asHalf(asHalf(float32(unit*(1-rmsError))) * weight[i])
		b := asHalf(asHalf(float32(unit*(1+rmsError))) * weight[i])
		n.lo, n.hi = append(n.lo, min(a, b)), append(n.hi, max(a, b))
		small, large := magnitudes(a, b)
		amaxLo, amaxHi = max(amaxLo, small), max(amaxHi, large)
	}
	if static {
		amaxLo, amaxHi = staticNormRange, staticNormRange
	}
	n.quantize(amaxLo, amaxHi)
	return n
}

// magnitudes of two numbers of one sign, in order.
func magnitudes(a, b float32) (small, large float32) {
	a, b = max(a, -a), max(b, -b)
	return min(a, b), max(a, b)
}

// quantize finds the interval of each element of the IR's quantize, given that of the magnitude.
func (n *normalised) quantize(amaxLo, amaxHi float32) {
	n.scaleLo, n.scaleHi = float64(amaxLo/127), float64(amaxHi/127)
	for i := range n.lo {
		n.qLo = append(n.qLo, min(quantized(n.lo[i], amaxLo), quantized(n.lo[i], amaxHi)))
		n.qHi = append(n.qHi, max(quantized(n.hi[i], amaxLo), quantized(n.hi[i], amaxHi)))
	}
}

// value is the exact result for an element and its bound: see rmsError, then two roundings to half,
// of 2^-11 or half the least subnormal.
func (n *normalised) value(x, weight float32) (value, bound float64) {
	const half, tiny = 1.0 / 2048, 1.0 / (1 << 25)
	value = float64(x) / n.rms * float64(weight)
	return value, math.Abs(value)*((1+half)*(1+half)*(1+rmsError)-1) +
		tiny*(1+math.Abs(float64(weight)))*1.001
}

// int8Outputs wants the quantized row and its scale: what they are where roundings leave no
// choice, else one of the ends.
func int8Outputs(rows, width int, of func(row int) *normalised) []Output {
	middle := func(lo, hi float64) (value, bound float64) { return (lo + hi) / 2, (hi - lo) / 2 }
	const why = "exact, where the roundings before leave no choice"
	return []Output{
		{Tensor: "q", Type: dtype.I8, Rows: rows, Cols: width, Pitch: pitchOf(dtype.I8, width),
			ZeroPadding: true, Why: why,
			Want: func(row, col int) (value, bound float64) {
				return middle(float64(of(row).qLo[col]), float64(of(row).qHi[col]))
			}},
		{Tensor: "scale", Type: dtype.F32, Rows: rows, Cols: lanes, Pitch: lanes, Why: why,
			Want: func(row, _ int) (value, bound float64) {
				return middle(of(row).scaleLo, of(row).scaleHi)
			}},
	}
}
