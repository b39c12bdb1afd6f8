package cpudevice

import (
	"fmt"

	"moge/runtime/device"
	"moge/runtime/kv"
)

// sequences is how long the sequences are: as the cache says, or by itself for a program
// without states.
type sequences struct {
	cache   *kv.Cache
	context int
	lengths []int // positions each sequence will have after the step
	before  []int // and had before it, where it takes part
	touched []int // sequences that take part
}

func newSequences(cache *kv.Cache, limits device.Limits) *sequences {
	return &sequences{cache: cache, context: limits.Context,
		lengths: make([]int, limits.Seqs), before: make([]int, limits.Seqs)}
}

func (s *sequences) length(sequence int) int { return s.lengths[sequence] }

func (s *sequences) truncate(sequence, length int) {
	s.lengths[sequence] = length
	if s.cache != nil {
		s.cache.Truncate(sequence, length)
	}
}

// reserve makes room for a batch that was checked, or changes nothing.
func (s *sequences) reserve(b device.Batch) error {
	s.touched = s.touched[:0]
	for _, seq := range b.Sequences {
		if q := int(seq); s.lengths[q] >= 0 {
			s.before[q] = s.lengths[q]
			s.lengths[q] = -1 // seen
			s.touched = append(s.touched, q)
		}
	}
	for _, q := range s.touched {
		s.lengths[q] = s.before[q]
	}
	for t, seq := range b.Sequences {
		s.lengths[seq] = int(b.Positions[t]) + 1
	}
	if s.cache == nil {
		return nil
	}
	for _, q := range s.touched {
		if err := s.cache.Reserve(q, s.lengths[q]); err != nil {
			s.rollback()
			return err
		}
	}
	return nil
}

// rollback undoes the last reserve.
func (s *sequences) rollback() {
	for _, q := range s.touched {
		s.lengths[q] = s.before[q]
		if s.cache != nil && s.cache.Len(q) > s.before[q] {
			s.cache.Truncate(q, s.before[q])
		}
	}
	s.touched = s.touched[:0]
}

// check refuses a batch that is not a step of this program.
func (r *runner) check(b device.Batch) error {
	n, l := len(b.Tokens), r.limits
	switch {
	case n == 0:
		return fmt.Errorf("a step of no tokens")
	case n > l.BatchTokens:
		return fmt.Errorf("a step of %d tokens, at most %d are allowed", n, l.BatchTokens)
	case len(b.Positions) != n || len(b.Sequences) != n:
		return fmt.Errorf("%d tokens with %d positions and %d sequences",
			n, len(b.Positions), len(b.Sequences))
	case len(b.Rows) > l.LogitsRows:
		return fmt.Errorf("logits of %d rows wanted, at most %d are allowed", len(b.Rows), l.LogitsRows)
	}
	last := int32(-1)
	for i, row := range b.Rows {
		if row <= last || int(row) >= n {
			return fmt.Errorf("row %d is %d: rows ascend and are below %d", i, row, n)
		}
		last = row
	}
	return r.checkTokens(b)
}

func (r *runner) checkTokens(b device.Batch) error {
	next := map[int32]int{}
	for t, seq := range b.Sequences {
		if seq < 0 || int(seq) >= r.limits.Seqs {
			return fmt.Errorf("token %d is of sequence %d, there are %d", t, seq, r.limits.Seqs)
		}
		if id := b.Tokens[t]; id < 0 || r.vocabulary > 0 && int64(id) >= r.vocabulary {
			return fmt.Errorf("token %d is %d, the vocabulary has %d tokens", t, id, r.vocabulary)
		}
		want, seen := next[seq]
		if !seen {
			want = r.cache.length(int(seq))
		}
		if int(b.Positions[t]) != want {
			return fmt.Errorf("token %d is at position %d of sequence %d, want %d",
				t, b.Positions[t], seq, want)
		}
		if want >= r.limits.Context {
			return &kv.ContextError{Seq: int(seq), Len: want + 1, Context: r.limits.Context}
		}
		next[seq] = want + 1
	}
	return nil
}
