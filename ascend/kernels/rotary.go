package kernels

import "moge/ascend/kernel"

// RotarySpec describes the rotary embedding of one layer's queries and keys.
type RotarySpec struct {
	Name      string
	Heads     int // of the queries
	KVHeads   int
	Dim       int // of a head: a multiple of 16, at most 128
	MaxTokens int
	MaxPages  int // of the cache, see MaxPages
}

// Rotary rotates queries and keys by halves and writes keys and values into the pages of the cache.
//
// Arguments: qkv half [T, (Heads + 2·KVHeads)·Dim], the heads of q, then k, then v; rope f32 [T,
// Dim], a row the Dim/2 cosines of the token's angles, then the sines; places i32 TokenRows(T,
// 2), where each token goes in the cache: page, and position in the page, no two at one place,
// which the host checks; q half [T, Heads·Dim]; keys and values half Pages(pages, KVHeads, Dim);
// tokens = T; pages.
//
// Numerics: as the IR's rotary of the halves widened to f32, (f32(f32(lo·cos) - f32(hi·sin)),
// f32(f32(hi·cos) + f32(lo·sin))), then one rounding to half. Values are copied.
//
// Work: a token is a unit. Arithmetic is in f32 also because half of a small head is no whole
// block of halves. The rows of all heads of k, and of v, leave in one copy each.
func Rotary(s RotarySpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &rotary{spec: s, Builder: kernel.New(s.Name,
		"q[T], keys, values = rotary(q), rotary(k), v of qkv[T]; k and v go to their pages.")}
	k.tensors()
	k.tiles()
	k.Units("token", k.tokens, k.token)
	return k.Build()
}

func (s RotarySpec) check() error {
	c := specCheck{kernel: s.Name}
	c.multiple("Dim", s.Dim, 16)
	c.between("Dim", s.Dim, 16, 128)
	c.between("Heads", s.Heads, 1, 128)
	c.between("KVHeads", s.KVHeads, 1, 128)
	c.want(s.heads() <= 255, "Heads", s.Heads, "at most 255 with those of keys and values")
	c.between("MaxTokens", s.MaxTokens, 1, maxTokens)
	if c.err == nil {
		c.between("MaxPages", s.MaxPages, 1, MaxPages(s.KVHeads, s.Dim))
	}
	return c.err
}

type rotary struct {
	*kernel.Builder
	spec          RotarySpec
	tokens, pages kernel.Int
	qkv, rope     *kernel.Global
	q             *kernel.Global
	keys, values  *kernel.Global
	places        *kernel.Global

	placeTiles, rows, ropes, qs, ks, vs *kernel.Ring
}

// heads is the number of heads of a row of qkv.
func (s RotarySpec) heads() int { return s.Heads + 2*s.KVHeads }

func (k *rotary) tensors() {
	s := k.spec
	k.tokens = k.Param("tokens", 1, s.MaxTokens)
	k.pages = k.Param("pages", 1, s.MaxPages)
	// A head is a row here: the bytes are those of [T, heads·Dim].
	k.qkv = k.Input("qkv", kernel.F16, kernel.Matrix(k.tokens.MulN(s.heads()), s.Dim))
	k.rope = k.Input("rope", kernel.F32, kernel.Matrix(k.tokens, s.Dim))
	k.places = k.Input("places", kernel.I32, TokenRows(k.tokens, 2))
	k.q = k.Output("q", kernel.F16, kernel.Matrix(k.tokens.MulN(s.Heads), s.Dim))
	k.keys = k.InOut("keys", kernel.F16, Pages(k.pages, s.KVHeads, s.Dim))
	k.values = k.InOut("values", kernel.F16, Pages(k.pages, s.KVHeads, s.Dim))
}

func (k *rotary) tiles() {
	s := k.spec
	k.placeTiles = k.Ring("placeTile", 2, kernel.VecTile(kernel.I32, 1, lanes))
	k.rows = k.Ring("row", 2, kernel.VecTile(kernel.F16, s.heads(), s.Dim))
	k.ropes = k.Ring("ropeTile", 2, kernel.VecTile(kernel.F32, 1, s.Dim))
	k.qs = k.Ring("turned", 2, kernel.VecTile(kernel.F16, s.Heads+s.KVHeads, s.Dim))
	line := kernel.VecTile(kernel.F16, 1, s.KVHeads*s.Dim)
	k.ks, k.vs = k.Ring("keyRow", 2, line), k.Ring("valueRow", 2, line)
}

func (k *rotary) token(u kernel.Int) {
	s := k.spec
	place, row, rope := k.placeTiles.Next(), k.rows.Next(), k.ropes.Next()
	k.Load(place, k.places.Rows(u, n(1)))
	k.Load(row, k.qkv.Rows(u.MulN(s.heads()), n(s.heads())))
	k.Load(rope, k.rope.Rows(u, n(1)))
	turned := k.qs.Next()
	k.turn(turned, row.Head(n(s.Heads+s.KVHeads)), rope)
	k.Store(k.q.Rows(u.MulN(s.Heads), n(s.Heads)), turned.Head(n(s.Heads)))
	k.Note("heads of k and v side by side, into their pages")
	key, value := k.ks.Next(), k.vs.Next()
	k.line(key, turned, s.Heads)
	k.line(value, row, s.Heads+s.KVHeads)
	page := k.ReadInt("page", place, n(0), k.pages.SubN(1))
	position := k.ReadInt("position", element(place, n(0), n(1)), n(0), n(PageRows-1))
	k.Store(PageRow(k.keys, page, position), key)
	k.Store(PageRow(k.values, page, position), value)
}

// line copies the rows of KVHeads heads from the first on into one row.
func (k *rotary) line(dst, src kernel.Tile, first int) {
	k.For("head", n(0), n(k.spec.KVHeads), 1, func(h kernel.Int) {
		k.Move(dst.Span(h.MulN(k.spec.Dim), n(k.spec.Dim)), src.At(h.AddN(first)))
	})
}

// turn rotates every head, in f32.
func (k *rotary) turn(dst, src, rope kernel.Tile) {
	k.Note("lo, hi = lo * cos - hi * sin, hi * cos + lo * sin")
	heads, dim := k.spec.Heads+k.spec.KVHeads, k.spec.Dim
	half := n(dim / 2)
	lo := func(t kernel.Tile) kernel.Tile { return t.Span(n(0), half) }
	hi := func(t kernel.Tile) kernel.Tile { return t.Span(half, half) }
	cos, sin := lo(rope), hi(rope)
	wide := kernel.VecTile(kernel.F32, heads, dim)
	x, y := k.Tile("x", wide), k.Tile("y", wide)
	part := k.Tile("part", kernel.VecTile(kernel.F32, heads, dim/2))
	k.Cast(x, src, kernel.Exact)
	k.Mul(lo(y), lo(x), cos)
	k.Mul(part, hi(x), sin)
	k.Sub(lo(y), lo(y), part)
	k.Mul(hi(y), hi(x), cos)
	k.Mul(part, lo(x), sin)
	k.Add(hi(y), hi(y), part)
	k.Cast(dst, y, kernel.Nearest)
}
