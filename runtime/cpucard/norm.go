package cpucard

import (
	"math"

	"moge/runtime/kernels"
)

// norm is RMSNorm of rows of halves, with a sum before and a quantization behind it.
type norm struct {
	Name    string
	Width   int
	MaxRows int
	Eps     float32
	Add     bool
	Half    bool
	Int8    bool
	Static  bool
}

func (s norm) check(c *checker) {
	c.rows("MaxRows", s.MaxRows)
	c.width("Width", s.Width, either(s.Int8, 32, 16))
	c.eps(s.Eps)
	c.want(s.Int8 || !s.Static, "Static", s.Static, "false without Int8")
	c.want(s.Add || s.normalises(), "Add", s.Add, "true without Half and Int8")
}

// normalises reports whether there is more to do than the sum.
func (s norm) normalises() bool { return s.Half || s.Int8 }

func (s norm) signature() signature {
	sig := signature{in: []string{"x"}, scalars: []scalar{{"rows", 1, s.MaxRows}}}
	add := func(yes bool, list *[]string, names ...string) {
		if yes {
			*list = append(*list, names...)
		}
	}
	add(s.Add, &sig.in, "y")
	add(s.normalises(), &sig.in, "weight")
	add(s.Static, &sig.in, "fixedScale")
	add(s.Add, &sig.out, "sum")
	add(s.Half, &sig.out, "out")
	add(s.Int8, &sig.out, "q")
	add(s.Int8 && !s.Static, &sig.out, "scale")
	return sig
}

func (s norm) run(c *call) error {
	rows := c.value("rows")
	x := c.f16("x", rows, s.Width)
	var y, sum, out, weight []uint16
	var ints *int8Rows
	if s.Add {
		y, sum = c.f16("y", rows, s.Width), c.f16("sum", rows, s.Width)
	}
	if s.normalises() {
		weight = c.f16("weight", s.Width)
	}
	if s.Half {
		out = c.f16("out", rows, s.Width)
	}
	if s.Int8 {
		ints = c.int8Rows(rows, s.Width, s.Static)
	}
	if c.err != nil {
		return c.err
	}
	gain := grown(&c.shared.wide, len(weight))
	widen(gain, weight)
	return c.each(rows, 8*s.Width, func(w *scratch, row int) {
		lo, hi := row*s.Width, (row+1)*s.Width
		wide := grown(&w.wide, s.Width)
		widen(wide, x[lo:hi])
		if s.Add {
			addHalves(wide, y[lo:hi], sum[lo:hi])
		}
		if s.normalises() {
			normalise(wide, gain, s.Eps)
		}
		if s.Half {
			narrow(out[lo:hi], wide)
		}
		if s.Int8 {
			ints.put(row, wide)
		}
	})
}

// addHalves adds y to x, rounds to half, and stores that in sum too.
func addHalves(x []float32, y, sum []uint16) {
	kernels.AxpyF16(x, 1, y)
	narrow(sum, x)
	widen(x, sum)
}

// normalise sets x to half(half(x / rms) · gain), where 1 / rms is in f32 of the sum of squares.
func normalise(x, gain []float32, eps float32) {
	mean := float32(squares(x)) * (1 / float32(len(x)))
	inverse := 1 / float32(math.Sqrt(float64(mean+eps)))
	for i, v := range x {
		x[i] = asHalf(asHalf(v*inverse) * gain[i])
	}
}

// squares is the sum of squares: of 64 in f32, of these in f64, which is as good as a tree.
func squares(x []float32) float64 {
	sum := 0.0
	for at := 0; at < len(x); at += 64 {
		part := x[at:min(at+64, len(x))]
		sum += float64(kernels.DotF32(part, part))
	}
	return sum
}
