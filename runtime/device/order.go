package card

import "moge/runtime/device"

// order is a batch as the kernels take it: first the sequences with one token, then each other
// sequence with its tokens one after another, both in order of their first tokens.
type order struct {
	tokens    []int  // of the caller's batch, in the card's order
	at        []int  // by the caller's token: its row on the card
	sequences []span // of the step, in the card's order
	decode    int    // of these, how many have one token
}

// span is the rows of one sequence.
type span struct{ sequence, first, count int }

func orderOf(b device.Batch) *order {
	var seen []int32
	of := map[int32][]int{}
	for t, s := range b.Sequences {
		if of[s] == nil {
			seen = append(seen, s)
		}
		of[s] = append(of[s], t)
	}
	o := &order{at: make([]int, len(b.Tokens))}
	for _, single := range []bool{true, false} {
		for _, s := range seen {
			if (len(of[s]) == 1) != single {
				continue
			}
			o.sequences = append(o.sequences, span{int(s), len(o.tokens), len(of[s])})
			o.tokens = append(o.tokens, of[s]...)
		}
		if single {
			o.decode = len(o.sequences)
		}
	}
	for row, t := range o.tokens {
		o.at[t] = row
	}
	return o
}
