package gate

import (
	"fmt"
	"iter"
	"math/rand/v2"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// combine is the weighted sum of the rows of each token.
func combine(s kernels.CombineSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for i, of := range shapes.selections(s.MaxTokens) {
			if !yield(combineCase(s, of, random(seed, uint64(i)))) {
				return
			}
		}
	}
}

func combineCase(s kernels.CombineSpec, of selection, r *rand.Rand) *Case {
	const groups = 4
	ids := of.ids(r, groups*s.PerToken, s.PerToken, s.Ascending)
	sum := &combined{spec: s, sorted: newSorted(ids, groups*s.PerToken, s.PerToken),
		rows: normals(r, len(ids)*s.Width, 3)}
	for range ids {
		sum.weights = append(sum.weights, r.Float32())
	}
	sum.weights[0] = 0
	c := &Case{Name: fmt.Sprintf("%d tokens%v", of.tokens, of.choice),
		Params: map[string]int{"tokens": of.tokens},
		Tensors: map[string][]byte{"rows": halves(sum.rows),
			"places":  ints(spread(sum.places, s.PerToken, lanes)),
			"weights": floats(spread(sum.weights, s.PerToken, lanes))}}
	if !s.Ascending {
		c.Tensors["picks"] = ints(spread(sum.picks, s.PerToken, lanes))
	}
	if s.Shared {
		sum.shared = normals(r, of.tokens*s.Width, 3)
		c.Tensors["shared"] = halves(sum.shared)
	}
	c.Want = []Output{{Tensor: "out", Type: dtype.F16, Rows: of.tokens, Cols: s.Width,
		Pitch: s.Width, Why: "exact",
		Want: func(row, col int) (value, bound float64) { return float64(sum.at(row, col)), 0 }}}
	return c
}

// combined is a combine and its arguments.
type combined struct {
	*sorted
	spec                  kernels.CombineSpec
	rows, weights, shared []float32
}

// at is the IR's combine, and then its add: in f32 from 0, rows ascending, each product and each
// sum rounded, at last to half.
func (c *combined) at(token, col int) float32 {
	sum := float32(0)
	for i := token * c.perToken; i < (token+1)*c.perToken; i++ {
		weight := c.weights[token*c.perToken+int(c.picks[i])]
		sum = float32(sum + float32(c.rows[int(c.places[i])*c.spec.Width+col]*weight))
	}
	if c.shared != nil {
		sum = float32(sum + c.shared[token*c.spec.Width+col])
	}
	return asHalf(sum)
}
