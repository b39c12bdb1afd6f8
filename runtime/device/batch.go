package device

import (
	"fmt"

	"moge/runtime/kv"
)

// Check refuses a batch that is no step within the limits: vocabulary is the number of tokens, 0 for
// any; length tells how many positions a sequence has. The error is a *kv.ContextError where a sequence
// outgrows the context.
func (b Batch) Check(l Limits, vocabulary int64, length func(sequence int) int) error {
	n, world := len(b.Tokens), len(b.Tokens)
	if b.World > 0 {
		world = b.World
	}
	switch {
	case b.T() < 1:
		return fmt.Errorf("a step of no tokens")
	case n > b.T():
		return fmt.Errorf("%d tokens in a step of %d", n, b.T())
	case b.T() > l.BatchTokens:
		return fmt.Errorf("a step of %d tokens, at most %d are allowed", b.T(), l.BatchTokens)
	case len(b.Positions) != n || len(b.Sequences) != n:
		return fmt.Errorf("%d tokens with %d positions and %d sequences",
			n, len(b.Positions), len(b.Sequences))
	case len(b.Rows) > l.LogitsRows:
		return fmt.Errorf("logits of %d rows wanted, at most %d are allowed", len(b.Rows), l.LogitsRows)
	}
	last := int32(-1)
	for i, row := range b.Rows {
		if row <= last || int(row) >= world {
			return fmt.Errorf("row %d is %d: rows ascend and are below %d", i, row, world)
		}
		last = row
	}
	return b.checkTokens(l, vocabulary, length)
}

func (b Batch) checkTokens(l Limits, vocabulary int64, length func(sequence int) int) error {
	next := map[int32]int{}
	for t, seq := range b.Sequences {
		if seq < 0 || int(seq) >= l.Seqs {
			return fmt.Errorf("token %d is of sequence %d, there are %d", t, seq, l.Seqs)
		}
		if id := b.Tokens[t]; id < 0 || vocabulary > 0 && int64(id) >= vocabulary {
			return fmt.Errorf("token %d is %d, the vocabulary has %d tokens", t, id, vocabulary)
		}
		want, seen := next[seq]
		if !seen {
			want = length(int(seq))
		}
		if int(b.Positions[t]) != want {
			return fmt.Errorf("token %d is at position %d of sequence %d, want %d",
				t, b.Positions[t], seq, want)
		}
		if want >= l.Context {
			return &kv.ContextError{Seq: int(seq), Len: want + 1, Context: l.Context}
		}
		next[seq] = want + 1
	}
	return nil
}
