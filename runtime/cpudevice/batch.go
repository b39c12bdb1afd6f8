package cpudevice

import (
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
