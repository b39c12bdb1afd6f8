package ranks

import (
	"fmt"

	"moge/runtime/kernels"
)

// Top is what a device that ranks logits leaves of its rows.
type Top struct {
	Values []float32 // [rows,count], descending, equal ones by ascending id; NaN above all numbers
	IDs    []int32   // [rows,count], whose they are
	Stats  []float32 // [rows,n], n ≥ 2: the greatest logit, and Σ exp(logit - greatest) over the whole row
}

// MergeTop puts together rows of which rank number i of len(parts) has the tokens i·B to (i+1)·B - 1 of
// the vocabulary, B = ceil(vocabulary/len(parts)), and counts ids from i·B. Row i of the result is row
// at[i] of the parts; ids of padding behind a part's tokens are left out; Stats has two columns for each
// row. Sums are in f32 in the order of the parts, each times exp of its greatest logit minus that of all.
// The error says what does not fit together.
func MergeTop(parts []Top, at []int, vocabulary int) (Top, error) {
	if len(at) == 0 {
		return Top{}, nil
	}
	count, wide := len(parts[0].IDs)/len(at), len(parts[0].Stats)/len(at)
	for i, p := range parts {
		if len(p.IDs) != count*len(at) || len(p.Values) != len(p.IDs) || len(p.Stats) != wide*len(at) ||
			wide < 2 {
			return Top{}, fmt.Errorf("part %d has %d values, %d ids and %d statistics for %d rows", i,
				len(p.Values), len(p.IDs), len(p.Stats), len(at))
		}
	}
	m := merger{
		parts:      make([]Top, len(parts)),
		block:      blockOf(vocabulary, len(parts)),
		vocabulary: vocabulary,
	}
	var out Top
	for _, row := range at {
		for i, p := range parts {
			m.parts[i] = Top{p.Values[row*count:][:count], p.IDs[row*count:][:count], p.Stats[row*wide:][:2]}
		}
		greatest, sum := m.stats()
		out.Stats = append(out.Stats, greatest, sum)
		for range count {
			value, id, ok := m.next()
			if !ok {
				return Top{}, fmt.Errorf("the parts have fewer than %d tokens", count)
			}
			out.Values, out.IDs = append(out.Values, value), append(out.IDs, id)
		}
	}
	return out, nil
}

// merger takes the greatest of what is left of the parts of one row.
type merger struct {
	parts             []Top
	block, vocabulary int
}

// next takes the greatest value; of equal ones that of the first part, which has the lowest id.
func (m *merger) next() (value float32, id int32, ok bool) {
	best := -1
	for i := range m.parts {
		m.skipPadding(i)
		p := &m.parts[i]
		if len(p.IDs) > 0 && (best < 0 || larger(p.Values[0], m.parts[best].Values[0])) {
			best = i
		}
	}
	if best < 0 {
		return 0, 0, false
	}
	p := &m.parts[best]
	value, id = p.Values[0], p.IDs[0]+int32(best*m.block)
	p.Values, p.IDs = p.Values[1:], p.IDs[1:]
	return value, id, true
}

// skipPadding drops ids that are no tokens of part i.
func (m *merger) skipPadding(i int) {
	p, tokens := &m.parts[i], min(m.block, m.vocabulary-i*m.block)
	for len(p.IDs) > 0 && (p.IDs[0] < 0 || int(p.IDs[0]) >= tokens) {
		p.Values, p.IDs = p.Values[1:], p.IDs[1:]
	}
}

// stats are the greatest logit of all parts and the sum of exponentials relative to it.
func (m *merger) stats() (greatest, sum float32) {
	greatest = m.parts[0].Stats[0]
	for _, p := range m.parts[1:] {
		if larger(p.Stats[0], greatest) {
			greatest = p.Stats[0]
		}
	}
	for _, p := range m.parts {
		if p.Stats[0] == greatest {
			sum += p.Stats[1]
		} else if weight := kernels.Exp(p.Stats[0] - greatest); weight != 0 {
			sum += float32(p.Stats[1] * weight)
		}
	}
	return greatest, sum
}

// larger orders numbers, NaN above all of them.
func larger(a, b float32) bool { return a > b || a != a && b == b }
