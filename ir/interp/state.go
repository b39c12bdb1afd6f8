package interp

import (
	"fmt"
	"maps"
	"slices"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
)

// State is the KV cache between steps: for every state name, sequence and position one
// row [heads, width] as it was stored.
type State struct {
	slots map[string]*slot
}

// NewState is an empty cache.
func NewState() *State { return &State{slots: map[string]*slot{}} }

// Clone copies the cache; steps on the copy leave the original alone.
func (s *State) Clone() *State { return &State{slots: maps.Clone(s.slots)} }

// Row is the row [heads, width] stored under a state name for a position of a sequence,
// read back as f32. The caller must not change it.
func (s *State) Row(name string, sequence, position int32) ([]float32, bool) {
	slot := s.slots[name]
	if slot == nil {
		return nil, false
	}
	row, ok := slot.rows[sequence][position]
	return row, ok
}

// slot is the value of one state. It never changes: writing gives a new one.
type slot struct {
	name string
	kind ir.Type
	rows map[int32]map[int32][]float32 // by sequence and position
}

func (s *State) slot(name string, kind ir.Type) (*slot, error) {
	found := s.slots[name]
	if found == nil {
		return &slot{name: name, kind: kind}, nil
	}
	if !found.kind.Equal(kind) {
		return nil, fmt.Errorf("state %q holds %v, the graph wants %v", name, found.kind, kind)
	}
	return found, nil
}

func (s *slot) heads() int { return int(s.kind.Shape[0].Coef) }
func (s *slot) width() int { return int(s.kind.Shape[1].Coef) }

// span reads the rows of positions first to last.
func (s *slot) span(sequence, first, last int32) ([][]float32, error) {
	var rows [][]float32
	for p := int64(first); p <= int64(last); p++ {
		row, ok := s.rows[sequence][int32(p)]
		if !ok {
			return nil, fmt.Errorf("state %q has no row at position %d of sequence %d", s.name, p,
				sequence)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func kvWrite(c *call) error {
	old, x := c.rows[0], c.args[1]
	positions, sequences := c.args[2].I32, c.args[3].I32
	next := &slot{name: old.name, kind: old.kind, rows: maps.Clone(old.rows)}
	if next.rows == nil {
		next.rows = map[int32]map[int32][]float32{}
	}
	for _, seq := range slices.Compact(slices.Sorted(slices.Values(sequences))) {
		if seq == padding {
			continue
		}
		if next.rows[seq] = maps.Clone(next.rows[seq]); next.rows[seq] == nil {
			next.rows[seq] = map[int32][]float32{}
		}
	}
	size := old.heads() * old.width()
	for t, p := range positions {
		if sequences[t] == padding {
			continue
		}
		if err := checkPlace(t, p, sequences[t]); err != nil {
			return err
		}
		next.rows[sequences[t]][p] = stored(old.kind, x.F32[t*size:(t+1)*size])
	}
	c.slot = next
	return nil
}

// padding is the sequence of rows that belong to none.
const padding = -1

func checkPlace(t int, position, sequence int32) error {
	if position < 0 || sequence < 0 {
		return fmt.Errorf("token %d is at position %d of sequence %d", t, position, sequence)
	}
	return nil
}

// stored is row x [heads, width] as the state gives it back: rounded to a float type, or
// quantized to i8 head by head.
func stored(kind ir.Type, x []float32) []float32 {
	row := make([]float32, len(x))
	if kind.DType != dtype.I8 {
		for i, v := range x {
			row[i] = tensor.Round(kind.DType, v)
		}
		return row
	}
	width := int(kind.Shape[1].Coef)
	q := make([]int8, width)
	for at := 0; at < len(x); at += width {
		s := quantizeRow(q, x[at:at+width])
		for i, v := range q {
			row[at+i] = float32(float32(v) * s)
		}
	}
	return row
}
