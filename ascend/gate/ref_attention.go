package gate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// attentionRows is how many different rows keys have, and values. A row in the wrong place is as
// visible as if all were different, but for one in so many, and the reference computes each score
// once.
const attentionRows = 128

// cache is keys and values of sequences, in pages of a pool that are taken in a shuffled order.
type cache struct {
	heads, dim, pool int
	lengths          []int
	keys, values     []matrix  // of each sequence [length, heads · dim]
	pages            [][]int32 // of each sequence
	keyRows          [][]float32
	valueRows        [][]float32
}

// newCache draws sequences of some lengths, and one page more than they need if the pool has it.
func newCache(r *rand.Rand, heads, dim, most int, lengths []int) *cache {
	c := &cache{heads: heads, dim: dim, lengths: lengths}
	for _, n := range lengths {
		c.pool += pagesOf(n)
	}
	c.pool = min(c.pool+1, most)
	keys := halfSet(r, attentionRows, heads*dim, 1)
	values := halfSet(r, attentionRows, heads*dim, 1)
	for i := range attentionRows {
		c.keyRows = append(c.keyRows, keys.halfRow(i))
		c.valueRows = append(c.valueRows, values.halfRow(i))
	}
	order := r.Perm(c.pool)
	for _, n := range lengths {
		var pages []int32
		for range pagesOf(n) {
			pages, order = append(pages, int32(order[0])), order[1:]
		}
		c.pages = append(c.pages, pages)
		c.keys, c.values = append(c.keys, keys.pick(r, n)), append(c.values, values.pick(r, n))
	}
	return c
}

// pagesOf is the pages of a context.
func pagesOf(length int) int { return (length + kernels.PageRows - 1) / kernels.PageRows }

// into adds the pages to a case. Rows that no position has hold numbers so large that a product
// with them would show.
func (c *cache) into(of *Case, cols int) {
	table := make([]int32, len(c.pages)*cols)
	for s, pages := range c.pages {
		copy(table[s*cols:], pages)
	}
	of.Tensors["pages"] = ints(table)
	of.Params["poolPages"] = c.pool
	of.Fills = map[string]func([]byte){
		"keys":   func(to []byte) { c.write(to, c.keys) },
		"values": func(to []byte) { c.write(to, c.values) }}
}

func (c *cache) write(to []byte, of []matrix) {
	for i := 0; i < len(to); i += 2 {
		binary.LittleEndian.PutUint16(to[i:], dtype.F32ToF16(60000*float32(1-2*(i/2%2))))
	}
	const rows = kernels.PageRows
	for s, pages := range c.pages {
		for i, page := range pages {
			at := to[int(page)*rows*c.heads*c.dim*2:]
			of[s].write(at, i*rows, min((i+1)*rows, c.lengths[s]), rows)
		}
	}
}

// queries is rows of queries. By turns their scores lie close to each other, and far apart, so that
// few positions have all of the probability.
func queries(r *rand.Rand, rows, width int) []float32 {
	q := normals(r, rows*width, 1)
	for i := range q {
		if i/width%3 == 1 {
			q[i] *= 4
		}
	}
	return q
}

// unit is the rounding of f32, relative.
const unit = 1.0 / (1 << 24)

// attended is softmax(scale · q · Kᵀ) · V of one head of one query, and bounds of its errors.
type attended struct{ values, bounds []float64 }

// attend computes q against the first n positions of a sequence, for a key head.
//
// A score is a sum of dim products in f32, scaled: its error, slack, is below dim + 2 roundings of
// the sum of magnitudes. Its difference from the greatest rounds once, relative to below; the
// exponential is within 8 units. Together with the error of the greatest score these change a
// probability p by a factor 1 + e, which moves the mean y by at most e·p·(|v| + |y|). Rounding p to
// half moves it by 2^-11·p·|v|, or 2^-25/total·|v| where that is more. The sums of n products and
// of n probabilities, with the rescaling of chunks and the division, are n + 64 roundings of f32 each.
// The result is rounded to half.
func (c *cache) attend(q []float32, sequence, head, n int, scale float64) *attended {
	y := &attended{make([]float64, c.dim), make([]float64, c.dim)}
	if n == 0 {
		return y
	}
	s := c.scores(q, sequence, head, n, scale)
	// By row of values: the weight, what errors of it move by |v|, and all that moves by |y|.
	weight, moved := make([]float64, attentionRows), make([]float64, attentionRows)
	moves := 0.0
	for i, row := range c.values[sequence].of[:n] {
		key := c.keys[sequence].of[i]
		p := s.exp[key] / s.total
		e := p * (s.slack[key] + s.worst + (s.below[key]+8+2*float64(n+64))*unit)
		weight[row] += p
		moved[row] += e + max(p/2048, math.Ldexp(1, -25)/s.total)
		moves += e
	}
	for row, w := range weight {
		for d, v := range c.valueRows[row][head*c.dim:][:c.dim] {
			y.values[d] += w * float64(v)
			y.bounds[d] += moved[row] * math.Abs(float64(v))
		}
	}
	for d, v := range y.values {
		y.bounds[d] += math.Abs(v)*(moves+1.0/2048) + math.Ldexp(1, -25)
	}
	return y
}

// attentionWhy says in short what attend does.
const attentionWhy = "sums of products in f32, exp within 2^-21, one rounding of probabilities and " +
	"one of the result to half"

// scores is those of one query, by row of keys: the exponential against the greatest of all
// positions, the distance from it and a bound of the error.
type scores struct {
	exp, below, slack []float64
	total             float64 // of exponentials of all positions
	worst             float64 // slack
}

func (c *cache) scores(q []float32, sequence, head, n int, scale float64) *scores {
	s := &scores{exp: make([]float64, attentionRows), below: make([]float64, attentionRows),
		slack: make([]float64, attentionRows)}
	for row := range attentionRows {
		size := 0.0
		for d, k := range c.keyRows[row][head*c.dim:][:c.dim] {
			product := float64(q[d]) * float64(k) * scale
			s.below[row] += product
			size += math.Abs(product)
		}
		s.slack[row] = size * float64(c.dim+2) * unit
	}
	top := math.Inf(-1)
	for _, row := range c.keys[sequence].of[:n] {
		top = max(top, s.below[row])
	}
	for row, score := range s.below {
		s.below[row] = top - score
		s.exp[row] = math.Exp(score - top)
	}
	for _, row := range c.keys[sequence].of[:n] {
		s.total += s.exp[row]
		s.worst = max(s.worst, s.slack[row])
	}
	return s
}

// output wants a row for each query, of all heads; query says what one is against.
func (c *cache) output(q []float32, heads, rows int, scale float32,
	query func(row int) (sequence, positions int)) Output {
	width := heads * c.dim
	of := lazily(rows*heads, func(i int) *attended {
		sequence, n := query(i / heads)
		head := i % heads * c.heads / heads
		return c.attend(q[i*c.dim:][:c.dim], sequence, head, n, float64(scale))
	})
	return Output{Tensor: "out", Type: dtype.F16, Rows: rows, Cols: width, Pitch: width,
		Why: attentionWhy,
		Want: func(row, col int) (value, bound float64) {
			y := of(row*heads + col/c.dim)
			return y.values[col%c.dim], y.bounds[col%c.dim]
		}}
}
