package gate

import (
	"fmt"
	"iter"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// embed: a row of the result is a row of the table. Only rows that are taken hold numbers.
func embed(s kernels.EmbedSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for _, tokens := range shapes.counts(s.MaxTokens) {
			rows := s.TableRows
			if s.Step {
				rows = min(tokens+3, rows)
			}
			if !yield(embedCase(s, tokens, rows, seed)) {
				return
			}
		}
	}
}

func embedCase(s kernels.EmbedSpec, tokens, tableRows int, seed uint64) *Case {
	r := random(seed, uint64(tokens))
	ids := make([]int32, tokens)
	for i := range ids {
		ids[i] = int32(r.IntN(tableRows))
	}
	ids[0], ids[tokens-1] = int32(tableRows-1), 0
	row := func(id int32) []float32 { return normals(random(seed, uint64(id)+1<<32), s.Width, 1) }
	want := make([]float32, 0, tokens*s.Width)
	for _, id := range ids {
		want = append(want, row(id)...)
	}
	c := &Case{Name: fmt.Sprintf("%d tokens of %d rows", tokens, tableRows),
		Params:  map[string]int{"tokens": tokens},
		Tensors: map[string][]byte{"ids": ints(spread(ids, 1, lanes))},
		Fills: map[string]func([]byte){"table": func(to []byte) {
			for i, id := range ids {
				copy(to[int(id)*s.Width*2:], halves(want[i*s.Width:][:s.Width]))
			}
		}},
		Want: []Output{equal("out", dtype.F16, want, s.Width)}}
	if s.Step {
		c.Params["tableRows"] = tableRows
	}
	return c
}
