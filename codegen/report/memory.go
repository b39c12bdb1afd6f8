package report

import (
	"slices"
)

// Memory is what one rank needs; all ranks need the same.
type Memory struct {
	Weights  int64  `json:"weights"` // length of its file
	Parts    []Size `json:"weight_parts"`
	Sections int    `json:"sections"`
	Arena    int64  `json:"arena"`
	Position int64  `json:"cache_per_position"`
	// Sequences is how many a rank has of the program's limit.
	Sequences int64   `json:"sequences"`
	Caches    []Cache `json:"caches"`
	Chip      *Chip   `json:"chip,omitempty"`
	// Free is what is left on the chip for the cache, negative if weights and arena do not fit, and
	// Positions how many positions fit into it.
	Free      int64 `json:"free,omitempty"`
	Positions int64 `json:"free_positions,omitempty"`
}

// Size is bytes of something.
type Size struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// Cache is the keys and values of sequences on a rank, without the rest of their last pages.
type Cache struct {
	Sequences int64 `json:"sequences"` // of the rank
	Context   int64 `json:"context"`
	Bytes     int64 `json:"bytes"`
	Fits      *bool `json:"fits,omitempty"` // on the chip, if it is known
}

func (w *walk) memory(chip *Chip) Memory {
	rank := w.manifest.Ranks[0]
	m := Memory{Weights: rank.Size, Sections: len(rank.Sections), Arena: int64(w.program.ArenaBytes),
		Chip: chip, Sequences: ceilDiv(w.program.Limits.MaxSeqs, int64(w.placed.Attn.DP))}
	m.Parts = w.weightParts()
	for _, s := range w.program.States {
		m.Position = plus(m.Position, PositionBytes(s))
	}
	if chip != nil {
		m.Free = chip.Memory - chip.Reserve - m.Weights - m.Arena
		if m.Position > 0 {
			m.Positions = max(m.Free, 0) / m.Position
		}
	}
	for _, sequences := range ladder(m.Sequences) {
		for _, context := range ladder(w.program.Limits.Context) {
			c := Cache{Sequences: sequences, Context: context,
				Bytes: times(m.Position, times(sequences, context))}
			if chip != nil {
				fits := c.Bytes <= m.Free
				c.Fits = &fits
			}
			m.Caches = append(m.Caches, c)
		}
	}
	return m
}

// ladder is up to four numbers that end with top, each a quarter of the next.
func ladder(top int64) []int64 {
	list := []int64{top}
	for len(list) < 4 && list[0] >= 4 {
		list = slices.Insert(list, 0, list[0]/4)
	}
	return list
}

// weightParts is the sections by part, in the order of Parts; sections with the same bytes count once.
func (w *walk) weightParts() []Size {
	sums, last := map[string]int64{}, int64(-1)
	for _, s := range w.manifest.Ranks[0].Sections {
		if s.Offset > last { // an earlier offset is that of an earlier section
			sums[partOf(s.Name)] = plus(sums[partOf(s.Name)], s.Size)
			last = s.Offset
		}
	}
	list := []Size{}
	for _, part := range Parts() {
		if sums[part] > 0 {
			list = append(list, Size{part, sums[part]})
		}
	}
	return list
}
