package kernels

import "moge/ascend/kernel"

// attention is what the attention kernels share: the walk of one unit of work over its pages.
// The rows of a unit are queries, group for each of its key heads.
type attention struct {
	*softmax
	heads, group, dim int
	padded            int // rows of a head in matrix operands
	scale, index      kernel.Tile
	queries, pageRing *kernel.Ring
	probsMat          kernel.Tile
	scoreAcc          *kernel.Ring
	resultAcc, result kernel.Tile
	keys, values      *kernel.Global
}

// attentionShape is the shape of a unit.
type attentionShape struct {
	heads, group, dim int // key heads, rows for each, width of a head
	pages             int // of a chunk
	scale             float32
}

// checkHeads checks the heads of an attention.
func checkHeads(c *specCheck, heads, kvHeads, dim int) {
	c.between("KVHeads", kvHeads, 1, 256)
	c.multiple("Heads", heads, max(kvHeads, 1))
	c.between("Heads", heads, 1, kernel.FractalRows*kvHeads)
	c.multiple("Dim", dim, 16)
	c.between("Dim", dim, 16, 128)
}

// newAttention allocates the tiles of s.
func newAttention(b *kernel.Builder, s attentionShape) *attention {
	rows := s.heads * s.group
	padded := (s.group + kernel.FractalRows - 1) / kernel.FractalRows * kernel.FractalRows
	width := s.heads * s.dim
	a := &attention{heads: s.heads, group: s.group, dim: s.dim, padded: padded,
		scale:     b.Tile("scale", kernel.VecTile(kernel.F32, 1, spanCols)),
		index:     b.Tile("index", kernel.VecTile(kernel.F32, 1, PageRows)),
		queries:   b.Ring("queryMat", 2, kernel.MatTile(kernel.F16, s.heads*padded, s.dim)),
		pageRing:  b.Ring("page", 3, kernel.MatTile(kernel.F16, PageRows, width)),
		probsMat:  b.Tile("probsMat", kernel.MatTile(kernel.F16, s.heads*padded, s.pages*PageRows)),
		scoreAcc:  b.Ring("scoreAcc", 2, kernel.AccTile(kernel.F32, s.group, spanCols)),
		resultAcc: b.Tile("resultAcc", kernel.AccTile(kernel.F32, s.group, width)),
		result:    b.Tile("result", kernel.VecTile(kernel.F32, rows, s.dim)),
	}
	a.softmax = newSoftmax(b, rows, s.pages)
	a.Fill(a.scale, kernel.F(s.scale))
	a.Iota(a.index, kernel.F(0))
	return a
}

// pageSpan says which pages a unit walks over and what of them it sees.
type pageSpan struct {
	first, count kernel.Int                         // pages
	head         kernel.Int                         // first key head of the unit
	id           func(page kernel.Int) kernel.Int   // of a page in the pool
	rows         func(page kernel.Int) kernel.Int   // of a page that are loaded: 1 to 256
	mask         func(page, rows, chunk kernel.Int) // sets scores that are not seen to neverScore
}

// rowsOfPage is how many of the first length positions lie in a page that has some.
func rowsOfPage(length, page kernel.Int) kernel.Int {
	return length.Sub(page.MulN(PageRows)).MinN(PageRows).Max(n(1))
}

// turn is one step of the walk: a page of keys or of values of a chunk.
type turn struct {
	page  kernel.Int // of the context
	at    kernel.Int // of the chunk
	pages kernel.Int // in the chunk
}

// turns says what step t of the walk is about: chunks of pages, keys first, where isKeys holds.
// Bounds that hold anyway are stated as minima and maxima, for the proof that no access leaves its
// tensor.
func (a *attention) turns(c pageSpan, t kernel.Int, name naming) (keys, values turn,
	isKeys kernel.Cond) {
	chunk := name("chunk", t.Div(2*a.pages))
	pages := name("chunkPages", c.count.Sub(chunk.MulN(a.pages)).MinN(a.pages))
	at := name("chunkStep", t.Sub(chunk.MulN(2*a.pages)))
	inChunk := func(at kernel.Int) turn {
		at = at.Max(n(0)).MinN(a.pages - 1)
		page := chunk.MulN(a.pages).Add(at).Min(c.count.SubN(1)).Max(n(0))
		return turn{page: c.first.Add(page), at: at, pages: pages}
	}
	return inChunk(at), inChunk(at.Sub(pages)), at.Less(pages)
}

// naming gives an expression a name in the printed kernel.
type naming func(name string, x kernel.Int) kernel.Int

// unnamed is for loads that run ahead: their copies for another step hold no names.
func unnamed(_ string, x kernel.Int) kernel.Int { return x }

// walk computes the result of a unit over the pages of c; query holds its rows.
func (a *attention) walk(c pageSpan, query kernel.Tile) {
	a.start()
	a.Fill(a.result, kernel.F(0))
	var page kernel.Tile
	a.Stream("step", n(0), c.count.MulN(2), 1, func(t kernel.Int) {
		page = a.pageRing.Next()
		keys, values, isKeys := a.turns(c, t, unnamed)
		a.If(isKeys, func() { a.loadPage(page, a.keys, c, keys) },
			func() { a.loadPage(page, a.values, c, values) })
	}, func(t kernel.Int) {
		keys, values, isKeys := a.turns(c, t, a.Let)
		a.If(isKeys, func() { a.keyStep(c, keys, query, page) }, nil)
		a.If(isKeys.Not(), func() { a.valueStep(c, values, page) }, nil)
	})
}

func (a *attention) loadPage(dst kernel.Tile, from *kernel.Global, c pageSpan, t turn) {
	rows := c.rows(t.page)
	src := from.Sub(n(0), rows, c.head.MulN(a.dim), n(a.heads*a.dim))
	a.Load(dst.Head(rows), src.In(c.id(t.page)))
}

// spanCols is how many keys one product has: few, so that its drain overlaps the next one, and so
// that the rows of a prompt's block pass through vector memory.
const spanCols = 64

// keyStep adds the scores of a page to the chunk, and ends its loop over keys.
func (a *attention) keyStep(c pageSpan, t turn, query, page kernel.Tile) {
	a.each("head", a.heads, func(h kernel.Int) {
		a.For("keySpan", n(0), n(PageRows), spanCols, func(col kernel.Int) {
			acc := a.scoreAcc.Next()
			keys := page.Sub(col, n(spanCols), h.MulN(a.dim), n(a.dim))
			a.MatMul(acc, a.ofHead(query, h), keys, kernel.Always())
			scores := a.page(t.at).Sub(h.MulN(a.group), n(a.group), col, n(spanCols))
			a.Drain(scores, acc, kernel.DrainSpec{Scale: a.scale})
		})
	})
	at := a.Let("keyPage", t.page)
	c.mask(at, c.rows(at), t.at)
	a.If(t.at.AddN(1).Equal(t.pages), func() {
		a.chunk(t.pages)
		a.byRow(a.Mul, a.result, a.ratio, a.dim)
		a.probsToMat(t.pages)
	}, nil)
}

// each runs f for 0 to count-1, without a loop where that is one.
func (a *attention) each(name string, count int, f func(i kernel.Int)) {
	if count == 1 {
		f(n(0))
		return
	}
	a.For(name, n(0), n(count), 1, f)
}

// ofHead is the rows of head h of a matrix operand.
func (a *attention) ofHead(t kernel.Tile, h kernel.Int) kernel.Tile {
	return t.Sub(h.MulN(a.padded), n(a.group), n(0), t.Cols)
}

// probsToMat copies the probabilities of the chunk to the left operand of the products with values.
func (a *attention) probsToMat(pages kernel.Int) {
	a.For("probsPage", n(0), pages, 1, func(p kernel.Int) {
		a.each("probsHead", a.heads, func(h kernel.Int) {
			row := p.MulN(a.rows).Add(h.MulN(a.group))
			dst := a.probsMat.Sub(h.MulN(a.padded), n(a.group), p.MulN(PageRows), n(PageRows))
			a.ToMat(dst, a.probs.Sub(row, n(a.group), n(0), n(PageRows)))
		})
	})
}

// halfPage is how many values one product has where a page has as many.
const halfPage = PageRows / 2

// valueStep adds probabilities times values of a page, and ends the chunk: half a page at a time,
// and what is left by groups of 16 rows.
func (a *attention) valueStep(c pageSpan, t turn, page kernel.Tile) {
	at := a.Let("valuePage", t.page)
	rows := a.Let("valueRows", c.rows(at))
	halves := a.Let("halfRows", rows.Div(halfPage).MulN(halfPage))
	a.each("head", a.heads, func(h kernel.Int) {
		product := func(row kernel.Int, depth int) {
			acc := a.resultAcc.Span(h.MulN(a.dim), n(a.dim))
			// The minimum holds anyway, for the proof.
			col := t.at.MulN(PageRows).MinN((a.pages - 1) * PageRows).Add(row)
			values := page.Sub(row, n(depth), h.MulN(a.dim), n(a.dim))
			a.MatMulT(acc, a.ofHead(a.probsMat, h).Span(col, n(depth)), values, col.Equal(n(0)))
		}
		a.For("halfRow", n(0), halves, halfPage, func(row kernel.Int) { product(row, halfPage) })
		rest := rows.Align(kernel.FractalRows)
		a.For("rest", halves, rest, kernel.FractalRows, func(row kernel.Int) { product(row, kernel.FractalRows) })
	})
	a.If(t.at.AddN(1).Equal(t.pages), func() { a.addResult() }, nil)
}

// addResult adds what the products of the chunk left in the accumulator, 16 columns at a time.
func (a *attention) addResult() {
	a.each("head", a.heads, func(h kernel.Int) {
		a.For("resultCol", n(0), n(a.dim), kernel.FractalRows, func(col kernel.Int) {
			part := a.Tile("partial", kernel.VecTile(kernel.F32, a.group, kernel.FractalRows))
			acc := a.resultAcc.Span(h.MulN(a.dim).Add(col), n(kernel.FractalRows))
			a.Drain(part, acc, kernel.DrainSpec{})
			dst := a.result.Sub(h.MulN(a.group), n(a.group), col, n(kernel.FractalRows))
			a.Add(dst, dst, part)
		})
	})
}
