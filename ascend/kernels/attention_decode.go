package kernels

import "moge/ascend/kernel"

// AttentionDecodeSpec describes attention of one new token of each of several sequences.
type AttentionDecodeSpec struct {
	Name         string
	Heads        int // of queries: a multiple of KVHeads, at most 16 a key head
	KVHeads      int
	Dim          int     // of a head: a multiple of 16, up to 128
	Scale        float32 // of the scores
	MaxSequences int
	MaxPages     int // of one sequence
	PoolPages    int // of the tensors of keys and values, at most
	HeadsPerUnit int // key heads of one unit of work: 1 or 2, a divisor of KVHeads
	// Parts is into how many parts each context is split, 1 to 8: for fewer units than cores.
	Parts int
}

// AttentionDecode is out[s] = softmax(scale · q[s] · Kᵀ) · V over the positions below lengths[s],
// the decode attention of Pangu Pro MoE (MulAttention, paper §4.2.3).
//
// Arguments: q half [S, Heads · Dim]; keys, values half Pages(poolPages, KVHeads, Dim), all of it
// finite: rows at and beyond a length may hold anything finite; pages i32 TokenRows(S, MaxPages),
// the pages of a sequence in order; lengths i32 Indices(S), 0 to 256 · MaxPages; out half
// [S, Heads · Dim]; sequences = S; poolPages. Of the last page only rows up to a multiple of 16 are
// read. A sequence of length 0 gets zeros.
//
// Numerics: scores f32(q·k) in the matrix unit's f32, times scale in f32; softmax as type softmax
// says, with probabilities rounded to half; their products with V are summed in f32 by the matrix
// unit over a chunk, and over chunks with one rescaling each; divided by the sum in f32 and rounded
// to half once.
//
// Work: a unit is one sequence and HeadsPerUnit key heads, whose pages are one contiguous piece. It
// walks chunks of at most 2048 positions. In a chunk a loop over pages of keys makes scores, then
// a loop over pages of values results: products of one page overlap the drain of the one before,
// and the softmax overlaps the loading of values. Both loops are one stream, whose page is loaded
// one step ahead into a ring. With Parts a unit is a part of the pages; it leaves result, maximum
// and sum of its rows in f32 scratch, and after all cores have come so far the parts are merged in
// order, with one rescaling each.
func AttentionDecode(s AttentionDecodeSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &decode{spec: s}
	b := kernel.New(s.Name, "out[S, Hq, D] = softmax(scale * q[S, Hq, D] * K^T) * V, one token a "+
		"sequence; half, f32 inside.")
	k.tensors(b)
	b.Units("unit", k.wholes.MulN(s.Parts), k.unit)
	if s.Parts > 1 {
		b.SyncAll()
		b.Units("whole", k.wholes, k.merge)
	}
	return b.Build()
}

func (s AttentionDecodeSpec) check() error {
	c := specCheck{kernel: s.Name}
	checkHeads(&c, s.Heads, s.KVHeads, s.Dim)
	c.between("HeadsPerUnit", s.HeadsPerUnit, 1, 2)
	c.want(s.KVHeads%max(s.HeadsPerUnit, 1) == 0, "HeadsPerUnit", s.HeadsPerUnit,
		"a divisor of the %d key heads", s.KVHeads)
	c.between("PoolPages", s.PoolPages, 1, MaxPages(max(s.KVHeads, 1), max(s.Dim, 16)))
	c.between("MaxPages", s.MaxPages, 1, s.PoolPages)
	c.between("MaxSequences", s.MaxSequences, 1, maxTokens)
	c.between("Parts", s.Parts, 1, 8)
	table := 4 * s.MaxSequences * tokenCols(s.MaxPages)
	c.want(table <= maxTableBytes, "MaxSequences", s.MaxSequences, "so small that the page table of "+
		"%d bytes fits %d: split the sequences over launches", table, maxTableBytes)
	return c.err
}

// maxTableBytes bounds the page table, which every core keeps whole.
const maxTableBytes = 64 << 10

// chunkRows bounds the rows of scores of a chunk, pages times queries.
const chunkRows = 48

// chunkPages is how many pages of rows queries a chunk has: a power of two, at most 2048 positions.
func chunkPages(rows, most int) int {
	pages := 1
	for pages*2*rows <= chunkRows && pages < most && pages < 8 {
		pages *= 2
	}
	return pages
}

// decode is the kernel being built.
type decode struct {
	*attention
	spec           AttentionDecodeSpec
	sequences      kernel.Int
	pool           kernel.Int
	wholes         kernel.Int // units that are not split: sequences times groups of key heads
	q, out         *kernel.Global
	partial, stats *kernel.Global // of the parts: results; maxima and sums
	table, lengths kernel.Tile
	loaded, narrow *kernel.Ring
}

// tensors declares arguments and tiles, and loads page table and lengths.
func (k *decode) tensors(b *kernel.Builder) {
	s := k.spec
	k.sequences, k.pool = b.Param("sequences", 1, s.MaxSequences), b.Param("poolPages", 1, s.PoolPages)
	heads := kernel.Matrix(k.sequences.MulN(s.Heads), s.Dim)
	k.q = b.Input("q", kernel.F16, heads)
	keys := b.Input("keys", kernel.F16, Pages(k.pool, s.KVHeads, s.Dim))
	values := b.Input("values", kernel.F16, Pages(k.pool, s.KVHeads, s.Dim))
	pages := b.Input("pages", kernel.I32, TokenRows(k.sequences, s.MaxPages))
	lengths := b.Input("lengths", kernel.I32, Indices(k.sequences))
	k.out = b.Output("out", kernel.F16, heads)
	k.wholes = k.sequences.MulN(s.KVHeads / s.HeadsPerUnit)
	rows := s.HeadsPerUnit * s.Heads / s.KVHeads
	if s.Parts > 1 {
		units := k.wholes.MulN(s.Parts)
		k.partial = b.Scratch("partial", kernel.F32, kernel.Matrix(units.MulN(rows), s.Dim))
		k.stats = b.Scratch("stats", kernel.F32, kernel.Matrix(units.MulN(2), tokenCols(rows)))
	}
	k.attention = newAttention(b, attentionShape{heads: s.HeadsPerUnit, group: s.Heads / s.KVHeads,
		dim: s.Dim, pages: chunkPages(rows, s.MaxPages), scale: s.Scale})
	k.keys, k.values = keys, values
	row := kernel.VecTile(kernel.F16, rows, s.Dim)
	k.loaded, k.narrow = b.Ring("queryTile", 2, row), b.Ring("outTile", 2, row)
	k.table = b.Tile("pageTable", kernel.VecTile(kernel.I32, s.MaxSequences, tokenCols(s.MaxPages)))
	k.lengths = b.Tile("lengthTile", kernel.VecTile(kernel.I32, (s.MaxSequences+lanes-1)/lanes, lanes))
	b.Load(k.table.Head(k.sequences), pages.All())
	b.Load(k.lengths.Head(k.sequences.CeilDiv(lanes)), lengths.All())
}

// place is which part (of parts) of which unit u is: its sequence and first key head, and its first
// row of q and out.
func (k *decode) place(u kernel.Int, parts int) (sequence, head, row, part kernel.Int) {
	s := k.spec
	each := s.KVHeads / s.HeadsPerUnit * parts
	sequence = k.Let("sequence", u.Div(each))
	head = k.Let("keyHead", u.Mod(each).Div(parts).MulN(s.HeadsPerUnit))
	row = k.Let("firstRow", sequence.MulN(s.Heads).Add(head.MulN(s.Heads/s.KVHeads)))
	return sequence, head, row, u.Mod(each).Mod(parts)
}

// unit is one sequence and its key heads from one on, or a part of its pages.
func (k *decode) unit(u kernel.Int) {
	sequence, head, row, part := k.place(u, k.spec.Parts)
	k.within(row, func() {
		c := k.pagesOf(sequence, head, part)
		k.walk(c, k.query(k.q.Rows(row, n(k.rows))))
		if k.spec.Parts > 1 {
			k.leave(u)
			return
		}
		k.store(row)
	})
}

// within runs f where the rows of a unit from row on exist, which is always: stated for the proof
// that no others are touched.
func (k *decode) within(row kernel.Int, f func()) {
	k.If(row.AddN(k.rows).AtMost(k.sequences.MulN(k.spec.Heads)), f, nil)
}

// pagesOf is the pages of a sequence, or a part of them.
func (k *decode) pagesOf(sequence, head, part kernel.Int) pageSpan {
	s := k.spec
	length := k.ReadInt("length", element(k.lengths, sequence.Div(lanes), sequence.Mod(lanes)),
		n(0), n(PageRows*s.MaxPages))
	pages := k.Let("pageCount", length.CeilDiv(PageRows))
	c := pageSpan{first: n(0), count: pages, head: head, mask: k.mask,
		id: func(page kernel.Int) kernel.Int {
			at := element(k.table, sequence, page.MinN(s.MaxPages-1))
			return k.ReadInt("id", at, n(0), k.pool.SubN(1))
		},
		rows: func(page kernel.Int) kernel.Int { return rowsOfPage(length, page) },
	}
	if s.Parts > 1 {
		share := k.Let("share", pages.CeilDiv(s.Parts))
		c.first = k.Let("partFirst", part.Mul(share).Min(pages))
		c.count = k.Let("partCount", pages.Sub(c.first).Min(share))
	}
	return c
}

// store ends a unit: the result divided by the sums, as halves.
func (k *decode) store(row kernel.Int) {
	k.finish(k.result, k.dim)
	out := k.narrow.Next()
	k.Cast(out, k.result, kernel.Nearest)
	k.Store(k.out.Rows(row, n(k.rows)), out)
}

// query loads the rows of a unit as matrix operand: one copy in, then rows to their places.
func (k *decode) query(from kernel.Region) kernel.Tile {
	loaded, query := k.loaded.Next(), k.queries.Next()
	k.Load(loaded, from)
	k.each("queryHead", k.heads, func(h kernel.Int) {
		k.ToMat(k.ofHead(query, h), loaded.Sub(h.MulN(k.group), n(k.group), n(0), n(k.dim)))
	})
	return query
}

// mask hides the positions of a page beyond its rows.
func (k *decode) mask(_, rows, at kernel.Int) {
	k.If(rows.Less(n(PageRows)), func() {
		seen := k.Tile("seen", kernel.VecTile(kernel.U8, 1, PageRows/8))
		k.Compares(seen, k.index, kernel.FloatOf(rows), kernel.Less)
		scores := k.page(at)
		k.Selects(scores, seen, scores, kernel.F(neverScore))
	}, nil)
}
