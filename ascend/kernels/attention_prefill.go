package kernels

import "moge/ascend/kernel"

// AttentionPrefillSpec describes attention of consecutive new tokens of one sequence.
type AttentionPrefillSpec struct {
	Name      string
	Heads     int // of queries: a multiple of KVHeads, at most 16 a key head
	KVHeads   int
	Dim       int     // of a head: a multiple of 16, up to 128
	Scale     float32 // of the scores
	MaxTokens int     // of one launch
	MaxPages  int     // of the sequence
	PoolPages int     // of the tensors of keys and values, at most
}

// AttentionPrefill is out[t] = softmax(scale · q[t] · Kᵀ) · V over the positions up to and with
// start + t: causal attention of the tokens of a prompt, or of a piece of one.
//
// Arguments: q half [T, Heads · Dim]; keys, values half Pages(poolPages, KVHeads, Dim), all of it
// finite, in which the rows of these tokens are already; pages i32 TokenRows(1, MaxPages), the
// pages of the sequence in order; out half [T, Heads · Dim]; tokens = T; start, the position of
// token 0, with start + T at most 256 · MaxPages; poolPages.
//
// Numerics: as AttentionDecode with chunks of one page.
//
// Work: a unit is a block of tokens and one key head, all its query heads at once: at most 48 rows.
// It walks the pages up to its last token; where its first token does not see all of a page, each
// token's scores are masked by a comparison of the index in the page with the token's own limit, so
// no mask is ever stored. Units are ordered so that early blocks, which see little, alternate with
// late ones.
func AttentionPrefill(s AttentionPrefillSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &prefill{spec: s, block: chunkRows * s.KVHeads / s.Heads}
	b := kernel.New(s.Name, "out[T, Hq, D] = softmax(scale * q[T, Hq, D] * K^T) * V, causal, one "+
		"sequence; half, f32 inside.")
	k.tensors(b)
	k.blocks = b.Let("blocks", k.tokens.CeilDiv(k.block))
	b.Units("unit", k.blocks.MulN(s.KVHeads), k.unit)
	return b.Build()
}

func (s AttentionPrefillSpec) check() error {
	c := specCheck{kernel: s.Name}
	checkHeads(&c, s.Heads, s.KVHeads, s.Dim)
	c.between("PoolPages", s.PoolPages, 1, MaxPages(max(s.KVHeads, 1), max(s.Dim, 16)))
	c.between("MaxPages", s.MaxPages, 1, min(s.PoolPages, maxTableBytes/4))
	c.between("MaxTokens", s.MaxTokens, 1, min(maxTokens, PageRows*s.MaxPages))
	return c.err
}

// prefill is the kernel being built. Row g · block + i of a unit is query head g of token i.
type prefill struct {
	*attention
	spec                        AttentionPrefillSpec
	block                       int // tokens of a unit
	tokens, start, pool, blocks kernel.Int
	q, out                      *kernel.Global
	table                       kernel.Tile
}

// tensors declares arguments and tiles, and loads the page table.
func (k *prefill) tensors(b *kernel.Builder) {
	s := k.spec
	k.tokens = b.Param("tokens", 1, s.MaxTokens)
	k.start = b.Param("start", 0, PageRows*s.MaxPages-1)
	k.pool = b.Param("poolPages", 1, s.PoolPages)
	heads := kernel.Matrix(k.tokens, s.Heads*s.Dim)
	k.q = b.Input("q", kernel.F16, heads)
	keys := b.Input("keys", kernel.F16, Pages(k.pool, s.KVHeads, s.Dim))
	values := b.Input("values", kernel.F16, Pages(k.pool, s.KVHeads, s.Dim))
	pages := b.Input("pages", kernel.I32, TokenRows(n(1), s.MaxPages))
	k.out = b.Output("out", kernel.F16, heads)
	k.attention = newAttention(b, attentionShape{heads: 1, group: k.block * s.Heads / s.KVHeads,
		dim: s.Dim, pages: 1, scale: s.Scale})
	k.keys, k.values = keys, values
	k.table = b.Tile("pageTable", kernel.VecTile(kernel.I32, 1, tokenCols(s.MaxPages)))
	b.Load(k.table, pages.All())
}

// unit is a block of tokens and a key head.
func (k *prefill) unit(u kernel.Int) {
	s := k.spec
	turn := k.Let("turn", u.Div(s.KVHeads))
	head := k.Let("keyHead", u.Sub(turn.MulN(s.KVHeads)))
	pair := k.Let("pair", turn.Div(2))
	// Even turns count up from the first block, odd ones down from the last.
	block := pair.Add(turn.Sub(pair.MulN(2)).MulN(maxTokens)).Min(k.blocks.SubN(1).Sub(pair))
	first := k.Let("firstToken", block.MulN(k.block))
	count := k.Let("tokenCount", k.tokens.Sub(first).MinN(k.block))
	// Both always so; stated for the proof that no other rows are touched.
	k.If(n(0).AtMost(first), func() {
		k.If(first.Add(count).AtMost(k.tokens), func() { k.attend(first, count, head) }, nil)
	}, nil)
}

// attend is the work of count tokens from first for a key head.
func (k *prefill) attend(first, count, head kernel.Int) {
	s := k.spec
	position := k.Let("position", k.start.Add(first))
	length := k.Let("length", position.Add(count).MinN(PageRows*s.MaxPages))
	c := pageSpan{first: n(0), count: k.Let("pageCount", length.CeilDiv(PageRows)), head: head,
		id: func(page kernel.Int) kernel.Int {
			return k.ReadInt("id", element(k.table, n(0), page), n(0), k.pool.SubN(1))
		},
		rows: func(page kernel.Int) kernel.Int { return rowsOfPage(length, page) },
		mask: func(page, _, at kernel.Int) { k.mask(position.Sub(page.MulN(PageRows)), at) },
	}
	k.walk(c, k.query(first, count, head))
	k.finish(k.result, s.Dim)
	k.store(first, count, head)
}

// region is the rows of query head g of a key head: a column of heads of q or out.
func (k *prefill) region(t *kernel.Global, first, count, head, g kernel.Int) kernel.Region {
	of := head.MulN(k.spec.Heads / k.spec.KVHeads).Add(g)
	return t.Sub(first, count, of.MulN(k.dim), n(k.dim))
}

// eachHead runs f for each query head of a unit, with its rows of tile.
func (k *prefill) eachHead(tile kernel.Tile, count kernel.Int, f func(kernel.Int, kernel.Tile)) {
	k.each("group", k.group/k.block, func(g kernel.Int) {
		f(g, tile.Sub(g.MulN(k.block), count, n(0), n(k.dim)))
	})
}

func (k *prefill) query(first, count, head kernel.Int) kernel.Tile {
	loaded, query := k.Tile("queryTile", kernel.VecTile(kernel.F16, k.group, k.dim)), k.queries.Next()
	k.eachHead(loaded, count, func(g kernel.Int, rows kernel.Tile) {
		k.Load(rows, k.region(k.q, first, count, head, g))
	})
	k.ToMat(k.ofHead(query, n(0)), loaded)
	return query
}

func (k *prefill) store(first, count, head kernel.Int) {
	narrow := k.Tile("outTile", kernel.VecTile(kernel.F16, k.group, k.dim))
	k.Cast(narrow, k.result, kernel.Nearest)
	k.eachHead(narrow, count, func(g kernel.Int, rows kernel.Tile) {
		k.Store(k.region(k.out, first, count, head, g), rows)
	})
}

// mask hides the positions of a page after each token's own; position is that of the unit's first
// token in the page.
func (k *prefill) mask(position, at kernel.Int) {
	k.If(position.Less(n(PageRows-1)), func() {
		k.For("token", n(0), n(k.block), 1, func(i kernel.Int) {
			seen := k.Tile("seen", kernel.VecTile(kernel.U8, 1, PageRows/8))
			limit := position.Add(i)
			k.Compares(seen, k.index, kernel.FloatOf(limit), kernel.LessEqual)
			k.each("maskGroup", k.group/k.block, func(g kernel.Int) {
				row := k.page(at).At(g.MulN(k.block).Add(i))
				k.Selects(row, seen, row, kernel.F(neverScore))
			})
		})
	}, nil)
}
