package gate

import (
	"fmt"
	"iter"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// dispatch: a row of the result, and its scale, is that of the token that the row is of.
func dispatch(s kernels.DispatchSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for i, of := range shapes.selections(s.MaxTokens) {
			r := random(seed, uint64(i))
			ids := of.ids(r, 4*s.PerToken, s.PerToken, false)
			sources := newSorted(ids, 4*s.PerToken, s.PerToken).sources
			q := make([]int8, of.tokens*s.Width)
			for i := range q {
				q[i] = int8(r.IntN(255) - 127)
			}
			c := dispatchCase(s, of, sources, q)
			if !s.Static {
				c.moves(sources, normals(r, of.tokens, 1))
			}
			if !yield(c) {
				return
			}
		}
	}
}

func dispatchCase(s kernels.DispatchSpec, of selection, sources []int32, q []int8) *Case {
	return &Case{Name: fmt.Sprintf("%d tokens%v", of.tokens, of.choice),
		Params:  map[string]int{"tokens": of.tokens},
		Tensors: map[string][]byte{"q": int8s(q), "sources": ints(sources)},
		Want: []Output{{Tensor: "rows", Type: dtype.I8, Rows: len(sources), Cols: s.Width,
			Pitch: s.Width, Why: "exact",
			Want: func(row, col int) (value, bound float64) {
				return float64(q[int(sources[row])*s.Width+col]), 0
			}}}}
}

// moves adds the scales of tokens to a dispatch.
func (c *Case) moves(sources []int32, scales []float32) {
	c.Tensors["scale"] = floats(repeated(scales, lanes))
	c.Want = append(c.Want, Output{Tensor: "rowScale", Type: dtype.F32, Rows: len(sources),
		Cols: lanes, Pitch: lanes, Why: "exact",
		Want: func(row, _ int) (value, bound float64) { return float64(scales[sources[row]]), 0 }})
}
