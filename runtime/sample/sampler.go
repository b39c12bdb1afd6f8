package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// stream is the second half of the PCG state; the seed is the first.
const stream = 0x9e3779b97f4a7c15

// Sampler draws tokens for one sequence. It is not safe for concurrent use.
//
// The distribution is defined over the tokens ranked by logit, descending, then by id,
// ascending:
//
//  1. The first TopK stay, all if it is 0.
//  2. A token's weight is exp((logit - largest) / Temperature) in float64. Their total is
//     summed by ascending id.
//  3. With TopP below 1, the shortest prefix in rank order whose running sum of weights
//     reaches TopP * total stays, and the total becomes that sum.
//  4. One draw r = u * total, with u the top 53 bits of the generator scaled to [0, 1),
//     picks the first token in rank order whose running sum exceeds r.
//
// The generator is PCG-DXSM of math/rand/v2 (128 bits of state: seed, 0x9e3779b97f4a7c15).
// Greedy decoding draws nothing.
type Sampler struct {
	params Params
	random *rand.PCG
	heap   ranking   // scratch: tokens not yet ranked
	ranked []token   // scratch: tokens in rank order
	sums   []float64 // scratch: running sums of the ranked tokens' weights
}

// New returns a sampler at the start of its random sequence.
func New(p Params) (*Sampler, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &Sampler{params: p, random: rand.NewPCG(p.Seed, stream)}, nil
}

// Next picks a token id from logits [vocab]. -Inf excludes a token. NaN, +Inf and a row
// that excludes every token are errors.
func (s *Sampler) Next(logits []float32) (int32, error) {
	best, err := largest(logits)
	if err != nil {
		return 0, err
	}
	if s.params.Temperature == 0 {
		return best, nil
	}
	total := s.prepare(logits, logits[best])
	total = s.cut(total)
	return s.pick(total), nil
}

// largest is the id of the largest logit, the lowest among equals.
func largest(logits []float32) (int32, error) {
	best, top := -1, float32(math.Inf(-1))
	for id, v := range logits {
		if v != v || v > math.MaxFloat32 {
			return 0, fmt.Errorf("logit %d is %v; the model's output is not usable", id, v)
		}
		if v > top {
			best, top = id, v
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("none of the %d logits is above -Inf; no token can be chosen", len(logits))
	}
	return int32(best), nil
}

// prepare ranks what TopK needs and returns the total weight of the candidates.
func (s *Sampler) prepare(logits []float32, top float32) float64 {
	s.heap.reset(logits, top, s.params.Temperature)
	s.ranked, s.sums = s.ranked[:0], s.sums[:0]
	if k := s.params.TopK; k == 0 || k >= len(s.heap.tokens) {
		total := 0.0
		for id, v := range logits {
			total += s.heap.weight(token{v, int32(id)})
		}
		s.heap.build()
		return total
	}
	s.heap.build()
	for range s.params.TopK {
		s.rank()
	}
	s.heap.tokens = s.heap.tokens[:0]
	return s.totalByID()
}

// rank moves the next token in rank order from the heap to the ranked ones; false if none
// is left.
func (s *Sampler) rank() bool {
	if len(s.heap.tokens) == 0 {
		return false
	}
	t := s.heap.pop()
	sum := s.heap.weight(t)
	if n := len(s.sums); n > 0 {
		sum += s.sums[n-1]
	}
	s.ranked, s.sums = append(s.ranked, t), append(s.sums, sum)
	return true
}

// first is the position in rank order of the first running sum that reached accepts, and
// of the last candidate if none is.
func (s *Sampler) first(accepts func(sum float64) bool) int {
	for i := 0; ; i++ {
		if i == len(s.sums) && !s.rank() {
			return i - 1
		}
		if accepts(s.sums[i]) {
			return i
		}
	}
}

// cut applies TopP and returns the total weight of what stays.
func (s *Sampler) cut(total float64) float64 {
	if s.params.TopP == 1 {
		return total
	}
	share := s.params.TopP * total
	last := s.first(func(sum float64) bool { return sum >= share })
	s.heap.tokens = s.heap.tokens[:0]
	s.ranked, s.sums = s.ranked[:last+1], s.sums[:last+1]
	return s.sums[last]
}

func (s *Sampler) pick(total float64) int32 {
	u := float64(s.random.Uint64()>>11) * 0x1p-53
	r := u * total
	i := s.first(func(sum float64) bool { return sum > r })
	for i > 0 && s.heap.weight(s.ranked[i]) == 0 {
		i-- // rounding of the total left r above every sum: never take an excluded token
	}
	return s.ranked[i].id
}
