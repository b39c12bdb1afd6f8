package kernels

import (
	"fmt"
	"testing"
)

// prefillCase is a launch of the prefill kernel.
type prefillCase struct {
	spec          AttentionPrefillSpec
	start, tokens int
	seed          uint64
}

// launch checks every token, or every step-th of them and the last.
func (p prefillCase) launch(r *rig, w *worst, step int) {
	r.t.Helper()
	s := p.spec
	c := newCache(p.seed, s.KVHeads, s.Dim, []int{p.start + p.tokens})
	width := s.Heads * s.Dim
	q := normals(p.seed+77, p.tokens*width, 1)
	l := &launch{kernel: s.Name, seed: p.seed,
		params: map[string]int{"tokens": p.tokens, "start": p.start, "poolPages": c.pool},
		tensors: map[string][]byte{"q": halves(q), "keys": c.pack(c.keys), "values": c.pack(c.values),
			"pages": c.table(tokenCols(s.MaxPages))}}
	r.run(l)
	out := l.halves("out")
	for i := range p.tokens {
		if i%step != 0 && i != p.tokens-1 {
			continue
		}
		for h := range s.Heads {
			at := i*width + h*s.Dim
			head, seen := h*s.KVHeads/s.Heads, p.start+i+1
			want, bound := c.attended(q[at:at+s.Dim], 0, head, seen, float64(s.Scale))
			for e := range want {
				what := fmt.Sprintf("%s at %d: out[%d of %d, %d, %d]", s.Name, p.start, i, p.tokens, h, e)
				w.within(r.t, what, out[at+e], want[e], bound[e])
			}
		}
	}
}

func smallPrefill() AttentionPrefillSpec {
	return AttentionPrefillSpec{Name: "attention_prefill_small", Heads: 4, KVHeads: 2, Dim: 16,
		Scale: 0.25, MaxTokens: 1100, MaxPages: 17, PoolPages: 100}
}

func truePrefill() AttentionPrefillSpec {
	return AttentionPrefillSpec{Name: "attention_prefill_true", Heads: 40, KVHeads: 8, Dim: 128,
		Scale: 0.088388347, MaxTokens: 4096, MaxPages: 128, PoolPages: 600}
}

// oddPrefill has 3 tokens a block and a width that is no power of two.
func oddPrefill() AttentionPrefillSpec {
	s := smallPrefill()
	s.Name, s.Heads, s.KVHeads, s.Dim = "attention_prefill_odd", 16, 1, 48
	return s
}

func TestAttentionPrefill(t *testing.T) {
	t.Parallel()
	small, whole, odd := smallPrefill(), truePrefill(), oddPrefill()
	r := newRig(t, 64, built(t)(AttentionPrefill(small)), built(t)(AttentionPrefill(whole)),
		built(t)(AttentionPrefill(odd)))
	var w worst
	for i, tokens := range tokenCounts {
		prefillCase{small, 0, tokens, uint64(i)}.launch(r, &w, 1)
	}
	for i, c := range []struct{ start, tokens int }{
		{0, 255}, {0, 256}, {0, 257}, {250, 12}, {255, 1}, {255, 2}, {256, 24}, {511, 3}, {500, 25},
		{2047, 2}, {2049, 30}, {300, 1025},
	} {
		prefillCase{small, c.start, c.tokens, uint64(100 + i)}.launch(r, &w, 7)
	}
	t.Logf("%s: largest error %.2f of the bound", small.Name, w.share)
	w = worst{}
	prefillCase{whole, 250, 12, 7}.launch(r, &w, 1)
	prefillCase{whole, 0, 33, 8}.launch(r, &w, 3)
	t.Logf("%s: largest error %.2f of the bound", whole.Name, w.share)
	w = worst{}
	prefillCase{odd, 10, 700, 9}.launch(r, &w, 11)
	t.Logf("%s: largest error %.2f of the bound", odd.Name, w.share)
}
