package kernels

import (
	"math"
	"math/rand/v2"
)

// cache is keys and values of sequences in pages of a pool, taken in a shuffled order.
type cache struct {
	heads, dim, pool int
	keys, values     []float32 // [pool, 256, heads, dim]
	pages            [][]int32 // of each sequence
}

// newCache makes pages for sequences of some lengths. Rows that no position uses hold values so
// large that a product with them would show.
func newCache(seed uint64, heads, dim int, lengths []int) *cache {
	c := &cache{heads: heads, dim: dim}
	for _, n := range lengths {
		c.pool += (n + PageRows - 1) / PageRows
	}
	c.pool++
	row := heads * dim
	c.keys, c.values = extremes(c.pool*PageRows*row), extremes(c.pool*PageRows*row)
	order := rand.New(rand.NewPCG(seed, 2)).Perm(c.pool)
	for s, n := range lengths {
		var pages []int32
		for range (n + PageRows - 1) / PageRows {
			pages, order = append(pages, int32(order[0])), order[1:]
		}
		c.pages = append(c.pages, pages)
		k, v := normals(seed+uint64(s), n*row, 1), normals(seed+uint64(s)+1000, n*row, 1)
		for i := range n {
			copy(c.keys[c.row(s, i):], k[i*row:(i+1)*row])
			copy(c.values[c.row(s, i):], v[i*row:(i+1)*row])
		}
	}
	return c
}

func extremes(count int) []float32 {
	out := make([]float32, count)
	for i := range out {
		out[i] = 60000 * float32(1-2*(i%2))
	}
	return out
}

// row is where the keys of position i of sequence s begin.
func (c *cache) row(s, i int) int {
	return (int(c.pages[s][i/PageRows])*PageRows + i%PageRows) * c.heads * c.dim
}

// pack puts the pool in pages as the device has them.
func (c *cache) pack(x []float32) []byte {
	var out []byte
	size := PageRows * c.heads * c.dim
	for p := range c.pool {
		out = append(out, nzHalves(x[p*size:(p+1)*size], PageRows, c.heads*c.dim)...)
	}
	return out
}

// table is the page table with rows of cols.
func (c *cache) table(cols int) []byte {
	out := make([]int32, len(c.pages)*cols)
	for s, pages := range c.pages {
		copy(out[s*cols:], pages)
	}
	return ints(out)
}

// attended is the exact result of one row of queries against the first n positions of a sequence,
// with the bound on the error of each element.
func (c *cache) attended(q []float32, s, head, n int, scale float64) (want, bound []float64) {
	a := &attended{weights: make([]float64, n), slack: make([]float64, n), below: make([]float64, n)}
	a.top = math.Inf(-1)
	for i := range n {
		k := c.keys[c.row(s, i)+head*c.dim:][:c.dim]
		size := 0.0
		for d, x := range q {
			a.weights[i] += float64(x) * float64(k[d]) * scale
			size += math.Abs(float64(x)*float64(k[d])) * scale
		}
		a.slack[i] = size * float64(c.dim+2) * unit
		a.top = max(a.top, a.weights[i])
	}
	a.softmax()
	want, bound = make([]float64, c.dim), make([]float64, c.dim)
	for d := range want {
		want[d], bound[d] = a.mean(func(i int) float64 {
			return float64(c.values[c.row(s, i)+head*c.dim+d])
		})
	}
	return want, bound
}

// unit is the rounding of f32, relative.
const unit = 1.0 / (1 << 24)

// attended is the softmax of one row: scores, then probabilities, and what their errors come from.
type attended struct {
	weights    []float64
	slack      []float64 // bound on the error of each score
	below      []float64 // distance of each score from the greatest
	top, total float64   // greatest score; sum of exponentials against it
}

func (a *attended) softmax() {
	for i, x := range a.weights {
		a.below[i] = a.top - x
		a.weights[i] = math.Exp(-a.below[i])
		a.total += a.weights[i]
	}
	for i := range a.weights {
		a.weights[i] /= a.total
	}
}

// mean is the mean of values under the probabilities, and the bound on the error of the kernel's.
//
// A score is a sum of dim products in f32, scaled: an error of slack. Its difference from the
// greatest rounds once, relative to below; the exponential is within 8 units. Together these change
// a probability p by a factor 1 + e, which moves the mean y by at most e·p·(|v| + |y|). Rounding p
// to half moves it by 2^-11·p·|v|, or 2^-25/total·|v| where that is more. The sums of n products and
// of n probabilities, with the rescaling of chunks and the division, are n + 64 roundings of f32
// each. The result is rounded to half.
func (a *attended) mean(value func(i int) float64) (want, bound float64) {
	worstSlack := 0.0
	for i, w := range a.weights {
		want += w * value(i)
		worstSlack = max(worstSlack, a.slack[i])
	}
	sums := 2 * float64(len(a.weights)+64) * unit
	for i, w := range a.weights {
		v := math.Abs(value(i))
		e := a.slack[i] + worstSlack + (a.below[i]+8)*unit + sums
		bound += w*e*(v+math.Abs(want)) + max(w*math.Ldexp(1, -11), math.Ldexp(1, -25)/a.total)*v
	}
	return want, bound + math.Abs(want)*math.Ldexp(1, -11) + math.Ldexp(1, -25)
}
