package kernels

import (
	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// HeadSpec describes the end of a model: the last norm and the logits.
type HeadSpec struct {
	Name    string
	Vocab   int // V, of the shard
	Width   int // H: a multiple of 16, of 32 with Int8
	MaxRows int
	Eps     float32
	Int8    bool // weights are int8, rows are quantized after the norm
	Static  bool // of Int8: rows are quantized by a fixed scale, which is an argument
	Rows    int  // rows that the tiling is chosen for; 0 for MaxRows
	Tiling  Tiling
}

// maxBlockRows bounds the rows of a matrix in NZ of which a part of the rows is copied: the gap
// between the parts is a field of 16 bits, in units of 32 bytes, and a row of a fractal has one.
const maxBlockRows = 1 << 16

// HeadBlocks says how the weights of a vocabulary are stored: as blocks of rows, a multiple of 16,
// one after another, each in NZ; the last is padded with zeros.
func HeadBlocks(vocab int) (blocks, rows int) {
	blocks = ceilDiv(vocab, maxBlockRows)
	return blocks, alignUp(ceilDiv(vocab, blocks), kernel.FractalRows)
}

// Choose returns the legal tiling of least predicted cost on a chip; *TilingError if none is legal.
func (s HeadSpec) Choose(chip *soc.Chip) (Tiling, error) {
	if err := s.check(); err != nil {
		return Tiling{}, err
	}
	return s.shape().choose(chip)
}

// Head is the last norm and the product with the vocabulary.
//
// Arguments: x half [L, H]; normWeight half [1, H]; weight half, with Int8 int8, NZ of [B, H] for
// each of the blocks of HeadBlocks; with Int8 weightScale f32 [blocks, B], with Static fixedScale
// f32 FixedScale(); logits f32 [L, V], V padded to 8, the padding zeros; rows = L.
//
// Numerics: h as Norm gives it, in half. Weights of half: products exact, sums in f32 in the order
// of the matrix unit. Int8: h quantized as the IR's quantize, with Static as its quantize_static,
// logits = f32(sum) · ws[n] · xs[l], each step rounded to f32.
//
// Work: see product; a unit is 16 tokens of the vocabulary, a pass is rows and one block. Every
// core normalises the rows for itself.
func Head(s HeadSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.shape().check("Tiling", s.Tiling); err != nil {
		return nil, err
	}
	b := kernel.New(s.Name, "logits[L, V] = norm(x[L, H]) * weight[V, H], float.")
	h := &head{spec: s}
	h.tensors(b)
	h.tiles(b)
	h.run()
	return b.Build()
}

func (s HeadSpec) check() error {
	c := specCheck{kernel: s.Name}
	c.multiple("Width", s.Width, either(s.Int8, 32, 16))
	c.between("MaxRows", s.MaxRows, 1, maxTokens)
	c.between("Rows", s.Rows, 0, s.MaxRows)
	c.between("Vocab", s.Vocab, 1, (1<<31-1)/max(s.Width*either(s.Int8, 1, 2), 1)-1024)
	c.want(s.Int8 || !s.Static, "Static", 1, "0 without Int8")
	c.want(s.Eps >= 0 && s.Eps < 1, "Eps", int(s.Eps), "at least 0 and below 1")
	return c.err
}

func (s HeadSpec) shape() productShape {
	blocks, rows := HeadBlocks(s.Vocab)
	p := productShape{name: s.Name, n: rows, k: s.Width, block: 16, weights: kernel.F16,
		maxRows: s.MaxRows, rows: s.Rows, passes: blocks, rawRow: 2 * s.Width, outBytes: 4,
		work:      s.Width*(2+4+4+2+2) + 2048,
		maxPasses: func(rows int) int { return blocks * ceilDiv(s.MaxRows, rows) }}
	if s.Int8 {
		p.weights, p.channels = kernel.I8, 1
		p.work += s.Width * 4
	}
	if p.rows == 0 {
		p.rows = s.MaxRows
	}
	return p
}

type head struct {
	*product
	spec         HeadSpec
	blocks       int
	count        kernel.Int
	x, w, logits *kernel.Global
	source       *rowSource
	norm         *norm
	scales       *channel
	scale        kernel.Tile // of rows, f32 [rows, 8]
	rowScale     kernel.Tile // the same over 16 columns
	fixed        *fixedScale // in place of both
	outs         *kernel.Ring
}

func (h *head) tensors(b *kernel.Builder) {
	s := h.spec
	blocks, rows := HeadBlocks(s.Vocab)
	h.blocks = blocks
	h.count = b.Param("rows", 1, s.MaxRows)
	h.x = b.Input("x", kernel.F16, kernel.Matrix(h.count, s.Width))
	weight := b.Input("normWeight", kernel.F16, kernel.Matrix(n(1), s.Width))
	shape := s.shape()
	h.w = b.Input("weight", shape.weights, kernel.Fractals(n(blocks), rows, s.Width))
	var scale *kernel.Global
	if s.Int8 {
		scale = b.Input("weightScale", kernel.F32, kernel.Matrix(n(blocks), rows))
	}
	h.logits = b.Output("logits", kernel.F32, kernel.Matrix(h.count, alignUp(s.Vocab, lanes)))
	h.norm = &norm{Builder: b, spec: NormSpec{Width: s.Width, Eps: s.Eps},
		weightTile: b.Tile("normTile", kernel.VecTile(kernel.F16, 1, s.Width))}
	b.Load(h.norm.weightTile, weight.All())
	h.product = newProduct(b, shape, s.Tiling)
	h.product.job = h
	if s.Int8 {
		h.scales = h.newChannel(scale, true)
	}
}

func (h *head) tiles(b *kernel.Builder) {
	t := h.tiling
	h.source = h.newRows(h.x)
	if h.spec.Static {
		h.fixed = newFixedScale(b, true, true)
	} else if h.spec.Int8 {
		h.scale = b.Tile("scaleTile", kernel.VecTile(kernel.F32, t.Rows, lanes))
		h.rowScale = b.Tile("rowScale", kernel.VecTile(kernel.F32, t.Rows, 16))
	}
	h.outs = b.Ring("logitTile", 2, kernel.VecTile(kernel.F32, t.Rows, t.Step))
	h.passes = h.count.CeilDiv(t.Rows).MulN(h.blocks)
}

// open finds rows and block of a pass: all blocks of the first rows, then the next rows.
func (h *head) open(index kernel.Int) pass {
	row := h.settle("row", index.Div(h.blocks).MulN(h.tiling.Rows), h.count.SubN(1))
	return pass{index: index, row: row, rows: h.Let("height", h.count.Sub(row).MinN(h.tiling.Rows)),
		expert: h.settle("block", index.Mod(h.blocks), n(h.blocks-1))}
}

func (h *head) weight(p pass, col, cols kernel.Int) kernel.Region {
	return h.w.Sub(col, cols, n(0), n(h.spec.Width)).In(p.expert)
}

func (h *head) fetch(p pass) { h.source.fetch(p) }

// prepare brings normalised rows to L1.
func (h *head) prepare(p pass) {
	h.source.each(p, h.toL1)
	if h.rowScaled() {
		h.spreadScales(h.rowScale.Head(p.rows), h.scale.Head(p.rows))
	}
}

// rowScaled reports whether each row has its own scale.
func (h *head) rowScaled() bool { return h.spec.Int8 && !h.spec.Static }

func (h *head) toL1(at, count kernel.Int, tile kernel.Tile) {
	row := func(e kernel.Elem) kernel.TileType { return kernel.VecTile(e, 1, h.spec.Width) }
	workTile := kernel.VecTile(kernel.F32, 1, kernel.WorkCols(kernel.F32, h.spec.Width, false))
	halves := h.Ring("normalised", 2, row(kernel.F16))
	var ints *kernel.Ring
	if h.spec.Int8 {
		ints = h.Ring("intTile", 2, row(kernel.I8))
	}
	h.For("line", n(0), count, 1, func(i kernel.Int) {
		f, square := h.Tile("floatRow", row(kernel.F32)), h.Tile("squares", row(kernel.F32))
		work, out, to := h.Tile("rowWork", workTile), halves.Next(), at.Add(i)
		h.norm.normalise(out, tile.At(i), f, square, work)
		if !h.spec.Int8 {
			h.ToMat(h.a.At(to), out)
			return
		}
		h.Cast(f, out, kernel.Exact)
		q := rowQuantization{x: f, magnitude: square, half: out, work: work, q: ints.Next(),
			fixed: h.fixed}
		if h.rowScaled() {
			q.scale = h.scale.At(to)
		}
		quantizeRow(h.Builder, q)
		h.ToMat(h.a.At(to), q.q)
	})
}

// finish stores logits, as many as the vocabulary has.
func (h *head) finish(s step) {
	t := h.outs.Next().Head(s.rows)
	if h.spec.Int8 {
		h.Note("f32(sum) * weightScale * row's scale")
		h.Drain(t, s.acc, kernel.DrainSpec{Scale: h.scales.cols(s, n(0), h.tiling.Step)})
		h.scaleRows(t, s)
	} else {
		h.Drain(t, s.acc, kernel.DrainSpec{})
	}
	_, rows := HeadBlocks(h.spec.Vocab)
	token := s.expert.MulN(rows).Add(s.col)
	left := n(h.logits.Shape.Cols).Sub(token).Max(n(0))
	h.store(h.logits, s, token, h.Let("tokens", s.valid.Min(left)), h.tiling.Step, t)
}

// scaleRows multiplies by the scale of rows.
func (h *head) scaleRows(t kernel.Tile, s step) {
	if h.fixed != nil {
		h.Muls(t, t, h.fixed.scale)
		return
	}
	rowScale := h.rowScale.Head(s.rows)
	h.each(h.tiling.Step, func(at kernel.Int) {
		v := t.Span(at, n(16))
		h.Mul(v, v, rowScale)
	})
}
