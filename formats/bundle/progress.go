package bundle

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"sync"

	"moge/formats/durable"
)

type rankState struct {
	file     durable.File
	dirty    bool // written since the last sync
	sections []sectionState
}

// sectionState is the progress of one section. owner is the section whose bytes it shares, or
// itself.
type sectionState struct {
	owner        int
	offset, size int64
	done         []span // claimed by Put, ascending, not touching

	mu     sync.Mutex
	sum    hash.Hash // SHA-256 of the first hashed bytes
	hashed int64
}

type span struct{ start, end int64 }

// newStates makes the progress of all sections, nothing done.
func (w *Writer) newStates() {
	w.ranks = make([]rankState, len(w.job.Manifest.Ranks))
	for i, r := range w.job.Manifest.Ranks {
		first := map[int64]int{}
		w.ranks[i].sections = make([]sectionState, len(r.Sections))
		for k, s := range r.Sections {
			if _, seen := first[s.Offset]; !seen {
				first[s.Offset] = k
			}
			state := &w.ranks[i].sections[k]
			state.owner, state.offset, state.size = first[s.Offset], s.Offset, s.Size
			state.sum = sha256.New()
		}
	}
}

// gaps are the ranges that nothing has claimed.
func (s *sectionState) gaps() []span {
	var gaps []span
	at := int64(0)
	for _, d := range s.done {
		if d.start > at {
			gaps = append(gaps, span{at, d.start})
		}
		at = d.end
	}
	if at < s.size {
		gaps = append(gaps, span{at, s.size})
	}
	return gaps
}

// claim marks a range as done; false if a part of it is so already.
func (s *sectionState) claim(c span) bool {
	i, _ := slices.BinarySearchFunc(s.done, c.start, func(d span, at int64) int {
		if d.end <= at {
			return -1
		}
		return 1
	})
	if i < len(s.done) && s.done[i].start < c.end {
		return false
	}
	s.done = slices.Insert(s.done, i, c)
	if i+1 < len(s.done) && s.done[i+1].start == c.end {
		s.done[i].end = s.done[i+1].end
		s.done = slices.Delete(s.done, i+1, i+2)
	}
	if i > 0 && s.done[i-1].end == c.start {
		s.done[i-1].end = s.done[i].end
		s.done = slices.Delete(s.done, i, i+1)
	}
	return true
}

// section returns the progress that a chunk belongs to, or an error that says why there is none.
func (w *Writer) section(c Chunk) (*sectionState, error) {
	if c.Rank < 0 || c.Rank >= len(w.ranks) ||
		c.Section < 0 || c.Section >= len(w.ranks[c.Rank].sections) {
		return nil, fmt.Errorf("chunk of rank %d, section %d: there is no such section",
			c.Rank, c.Section)
	}
	s := &w.ranks[c.Rank].sections[c.Section]
	if s.owner != c.Section {
		return nil, fmt.Errorf("chunk of rank %d, section %d: it shares the bytes of section %d",
			c.Rank, c.Section, s.owner)
	}
	if c.Offset < 0 || c.Size < 1 || c.Offset > s.size-c.Size {
		return nil, fmt.Errorf("chunk of rank %d, section %d: bytes [%d, %d) of %d",
			c.Rank, c.Section, c.Offset, c.Offset+c.Size, s.size)
	}
	return s, nil
}

// absorb adds bytes to the section's hash if they are the next ones.
func (s *sectionState) absorb(offset int64, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashed == offset {
		s.sum.Write(data)
		s.hashed += int64(len(data))
	}
}
