package device

// Order is a batch as cards take it: first the sequences with one token, then each other sequence with
// its tokens one after another, both in order of their first tokens.
type Order struct {
	Tokens    []int  // of the caller's batch, in the card's order
	At        []int  // by the caller's token: its row on the card
	Sequences []Span // of the step, in the card's order
	Decode    int    // of these, how many have one token
}

// Span is the rows of one sequence.
type Span struct{ Sequence, First, Count int }

// OrderOf orders a batch.
func OrderOf(b Batch) *Order {
	var seen []int32
	of := map[int32][]int{}
	for t, s := range b.Sequences {
		if of[s] == nil {
			seen = append(seen, s)
		}
		of[s] = append(of[s], t)
	}
	o := &Order{At: make([]int, len(b.Tokens))}
	for _, single := range []bool{true, false} {
		for _, s := range seen {
			if (len(of[s]) == 1) != single {
				continue
			}
			o.Sequences = append(o.Sequences, Span{int(s), len(o.Tokens), len(of[s])})
			o.Tokens = append(o.Tokens, of[s]...)
		}
		if single {
			o.Decode = len(o.Sequences)
		}
	}
	for row, t := range o.Tokens {
		o.At[t] = row
	}
	return o
}
