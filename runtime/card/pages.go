package card

import "moge/runtime/kv"

// PageRows is the number of positions of a page of the cache.
const PageRows = 256

// pages is which pages of the cache each sequence has. All states share the numbering.
type pages struct {
	free   []int32 // taken from the end
	owned  [][]int32
	length []int
}

func newPages(sequences, count int) *pages {
	p := &pages{owned: make([][]int32, sequences), length: make([]int, sequences)}
	for i := count - 1; i >= 0; i-- {
		p.free = append(p.free, int32(i))
	}
	return p
}

// reserve makes room for a sequence of the given length, or changes nothing.
func (p *pages) reserve(sequence, length int) error {
	need := (length+PageRows-1)/PageRows - len(p.owned[sequence])
	if need > len(p.free) {
		return &kv.OutOfPagesError{Seq: sequence, Need: need, Free: len(p.free)}
	}
	for range need {
		last := len(p.free) - 1
		p.owned[sequence] = append(p.owned[sequence], p.free[last])
		p.free = p.free[:last]
	}
	p.length[sequence] = length
	return nil
}

// truncate shortens a sequence and gives back the pages that it no longer needs.
func (p *pages) truncate(sequence, length int) {
	keep := (length + PageRows - 1) / PageRows
	for i := len(p.owned[sequence]) - 1; i >= keep; i-- {
		p.free = append(p.free, p.owned[sequence][i])
	}
	p.owned[sequence], p.length[sequence] = p.owned[sequence][:keep], length
}
