package cpucard

import "moge/runtime/kernels"

// head is the last norm and the product with the vocabulary.
type head struct {
	Name    string
	Vocab   int
	Width   int
	MaxRows int
	Eps     float32
	Int8    bool
	Static  bool
	Rows    int
	Tiling  tiling
}

func (s head) check(c *checker) {
	c.width("Width", s.Width, either(s.Int8, 32, 16))
	c.between("Width", s.Width, 1, maxDepth)
	c.rows("MaxRows", s.MaxRows)
	c.between("Vocab", s.Vocab, 1, maxCount)
	c.want(s.Int8 || !s.Static, "Static", s.Static, "false without Int8")
	c.eps(s.Eps)
}

// blockRows bounds the rows of one block of the vocabulary.
const blockRows = 1 << 16

// blocks is how the weights are stored: blocks of rows, one after another, each in NZ; the last is
// padded.
func (s head) blocks() (count, rows int) {
	count = (s.Vocab + blockRows - 1) / blockRows
	return count, alignUp((s.Vocab+count-1)/count, tileRows)
}

func (s head) signature() signature {
	sig := signature{in: []string{"x", "normWeight", "weight"}, out: []string{"logits"},
		scalars: []scalar{{"rows", 1, s.MaxRows}}}
	if s.Int8 {
		sig.in = append(sig.in, "weightScale")
	}
	if s.Static {
		sig.in = append(sig.in, "fixedScale")
	}
	return sig
}

// headRun is a head and its tensors.
type headRun struct {
	head
	rows, count, block, pitch int // rows; blocks, rows of one; elements of a row of logits
	x, gain                   []uint16
	weights                   *weights
	weightScale, logits       []float32
	by, fixed                 float32
	wide                      []float32 // normalised rows
	q                         []int8    // the same, quantized
	scale                     []float32
}

func (s head) run(c *call) error {
	h := &headRun{head: s, rows: c.value("rows"), pitch: alignUp(s.Vocab, lanes)}
	h.count, h.block = s.blocks()
	h.x, h.gain = c.f16("x", h.rows, s.Width), c.f16("normWeight", s.Width)
	h.weights = c.weights("weight", h.count, h.block, s.Width, either(s.Int8, 1, 2))
	h.logits = c.f32("logits", h.rows, h.pitch)
	if s.Int8 {
		h.weightScale = c.f32("weightScale", h.count, h.block)
	}
	if s.Static {
		h.by, h.fixed = c.fixedScale()
	}
	if c.err != nil {
		return c.err
	}
	if err := h.normalise(c); err != nil {
		return err
	}
	groups := make([]group, h.count)
	for i := range groups {
		groups[i] = group{i, 0, h.rows}
	}
	for row := range h.rows {
		clear(h.logits[row*h.pitch+s.Vocab:][:h.pitch-s.Vocab])
	}
	if s.Int8 {
		return c.product(h.weights, h.q, s.Width).run(c, groups, h.finish)
	}
	return c.parts(h.weights, groups, h.multiply)
}

// normalise makes the rows that are multiplied.
func (h *headRun) normalise(c *call) error {
	h.wide = grown(&c.shared.wide, (h.rows+1)*h.Width)
	h.q, h.scale = grown(&c.shared.q, h.rows*h.Width), grown(&c.shared.scale, h.rows)
	gain := h.wide[h.rows*h.Width:]
	widen(gain, h.gain)
	return c.each(h.rows, 8*h.Width, func(_ *scratch, row int) {
		x, q := h.wide[row*h.Width:][:h.Width], h.q[row*h.Width:][:h.Width]
		widen(x, h.x[row*h.Width:][:h.Width])
		normalise(x, gain, h.Eps)
		switch {
		case h.Static:
			quantizeBy(q, x, h.by)
			h.scale[row] = h.fixed
		case h.Int8:
			h.scale[row] = kernels.QuantizeRow(q, x)
		}
	})
}

// finish scales the sums of a block of int8.
func (h *headRun) finish(s *scratch, b block) {
	cols, col := b.cols(), b.tile*tileRows
	wide := grown(&s.wide, cols)
	for i := range b.rows {
		kernels.Dequant(wide, b.acc[i*cols:], h.scale[b.row+i], h.weightScale[b.matrix*h.block+col:], nil)
		h.put(b.row+i, b.part, wide)
	}
}

// multiply is a part of the product with halves.
func (h *headRun) multiply(s *scratch, p part) {
	tiles := kernels.Uint16s(h.weights.tiled(s, p, turnF16))
	out := grown(&s.more, rowBlock*p.cols())
	for from := 0; from < h.rows; from += rowBlock {
		rows := min(rowBlock, h.rows-from)
		kernels.MatMulF16(out, p.cols(), h.wide[from*h.Width:], h.Width, rows, tiles, p.tiles, h.Width)
		for i := range rows {
			h.put(from+i, p, out[i*p.cols():][:p.cols()])
		}
	}
}

// put stores those of some logits that the vocabulary has.
func (h *headRun) put(row int, p part, values []float32) {
	token := p.matrix*h.block + p.tile*tileRows
	if token < h.Vocab {
		copy(h.logits[row*h.pitch+token:row*h.pitch+h.Vocab], values)
	}
}
