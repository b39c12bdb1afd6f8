package gate

import (
	"fmt"
	"iter"
	"slices"

	"moge/ascend/kernels"
)

// prefill is causal attention of consecutive new tokens of one sequence.
func prefill(s kernels.AttentionPrefillSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		most := s.MaxPages * kernels.PageRows
		for i, p := range shapes.prompts(s.MaxTokens, most) {
			if !yield(prefillCase(s, p, random(seed, uint64(i)).Uint64())) {
				return
			}
		}
	}
}

// prompt is new tokens of a sequence: the position of the first, and how many.
type prompt struct{ start, tokens int }

// prompts are a token, more than a page has left, a few; with All every count from the beginning,
// and both sides of edges of pages and of chunks. They have at most tokens tokens, and end at most.
func (s Shapes) prompts(tokens, most int) []prompt {
	list := []prompt{{0, 1}, {250, 12}, {0, 33}}
	if s == All {
		list = []prompt{{255, 1}, {255, 2}, {256, 24}, {511, 3}, {500, 25}, {767, 258}, {2047, 2},
			{2049, 30}, {4090, 6}, {4095, 2}, {0, 255}, {0, 256}, {0, 257}, {300, 1025}}
		for _, n := range s.counts(tokens) {
			list = append(list, prompt{0, n})
		}
	}
	var out []prompt
	for _, p := range list {
		p.tokens = min(p.tokens, tokens, most)
		p.start = min(p.start, most-p.tokens)
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func prefillCase(s kernels.AttentionPrefillSpec, p prompt, seed uint64) *Case {
	length := p.start + p.tokens
	c := newCache(random(seed, 0), s.KVHeads, s.Dim, s.PoolPages, []int{length})
	q := queries(random(seed, 1), p.tokens, s.Heads*s.Dim)
	of := &Case{Name: fmt.Sprintf("%d tokens from %d", p.tokens, p.start),
		Params:  map[string]int{"tokens": p.tokens, "start": p.start},
		Tensors: map[string][]byte{"q": halves(q)},
		Want: []Output{c.output(q, s.Heads, p.tokens, s.Scale,
			func(row int) (sequence, positions int) { return 0, p.start + row + 1 })}}
	c.into(of, alignUp(s.MaxPages, lanes))
	return of
}
