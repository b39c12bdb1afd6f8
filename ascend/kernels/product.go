package kernels

import "moge/ascend/kernel"

// product is what the linear kernels share: passes of activations in L1 against weights that
// stream past them.
//
// A pass is at most Tiling.Rows rows against the weights of one matrix. Its units of work are
// blocks of columns; the units of all passes, one after another, are shared out over the parts so
// that shares differ by at most one unit. A core walks its share in chunks of whole units: each is
// one DMA to a ring of two in L1, issued one chunk ahead, across passes too. A chunk ends where its
// pass ends, and at multiples of the chunk's units from the pass's start.
//
// The first chunk of a pass prepares the pass from what was fetched during the pass before, then
// fetches for the next one, so that the weights' DMAs never wait for vectors or scalars.
type product struct {
	*kernel.Builder
	shape   productShape
	tiling  Tiling
	passes  kernel.Int // how many there are
	a       kernel.Tile
	weights *kernel.Ring
	accs    *kernel.Ring
	vectors []*channel
	words   kernel.Tile // integers of a share
	settled int
	job     job
}

// job is what one kernel does with a product.
type job interface {
	// open reads what the pass of an index is.
	open(index kernel.Int) pass
	// fetch loads what prepare needs.
	fetch(p pass)
	// prepare puts the rows of a pass into L1.
	prepare(p pass)
	// weight is where columns of the weights of a pass are.
	weight(p pass, col, cols kernel.Int) kernel.Region
	// finish takes the accumulator of one step.
	finish(s step)
}

// pass is rows of activations and the matrix they meet.
type pass struct {
	index, expert, row, rows kernel.Int
}

// step is one accumulator: columns col.. of a pass, of which the first valid ones count.
type step struct {
	pass
	acc     kernel.Tile
	col, at kernel.Int // in the pass, in the chunk
	chunk   kernel.Int // where the chunk begins in the pass
	kept    kernel.Int // where the chunk begins in channel vectors that stay
	valid   kernel.Int
}

// share is the units of one part, and the chunks that they lie in.
type share struct{ first, end, from, to kernel.Int }

// chunk is units of one pass that come with one DMA.
type chunk struct{ index, at, count kernel.Int }

func newProduct(b *kernel.Builder, s productShape, t Tiling) *product {
	acc := kernel.I32
	if s.weights == kernel.F16 {
		acc = kernel.F32
	}
	return &product{Builder: b, shape: s, tiling: t,
		a:       b.Tile("rowsTile", kernel.MatTile(s.weights, t.Rows, s.k)),
		words:   b.Tile("shareWords", kernel.VecTile(kernel.I32, 1, 2*lanes)),
		weights: b.Ring("weightTile", 2, kernel.MatTile(s.weights, t.Cols, s.k)),
		accs:    b.Ring("acc", 2, kernel.AccTile(acc, t.Rows, t.Step))}
}

// blocks is the units of a pass, chunkBlocks those of a chunk, chunks the chunks of a pass.
func (p *product) blocks() int      { return p.shape.n / p.shape.block }
func (p *product) chunkBlocks() int { return p.tiling.Cols / p.shape.block }
func (p *product) chunks() int      { return ceilDiv(p.blocks(), p.chunkBlocks()) }

// run does all passes.
func (p *product) run() {
	total := p.Let("total", p.passes.MulN(p.blocks()))
	p.Units("part", n(p.tiling.Parts), func(part kernel.Int) {
		s := p.share(part, total)
		p.If(s.first.Less(s.end), func() { p.fetch(s, s.first.Div(p.blocks())) }, nil)
		var w kernel.Tile
		p.Stream("chunk", s.from, s.to, 1, func(i kernel.Int) {
			w = p.weights.Next()
			p.load(s, i, w)
		}, func(i kernel.Int) { p.use(s, i, w) })
	})
}

// share is the part's units and chunks; none where there is no unit. The numbers pass through UB,
// so that what follows is in bounds by its own clamps, whatever they are.
func (p *product) share(part, total kernel.Int) share {
	parts := p.tiling.Parts
	_, units := total.Range()
	chunks := (int(units)/p.blocks() + 1) * p.chunks()
	s := share{first: p.settle("first", part.Mul(total).Div(parts), n(int(units))),
		end: p.settle("end", part.AddN(1).Mul(total).Div(parts), n(int(units)))}
	s.from = p.settle("from", p.chunkOf(s.first), n(chunks))
	last := s.end.SubN(1).Max(n(0))
	s.to = p.settle("to", p.chunkOf(last).AddN(1).Min(s.from.Add(s.end.Sub(s.first))), n(chunks))
	return s
}

// settle keeps x, which is 0 to hi, in UB and reads it back.
func (p *product) settle(name string, x, hi kernel.Int) kernel.Int {
	word := element(p.words, n(0), n(p.settled))
	p.settled++
	p.WriteInt(word, x)
	return p.ReadInt(name, word, n(0), hi)
}

// chunkOf is the number of the chunk that holds a unit.
func (p *product) chunkOf(unit kernel.Int) kernel.Int {
	return unit.Div(p.blocks()).MulN(p.chunks()).Add(unit.Mod(p.blocks()).Div(p.chunkBlocks()))
}

// chunk is the units of chunk i in a share: those of its place in the pass, from the share's first
// and up to its last.
func (p *product) chunk(s share, i kernel.Int) chunk {
	blocks, most := p.blocks(), p.chunkBlocks()
	c := chunk{index: p.Let("pass", i.Div(p.chunks()))}
	base := p.Let("base", c.index.MulN(blocks))
	lo := p.Let("lo", i.Mod(p.chunks()).MulN(most))
	c.at = p.Let("at", lo.Max(s.first.Sub(base)).MinN(blocks-1))
	left := s.end.Sub(base).Sub(c.at).MinN(most).Min(lo.AddN(most).Sub(c.at))
	c.count = p.Let("count", n(blocks).Sub(c.at).Min(p.Let("left", left)).Max(n(1)))
	return c
}

// load brings the weights of chunk i, and what comes with each chunk.
func (p *product) load(s share, i kernel.Int, w kernel.Tile) {
	_, chunks := s.to.Range()
	c := p.chunk(s, p.settle("coming", i, n(int(chunks))))
	cols := c.count.MulN(p.shape.block)
	open := p.job.open(c.index)
	col := c.at.MulN(p.shape.block)
	p.Load(w.Sub(n(0), cols, n(0), n(p.shape.k)), p.job.weight(open, col, cols))
	for _, v := range p.vectors {
		v.loadChunk(open, col)
	}
}

// use does the arithmetic of chunk i.
func (p *product) use(s share, i kernel.Int, w kernel.Tile) {
	c := p.chunk(s, i)
	open := p.job.open(c.index)
	p.If(i.Equal(c.index.MulN(p.chunks()).Max(s.from)), func() { p.start(s, open) }, nil)
	if p.tiling.Step == p.tiling.Cols {
		p.step(s, c, open, w, n(0))
		return
	}
	steps := c.count.MulN(p.shape.block).CeilDiv(p.tiling.Step)
	p.For("column", n(0), steps, 1, func(i kernel.Int) {
		p.step(s, c, open, w, i.MulN(p.tiling.Step))
	})
}

// start prepares a pass and fetches for the next.
func (p *product) start(s share, open pass) {
	p.Note("first chunk of a pass: its rows to L1, then fetch those of the next pass")
	for _, v := range p.vectors {
		v.keep()
	}
	p.job.prepare(open)
	next := open.index.AddN(1)
	p.If(next.MulN(p.blocks()).Less(s.end), func() { p.fetch(s, next) }, nil)
}

func (p *product) fetch(s share, index kernel.Int) {
	index = p.Let("fetched", index)
	open := p.job.open(index)
	for _, v := range p.vectors {
		v.fetch(open, p.low(s, index).MulN(p.shape.block))
	}
	p.job.fetch(open)
}

// low is the unit of a pass that channel vectors are kept from for a share.
func (p *product) low(s share, index kernel.Int) kernel.Int {
	first := s.first.Sub(index.MulN(p.blocks()))
	return first.MinN(p.blocks() - p.shape.window(p.tiling)).Max(n(0))
}

// step multiplies one accumulator's worth of columns.
func (p *product) step(s share, c chunk, open pass, w kernel.Tile, at kernel.Int) {
	t := p.tiling
	acc := p.accs.Next().Head(open.rows)
	if t.Step != t.Cols {
		w = w.Sub(at, n(t.Step), n(0), n(p.shape.k))
	}
	p.MatMul(acc, p.a.Head(open.rows), w, kernel.Always())
	kept := c.at.Sub(p.low(s, c.index)).Max(n(0)).MinN(p.shape.window(t) - 1).MulN(p.shape.block)
	col := c.at.MulN(p.shape.block)
	p.job.finish(step{pass: open, acc: acc, col: col.Add(at), at: at, chunk: col, kept: kept,
		valid: p.Let("valid", c.count.MulN(p.shape.block).Sub(at).MinN(t.Step))})
}

// store writes the first valid columns of a step's result: at most width of them, in one piece
// where they are that many.
func (p *product) store(to *kernel.Global, s step, col, valid kernel.Int, width int,
	t kernel.Tile) {
	block := kernel.Block / size(to.Elem)
	p.If(valid.Equal(n(width)), func() {
		p.Store(to.Sub(s.row, s.rows, col.MinN(to.Shape.Cols-width), n(width)), t)
	}, func() {
		p.For("tail", n(0), valid.Div(block), 1, func(i kernel.Int) {
			at := i.MulN(block)
			begin := col.Add(at).MinN(to.Shape.Cols - block)
			p.Store(to.Sub(s.row, s.rows, begin, n(block)), t.Span(at, n(block)))
		})
	})
}

// each runs f for every 16 of so many columns.
func (p *product) each(cols int, f func(at kernel.Int)) {
	if cols == 16 {
		f(n(0))
		return
	}
	p.For("column16", n(0), n(cols), 16, f)
}

// spreadScales puts the scale of each row, which is in 8 elements, into 16 columns.
func (p *product) spreadScales(to, from kernel.Tile) {
	for i := range 2 {
		p.Muls(to.Span(n(i*lanes), n(lanes)), from, kernel.F(1))
	}
}
