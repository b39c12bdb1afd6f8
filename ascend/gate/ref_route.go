package gate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// choice is how tokens choose their experts.
type choice int

const (
	anyExperts  choice = iota // each token its own
	sameExperts               // all tokens the same ones
	lastExperts               // and these are the last
)

// String ends the name of a case.
func (c choice) String() string {
	return [...]string{"", ", all to the same experts", ", all to the last experts"}[c]
}

// selection is a number of tokens and how they choose.
type selection struct {
	tokens int
	choice choice
}

// selections are tokens of several blocks that all choose the same experts, so that most experts
// have none; then all counts below and with most, with experts at random.
func (s Shapes) selections(most int) []selection {
	out := []selection{{min(most, 33), sameExperts}}
	if s == All {
		out = append(out, selection{1, lastExperts}, selection{min(most, 129), lastExperts})
	}
	for _, n := range s.counts(most) {
		out = append(out, selection{n, anyExperts})
	}
	return out
}

// chosen is the ids of experts of one token, distinct where there are enough of them: ascending,
// one of each of perToken equal groups, or in any order.
func (c choice) chosen(r *rand.Rand, experts, perToken int, ascending bool) []int32 {
	ids := make([]int32, perToken)
	order := r.Perm(experts)
	for j := range ids {
		from, to := 0, experts
		if ascending {
			from, to = j*experts/perToken, (j+1)*experts/perToken
		}
		switch size := max(to-from, 1); {
		case c == lastExperts && ascending:
			ids[j] = int32(from + size - 1)
		case c == lastExperts:
			ids[j] = int32(experts - 1 - j%experts)
		case ascending:
			ids[j] = int32(from + r.IntN(size))
		default:
			ids[j] = int32(order[j%experts])
		}
	}
	return ids
}

// ids is those of all tokens.
func (s selection) ids(r *rand.Rand, experts, perToken int, ascending bool) []int32 {
	var out []int32
	for token := range s.tokens {
		if s.choice == anyExperts || token == 0 {
			out = append(out, s.choice.chosen(r, experts, perToken, ascending)...)
		} else {
			out = append(out, out[:perToken]...)
		}
	}
	return out
}

// sorted is the IR's route of ids: slots by expert, equal ones by slot.
type sorted struct {
	perToken       int
	order, sources []int32 // slot and token of each row
	offsets        []int32 // first row of each expert, and the number of rows
	places, picks  []int32 // rows of each token, ascending, and which of its picks each is
}

func newSorted(ids []int32, experts, perToken int) *sorted {
	s := &sorted{perToken: perToken, order: make([]int32, len(ids)),
		offsets: make([]int32, experts+1), places: make([]int32, len(ids)),
		picks: make([]int32, len(ids))}
	for slot, e := range ids {
		s.order[slot] = int32(slot)
		s.offsets[e+1]++
	}
	for e := range experts {
		s.offsets[e+1] += s.offsets[e]
	}
	slices.SortStableFunc(s.order, func(a, b int32) int { return int(ids[a]) - int(ids[b]) })
	filled := make([]int, len(ids)/perToken)
	for row, slot := range s.order {
		token := int(slot) / perToken
		at := token*perToken + filled[token]
		s.sources = append(s.sources, int32(token))
		s.places[at], s.picks[at] = int32(row), slot%int32(perToken)
		filled[token]++
	}
	return s
}

// route sorts the slots of all tokens by expert.
func route(s kernels.RouteSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for i, of := range shapes.selections(s.MaxTokens) {
			ids := of.ids(random(seed, uint64(i)), s.Experts, s.PerToken, s.Ascending)
			if !yield(routeCase(s, of, ids)) {
				return
			}
		}
	}
}

func routeCase(s kernels.RouteSpec, of selection, ids []int32) *Case {
	want := newSorted(ids, s.Experts, s.PerToken)
	c := &Case{Name: fmt.Sprintf("%d tokens%v", of.tokens, of.choice),
		Params:  map[string]int{"tokens": of.tokens},
		Tensors: map[string][]byte{"ids": ints(spread(ids, s.PerToken, lanes))},
		Want: []Output{
			equal("order", dtype.I32, want.order, len(ids)),
			equal("sources", dtype.I32, want.sources, len(ids)),
			equal("offsets", dtype.I32, want.offsets, s.Experts+1),
			equal("places", dtype.I32, want.places, s.PerToken),
		}}
	if !s.Ascending {
		c.Want = append(c.Want, equal("picks", dtype.I32, want.picks, s.PerToken))
	}
	return c
}
