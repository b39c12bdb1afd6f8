package cpucard

import "moge/runtime/kernels"

// quantize is int8 rows of rows of halves.
type quantize struct {
	Name    string
	Width   int
	MaxRows int
	Static  bool
}

func (s quantize) check(c *checker) {
	c.width("Width", s.Width, 32)
	c.rows("MaxRows", s.MaxRows)
}

func (s quantize) signature() signature {
	sig := signature{in: []string{"x"}, out: []string{"q"}, scalars: []scalar{{"rows", 1, s.MaxRows}}}
	if s.Static {
		sig.in = append(sig.in, "fixedScale")
	} else {
		sig.out = append(sig.out, "scale")
	}
	return sig
}

func (s quantize) run(c *call) error {
	rows := c.value("rows")
	x, to := c.f16("x", rows, s.Width), c.int8Rows(rows, s.Width, s.Static)
	if c.err != nil {
		return c.err
	}
	return c.each(rows, 4*s.Width, func(w *scratch, row int) {
		wide := grown(&w.wide, s.Width)
		widen(wide, x[row*s.Width:][:s.Width])
		to.put(row, wide)
	})
}

// int8Rows is quantized rows in device memory.
type int8Rows struct {
	q      []int8
	width  int
	scales []float32 // [rows, 8]; nil where the scale is fixed
	by     float32   // 127 / amax of a fixed scale
}

// int8Rows is the results q and scale of a kernel, or q by its fixedScale.
func (c *call) int8Rows(rows, width int, static bool) *int8Rows {
	r := &int8Rows{q: c.i8("q", rows, width), width: width}
	if static {
		r.by, _ = c.fixedScale()
	} else {
		r.scales = c.f32("scale", rows, lanes)
	}
	return r
}

// put quantizes a row.
func (r *int8Rows) put(row int, x []float32) {
	q := r.q[row*r.width:][:r.width]
	if r.scales == nil {
		quantizeBy(q, x, r.by)
		return
	}
	spread(r.scales[row*lanes:][:lanes], kernels.QuantizeRow(q, x))
}

// spread fills a row with a value.
func spread(row []float32, v float32) {
	for i := range row {
		row[i] = v
	}
}

// fixedScale is how a kernel knows the range of rows: 127 / amax and amax / 127, both 0 where the
// former is not finite.
func (c *call) fixedScale() (by, scale float32) {
	if f := c.f32("fixedScale", lanes); f != nil {
		return f[0], f[1]
	}
	return 0, 0
}

// quantizeBy is x·by to the nearest integer, ties to even, at most 127 either way; what is not a number
// is 0. Adding 1.5·2^23 leaves no bits for a fraction.
func quantizeBy(dst []int8, x []float32, by float32) {
	const magic = 0x1.8p23
	for i, v := range x[:len(dst)] {
		v = max(-127, min(127, float32(v*by)))
		if v != v {
			v = 0
		}
		dst[i] = int8(float32(v+magic) - magic)
	}
}
