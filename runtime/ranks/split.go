package ranks

import (
	"cmp"
	"slices"

	"moge/runtime/device"
)

// split is how the tokens and wanted rows of one step lie over the groups. Its memory is used again.
type split struct {
	groups device.Groups

	parts []device.Batch // by group; their sequences are numbers within it
	world int            // rows of all groups, padding included
	place []int32        // by token: its row of the world
	rows  []int32        // of the world, ascending: those whose logits are wanted
	at    []int          // by wanted row of the step: its number in rows
	order []int
}

// of cuts a step that was checked.
func (s *split) of(b device.Batch) {
	if s.parts == nil {
		s.parts = make([]device.Batch, s.groups.DP)
	}
	for g := range s.parts {
		p := &s.parts[g]
		p.Tokens, p.Positions, p.Sequences = p.Tokens[:0], p.Positions[:0], p.Sequences[:0]
	}
	s.place = append(s.place[:0], make([]int32, len(b.Tokens))...)
	most := 0
	for _, t := range device.OrderOf(b).Tokens { // each group in the order of cards, so that all know it
		group, local := s.groups.Of(int(b.Sequences[t]))
		p := &s.parts[group]
		s.place[t] = int32(len(p.Tokens))
		p.Tokens = append(p.Tokens, b.Tokens[t])
		p.Positions = append(p.Positions, b.Positions[t])
		p.Sequences = append(p.Sequences, int32(local))
		most = max(most, len(p.Tokens))
	}
	rows := s.groups.Rows(most)
	for t, seq := range b.Sequences {
		group, _ := s.groups.Of(int(seq))
		s.place[t] += int32(group * rows)
	}
	s.world = s.groups.World(most)
	s.sortRows(b.Rows)
	for g := range s.parts {
		p := &s.parts[g]
		p.Rows, p.Pad, p.World = s.rows, most, s.world
	}
}

// sortRows brings the wanted rows in the order of the world.
func (s *split) sortRows(wanted []int32) {
	s.rows, s.order, s.at = s.rows[:0], s.order[:0], s.at[:0]
	for i := range wanted {
		s.order, s.at = append(s.order, i), append(s.at, 0)
	}
	slices.SortFunc(s.order, func(a, b int) int {
		return cmp.Compare(s.place[wanted[a]], s.place[wanted[b]])
	})
	for k, i := range s.order {
		s.rows = append(s.rows, s.place[wanted[i]])
		s.at[i] = k
	}
}
