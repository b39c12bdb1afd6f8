package card

import "moge/runtime/kv"

// PageRows is the number of positions of a page of the cache.
const PageRows = 256

// pages is which pages of the cache each sequence has. All states share the numbering.
type pages struct {
	count, next int32   // in all, and never taken so far
	free        []int32 // given back; taken from the end
	owned       [][]int32
	length      []int
}

func newPages(sequences, count int) *pages {
	return &pages{count: int32(count), owned: make([][]int32, sequences), length: make([]int, sequences)}
}

// take is a free page; there must be one.
func (p *pages) take() int32 {
	if last := len(p.free) - 1; last >= 0 {
		page := p.free[last]
		p.free = p.free[:last]
		return page
	}
	p.next++
	return p.next - 1
}

// pagesOf is the number of pages of a sequence.
func pagesOf(length int) int { return (length + PageRows - 1) / PageRows }

// reserve makes room for a sequence of the given length, or changes nothing.
func (p *pages) reserve(sequence, length int) error {
	need := pagesOf(length) - len(p.owned[sequence])
	if free := len(p.free) + int(p.count-p.next); need > free {
		return &kv.OutOfPagesError{Seq: sequence, Need: need, Free: free}
	}
	for range need {
		p.owned[sequence] = append(p.owned[sequence], p.take())
	}
	p.length[sequence] = length
	return nil
}

// truncate shortens a sequence and gives back the pages that it no longer needs.
func (p *pages) truncate(sequence, length int) {
	keep := pagesOf(length)
	for i := len(p.owned[sequence]) - 1; i >= keep; i-- {
		p.free = append(p.free, p.owned[sequence][i])
	}
	p.owned[sequence], p.length[sequence] = p.owned[sequence][:keep], length
}
