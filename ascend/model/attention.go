package model

import (
	"fmt"

	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
)

// ropeTable is the host's: cosines, then sines, of each token's position.
func (b *builder) ropeTable(n *ir.Node) error {
	dim := int(n.Int("dim"))
	b.rope = b.buffer(dtype.F32, rowsOf(1, rowsIn(n, 0)), dim)
	b.host(&bundlepb.Step{
		Op: bundlepb.OpCode_ROPE_TABLE, Site: n.Site, Results: []*bundlepb.Operand{b.rope},
		Attrs: []*bundlepb.Attr{
			{Name: "dim", Value: &bundlepb.Attr_I{I: int64(dim)}},
			{Name: "theta", Value: &bundlepb.Attr_F{F: float64(n.Float("theta"))}},
		}})
	return nil
}

// heads are the sizes of one attention.
type heads struct{ q, kv, dim int }

// attend launches rotation with the write to the cache, then attention of the sequences with one
// token and of each other sequence.
func (b *builder) attend(n *ir.Node) error {
	q, kv := n.Args[0].Type.Shape, n.Args[1].Type.Shape
	h := heads{int(q[1].Coef), int(kv[0].Coef), int(q[2].Coef)}
	qkv, err := b.projected(n, h)
	if err != nil {
		return err
	}
	// A row of the page table is whole blocks, whatever the context.
	perSequence := roundUp((b.limits.Context+kernels.PageRows-1)/kernels.PageRows, blockLanes)
	pool := min(perSequence*b.limits.Sequences, kernels.MaxPages(h.kv, h.dim))
	keys, values := b.state(n.Args[1].Def.Args[0]), b.state(n.Args[2].Def.Args[0])
	rotated := b.rotate(n, h, pool, args{"qkv": qkv, "keys": keys, "values": values})
	tables := b.input("pages", fixed(roundUp(b.limits.Sequences, 16)), perSequence)
	rows := rowsIn(n, 0)
	out := b.halves(rows, h.q*h.dim)
	b.put(n.Result(), out)
	prefill := kernels.AttentionPrefillSpec{
		Name:      fmt.Sprintf("attention_prefill_%dq_%dkv_%d", h.q, h.kv, h.dim),
		Heads:     h.q,
		KVHeads:   h.kv,
		Dim:       h.dim,
		Scale:     n.Float("scale"),
		MaxTokens: min(b.limits.Tokens, perSequence*kernels.PageRows), // all of one sequence
		MaxPages:  perSequence,
		PoolPages: pool,
	}
	a := args{"q": rotated, "keys": keys, "values": values, "pages": tables, "out": out}
	l := b.launch(n.Site, prefill, a,
		scalars{"tokens": word("count"), "start": word("start"), "poolPages": word("pages")})
	l.each, l.rows, l.tables = "prefill", []string{"q", "out"}, []string{"pages"}
	if rows.Div > 1 {
		l.pad = "out"
	}
	decode := kernels.AttentionDecodeSpec{
		Name:         fmt.Sprintf("attention_decode_%dq_%dkv_%d", h.q, h.kv, h.dim),
		Heads:        h.q,
		KVHeads:      h.kv,
		Dim:          h.dim,
		Scale:        n.Float("scale"),
		MaxSequences: b.limits.Sequences,
		MaxPages:     perSequence,
		PoolPages:    pool,
		HeadsPerUnit: 1,
		Parts:        b.parts(h.kv, perSequence),
	}
	lengths := b.input("lengths", fixed(roundUp((b.limits.Sequences+7)/8, 16)), blockLanes)
	a = args{
		"q":       rotated,
		"keys":    keys,
		"values":  values,
		"pages":   tables,
		"lengths": lengths,
		"out":     out,
	}
	l = b.launch(n.Site, decode, a,
		scalars{"sequences": word("sequences"), "poolPages": word("pages")})
	l.each = "decode"
	return nil
}

// parts is into how many parts each context is split, so that few sequences with few heads of keys keep
// every core busy.
func (b *builder) parts(kvHeads, pages int) int {
	units := kvHeads * b.limits.Sequences
	return max(1, min(int(b.chip.At(soc.CubeUnits))/units, pages, 8))
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// rotate launches the rotary kernel and returns the rotated queries.
func (b *builder) rotate(n *ir.Node, h heads, pool int, a args) *bundlepb.Operand {
	rows := rowsIn(n, 0)
	spec := kernels.RotarySpec{Name: fmt.Sprintf("rotary_%dq_%dkv_%d", h.q, h.kv, h.dim),
		Heads: h.q, KVHeads: h.kv, Dim: h.dim, MaxTokens: b.most(rows), MaxPages: pool}
	a["rope"], a["places"] = b.rope, b.input("places", rowsOf(1, rows), blockLanes)
	a["q"] = b.halves(rows, h.q*h.dim)
	tokens := count(rows)
	if rows.Div > 1 {
		tokens = ownTokens() // padding has no place in the cache
	}
	b.launch(n.Site, spec, a, scalars{"tokens": tokens, "pages": word("pages")})
	return a["q"]
}

// projected is the one buffer that holds queries, keys and values before rotation.
func (b *builder) projected(n *ir.Node, h heads) (*bundlepb.Operand, error) {
	refuse := func() (*bundlepb.Operand, error) {
		return nil, unsupported(n, "queries, keys and values must come from one projection, in this order, "+
			"the first two rotated, without norms of heads: leave FuseQKV and FuseRotary on")
	}
	if n.Args[1].Def.Op != ir.OpKVWrite || n.Args[2].Def.Op != ir.OpKVWrite || b.rope == nil {
		return refuse()
	}
	at := 0
	var from *ir.Value
	for i, part := range []struct {
		v       *ir.Value
		heads   int
		rotated bool
	}{{n.Args[0], h.q, true}, {n.Args[1].Def.Args[1], h.kv, true}, {n.Args[2].Def.Args[1], h.kv, false}} {
		v := through(part.v, ir.OpCast, ir.OpReshape)
		if part.rotated {
			if v.Def.Op != ir.OpRotary {
				return refuse()
			}
			v = through(v.Def.Args[0], ir.OpCast, ir.OpReshape)
		}
		s := v.Def
		end := at + part.heads*h.dim
		if s.Op != ir.OpSlice || s.Int("axis") != 1 || s.Int("lo") != int64(at) ||
			s.Int("hi") != int64(end) ||
			i > 0 && s.Args[0] != from {
			return refuse()
		}
		at, from = end, s.Args[0]
	}
	p, ok := b.at[from.ID]
	if !ok || int(from.Type.Shape[1].Coef) != at {
		return refuse()
	}
	return p.rows, nil
}

// through looks for the value behind ops of the given kinds.
func through(v *ir.Value, ops ...ir.Op) *ir.Value {
	for {
		found := false
		for _, op := range ops {
			found = found || v.Def.Op == op
		}
		if !found {
			return v
		}
		v = v.Def.Args[0]
	}
}
