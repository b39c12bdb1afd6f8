package sample

import (
	"math"
	"slices"
)

// Top is what a device that ranks logits itself leaves of a row.
type Top struct {
	Values []float32 // the greatest logits, descending, equal ones by ascending id
	IDs    []int32   // whose they are
	Sum    float64   // Σ exp(logit - Values[0]) over the whole row
}

// NextTop picks a token from the greatest logits of a row, without the others. It gives the token that
// Next would where TopK or greedy decoding asks for no more than these; with TopP alone at temperature 1
// the total is the device's Sum, which may round otherwise than Next's. With ok false the choice may lie
// outside: nothing was drawn, and Next must be asked with all logits.
func (s *Sampler) NextTop(t Top) (id int32, ok bool) {
	if len(t.Values) == 0 || !(t.Values[0] >= -math.MaxFloat32 && t.Values[0] <= math.MaxFloat32) {
		return 0, false
	}
	p := s.params
	if p.Temperature == 0 {
		return t.IDs[0], true
	}
	known := p.TopK > 0 && p.TopK <= len(t.Values)
	if !known && (p.TopK != 0 || p.Temperature != 1 || p.TopP == 1) {
		return 0, false
	}
	s.heap.tokens, s.heap.top, s.heap.temperature = s.heap.tokens[:0], t.Values[0], p.Temperature
	s.ranked, s.sums = s.ranked[:0], s.sums[:0]
	count := len(t.Values)
	if known {
		count = p.TopK
	}
	sum := 0.0
	for i := range count {
		s.ranked = append(s.ranked, token{t.Values[i], t.IDs[i]})
		sum += s.heap.weight(s.ranked[i])
		s.sums = append(s.sums, sum)
	}
	total := t.Sum
	if known {
		total = s.totalByID()
	} else if p.TopP*total > sum {
		return 0, false
	}
	return s.pick(s.cut(total)), true
}

// totalByID is the weight of the ranked tokens, summed by ascending id.
func (s *Sampler) totalByID() float64 {
	byID := slices.Clone(s.ranked)
	slices.SortFunc(byID, func(a, b token) int { return int(a.id - b.id) })
	total := 0.0
	for _, t := range byID {
		total += s.heap.weight(t)
	}
	return total
}
