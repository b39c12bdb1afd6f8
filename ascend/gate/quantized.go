package gate

import (
	"math"
	"math/rand/v2"

	"moge/ir/dtype"
)

// int8Rows is rows of activations in int8 with their scales, and the halves that they come from.
type int8Rows struct {
	rows, depth int
	static      bool    // by one range, not by each row's own
	amax        float32 // that range
	half        []float32
	q           []int8
	scale       []float32
}

// Ranges of static rows: of a normal distribution of deviation 2, and of what a norm gives. Some
// elements lie beyond them.
const (
	staticRange     = 5
	staticNormRange = 2.5
)

// newInt8Rows is rows of a normal distribution, the second one zeros. The range of two static rows
// is 0, as of a site that calibration saw nothing but zeros of.
func newInt8Rows(r *rand.Rand, rows, depth int, static bool) *int8Rows {
	in := &int8Rows{rows: rows, depth: depth, static: static, half: normals(r, rows*depth, 2)}
	if rows > 2 {
		clear(in.half[depth : 2*depth])
	}
	if rows != 2 {
		in.amax = staticRange
	}
	for i := range rows {
		row := in.half[i*depth:][:depth]
		amax := in.amax
		if !static {
			amax = magnitude(row)
		}
		for _, x := range row {
			in.q = append(in.q, quantized(x, amax))
		}
		in.scale = append(in.scale, amax/127)
	}
	return in
}

// magnitude is the greatest |x|.
func magnitude(row []float32) float32 {
	amax := float32(0)
	for _, x := range row {
		amax = max(amax, x, -x)
	}
	return amax
}

// quantized is an element of the IR's quantize, where amax is the magnitude of its row, and of its
// quantize_static: rne(f32(x · f32(127/amax))), at most ±127, zero where amax is 0. The scale is
// f32(amax/127).
func quantized(x, amax float32) int8 {
	if amax == 0 {
		return 0
	}
	return int8(max(-127, min(127, math.RoundToEven(float64(float32(x*(127/amax)))))))
}

// fixedScale is the argument of that name: how a static kernel knows its range.
func fixedScale(amax float32) []byte {
	words := make([]float32, lanes)
	if amax != 0 {
		words[0], words[1] = 127/amax, amax/127
	}
	return floats(words)
}

// into puts the rows into a case: as int8 with scales, or as the halves that the kernel quantizes.
func (in *int8Rows) into(c *Case, quantize bool) {
	if quantize {
		c.Tensors["x"] = halves(spread(in.half, in.depth, pitchOf(dtype.F16, in.depth)))
	} else {
		c.Tensors["x"] = int8s(spread(in.q, in.depth, pitchOf(dtype.I8, in.depth)))
	}
	switch {
	case in.static:
		c.Tensors["fixedScale"] = fixedScale(in.amax)
	case !quantize:
		c.Tensors["xScale"] = floats(repeated(in.scale, lanes))
	}
}

// int8Linear is a product of int8 rows with int8 weights of one or more experts, scaled as the IR's
// qlinear: f32(f32(f32(sum) · ws) · xs) + bias, each step rounded to f32.
type int8Linear struct {
	weights matrix    // [experts · cols, depth]
	scale   []float32 // by row of weights
	bias    []float32 // the same, or nil
	cols    int       // rows of weights of one expert
	in      *int8Rows
	expert  func(row int) int // of a row of activations
	sums    func(row int) []int32
}

// newInt8Linear draws weights for experts experts of cols rows.
func newInt8Linear(r *rand.Rand, experts, cols, depth int) *int8Linear {
	set := int8Set(r, min(vocabularyRows, experts*cols), depth)
	return &int8Linear{weights: set.pick(r, experts*cols), scale: channels(r, experts*cols, depth),
		cols: cols, expert: func(int) int { return 0 }}
}

// rows sets the activations.
func (l *int8Linear) rows(in *int8Rows) {
	l.in = in
	l.sums = lazily(in.rows, func(i int) []int32 {
		return l.weights.set.dots(in.q[i*in.depth:][:in.depth])
	})
}

// at is the product of a row of activations with row col of its expert's weights.
func (l *int8Linear) at(row, col int) float32 {
	i := l.expert(row)*l.cols + col
	sum := l.sums(row)[l.weights.of[i]]
	v := float32(float32(float32(sum)*l.scale[i]) * l.in.scale[row])
	if l.bias != nil {
		v = float32(v + l.bias[i])
	}
	return v
}

// output wants half(v) of each column.
func (l *int8Linear) output(tensor string) Output {
	return Output{Tensor: tensor, Type: dtype.F16, Rows: l.in.rows, Cols: l.cols,
		Pitch: pitchOf(dtype.F16, l.cols), ZeroPadding: true, Why: "exact",
		Want: func(row, col int) (value, bound float64) {
			return float64(asHalf(l.at(row, col))), 0
		}}
}

// swiglu wants half(silu(g) · u), with the columns of gate and of up given by gate and up.
func (l *int8Linear) swiglu(tensor string, gate, up []int) Output {
	return Output{Tensor: tensor, Type: dtype.F16, Rows: l.in.rows, Cols: len(gate),
		Pitch: pitchOf(dtype.F16, len(gate)), ZeroPadding: true, Why: swigluWhy,
		Want: func(row, col int) (value, bound float64) {
			return swiglu(float64(l.at(row, gate[col])), float64(l.at(row, up[col])))
		}}
}

const swigluWhy = "exp within 2^-23, three roundings of f32, one to half"

// swiglu is silu(g) · u and its bound: exp within 2 units of 2^-24, then one rounding each of a
// sum, a quotient and a product in f32, and one to half, whose least step is 2^-24. Where exp(-g)
// overflows or is cut off below -80, both are 0 as halves.
func swiglu(g, u float64) (value, bound float64) {
	value = g / (1 + math.Exp(-g)) * u
	return value, math.Abs(value)*(math.Ldexp(1, -11)+6*math.Ldexp(1, -24)) + math.Ldexp(1, -25)
}

// alternating is where the columns of gate and of up are, by a function that says which column
// of either a column is.
func alternating(cols int, of func(i int) (up bool, row int)) (gate, up []int) {
	gate, up = make([]int, cols/2), make([]int, cols/2)
	for i := range cols {
		isUp, at := of(i)
		if isUp {
			up[at] = i
		} else {
			gate[at] = i
		}
	}
	return gate, up
}
