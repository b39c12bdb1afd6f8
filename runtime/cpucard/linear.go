package cpucard

import "moge/runtime/kernels"

// linear is a linear layer on int8 rows, or on halves that it quantizes.
type linear struct {
	Name     string
	N, K     int
	MaxRows  int
	Bias     bool
	Quantize bool
	SwiGLU   bool
	Static   bool
	Rows     int
	Tiling   tiling
}

func (s linear) check(c *checker) {
	c.rows("MaxRows", s.MaxRows)
	c.matrix(s.N, s.K, s.Quantize, s.SwiGLU)
}

// maxDepth is the columns of int8 weights whose sums fit 31 bits.
const maxDepth = 133_000

func (c *checker) matrix(n, k int, quantize, swiglu bool) {
	c.width("N", n, either(swiglu, 32, 16))
	c.width("K", k, either(quantize, 16, 32))
	c.between("K", k, 1, maxDepth)
}

func (s linear) signature() signature {
	sig := signature{in: []string{"x", "weight", "weightScale"}, out: []string{"y"},
		scalars: []scalar{{"rows", 1, s.MaxRows}}}
	if s.Static {
		sig.in = append(sig.in, "fixedScale")
	} else if !s.Quantize {
		sig.in = append(sig.in, "xScale")
	}
	if s.Bias {
		sig.in = append(sig.in, "bias")
	}
	return sig
}

func (s linear) run(c *call) error {
	rows := c.value("rows")
	q := c.quantized(quantizedShape{matrices: 1, n: s.N, k: s.K, rows: rows, quantize: s.Quantize,
		swiglu: s.SwiGLU, static: s.Static})
	if s.Bias {
		q.bias = c.f32("bias", s.N)
	}
	if c.err != nil {
		return c.err
	}
	return q.run(c, []group{{0, 0, rows}})
}

// quantizedShape is what linear layers and experts differ in.
type quantizedShape struct {
	matrices, n, k, rows     int
	quantize, swiglu, static bool
}

// quantizedLinear is y = half(f32(sum) · ws · xs + bias) of int8 rows, each step rounded to f32, or
// with SwiGLU the half of silu(g) · u of columns that alternate, 16 of g and 16 of u.
type quantizedLinear struct {
	quantizedShape
	weights       *weights
	weightScale   []float32 // [matrices, n]
	bias          []float32 // nil if there is none
	ints          []int8    // [rows, k], unless the rows are quantized here
	halves        []uint16  // these
	scales        []float32 // [rows, 8]; nil if the rows are quantized here, or by a fixed scale
	by, fixed     float32   // that
	y             []uint16
	rowScale      []float32 // [rows] of rows that are quantized here
	padded, width int       // k padded to a fragment; columns of y
}

// quantized takes the tensors of such a product.
func (c *call) quantized(s quantizedShape) *quantizedLinear {
	q := &quantizedLinear{quantizedShape: s, padded: alignUp(s.k, depthI8), width: s.n}
	q.weights = c.weights("weight", s.matrices, s.n, q.padded, 1)
	q.weightScale = c.f32("weightScale", s.matrices, s.n)
	if s.swiglu {
		q.weights.unit, q.width = 2, s.n/2
	}
	if s.quantize {
		q.halves = c.f16("x", s.rows, s.k)
	} else {
		q.ints = c.i8("x", s.rows, s.k)
	}
	if s.static {
		q.by, q.fixed = c.fixedScale()
	} else if !s.quantize {
		q.scales = c.f32("xScale", s.rows, lanes)
	}
	q.y = c.f16("y", s.rows, q.width)
	return q
}

// run multiplies the rows of groups.
func (q *quantizedLinear) run(c *call, groups []group) error {
	if q.quantize {
		if err := q.quantizeRows(c); err != nil {
			return err
		}
	}
	return c.product(q.weights, q.ints, q.padded).run(c, groups, q.finish)
}

// quantizeRows makes ints of the halves, and the scale of each row.
func (q *quantizedLinear) quantizeRows(c *call) error {
	q.ints = grown(&c.shared.q, q.rows*q.padded)
	q.rowScale = grown(&c.shared.scale, q.rows)
	return c.each(q.rows, 4*q.k, func(w *scratch, row int) {
		wide, to := grown(&w.wide, q.k), q.ints[row*q.padded:][:q.padded]
		widen(wide, q.halves[row*q.k:][:q.k])
		clear(to[q.k:])
		if q.static {
			quantizeBy(to[:q.k], wide, q.by)
		} else {
			q.rowScale[row] = kernels.QuantizeRow(to[:q.k], wide)
		}
	})
}

// scaleOf is the scale of a row.
func (q *quantizedLinear) scaleOf(row int) float32 {
	switch {
	case q.static:
		return q.fixed
	case q.quantize:
		return q.rowScale[row]
	}
	return q.scales[row*lanes]
}

// finish scales and stores the sums of a block.
func (q *quantizedLinear) finish(s *scratch, b block) {
	cols, col := b.cols(), b.tile*tileRows
	scale := q.weightScale[b.matrix*q.n+col:][:cols]
	var bias []float32
	if q.bias != nil {
		bias = q.bias[col:][:cols]
	}
	wide := grown(&s.wide, cols)
	for i := range b.rows {
		kernels.Dequant(wide, b.acc[i*cols:], q.scaleOf(b.row+i), scale, bias)
		row := q.y[(b.row+i)*q.width:][:q.width]
		if !q.swiglu {
			narrow(row[col:col+cols], wide)
			continue
		}
		for at := 0; at < cols; at += 2 * tileRows {
			kernels.SwiGLU(wide[at:at+tileRows], wide[at:at+tileRows], wide[at+tileRows:])
			narrow(row[(col+at)/2:][:tileRows], wide[at:])
		}
	}
}
