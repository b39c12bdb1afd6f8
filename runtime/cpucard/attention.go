package cpucard

import (
	"math"

	"moge/runtime/kernels"
)

// attention is softmax(scale · q · Kᵀ) · V of heads of halves over pages of keys and values, NZ of
// [256, kvHeads · dim] each, taken in ascending order. Each page brings the running maximum and sum of
// the softmax up to date; probabilities are rounded to half after the sum is taken. (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018.)
type attention struct {
	heads, kvHeads, dim int
	scale               float32
	q, out              []uint16 // [rows, heads · dim]
	keys, values        []uint16 // [pages, 256, kvHeads · dim]
}

// query is one row of a unit: a head of a row of q, which sees the first positions of its sequence.
type query struct{ row, head, sees int }

// attendScratch is what a unit takes.
type attendScratch struct {
	queries       []query
	q             []float32 // [dim/16] tiles of k = 16: the queries, as weights
	keys          []float32 // [256][16], a column of blocks of a page
	part, scores  []float32 // [256][rows]
	probs         []float32 // [rows][256]
	mixed, result []float32 // [rows][dim]
	top, sum      []float32 // [rows]
}

const never = float32(-1e30) // below every score

// unit computes queries that share a key head; page gives the pages of their sequence.
func (a *attention) unit(w *attendScratch, kvHead int, page func(i int) int) {
	rows, longest := len(w.queries), 0
	for _, q := range w.queries {
		longest = max(longest, q.sees)
	}
	a.load(w)
	clear(grown(&w.result, rows*a.dim))
	clear(grown(&w.sum, rows))
	spread(grown(&w.top, rows), never)
	for i := 0; i*pageRows < longest; i++ {
		count, first := min(longest-i*pageRows, pageRows), i*pageRows
		at := (page(i)*a.kvHeads + kvHead) * a.dim * pageRows
		a.score(w, a.keys[at:], count)
		for r := range rows {
			a.weigh(w, r, min(max(w.queries[r].sees-first, 0), count), count)
		}
		a.mix(w, a.values[at:], count)
	}
	for r, q := range w.queries {
		y := w.result[r*a.dim:][:a.dim]
		total := max(w.sum[r], 1e-30)
		for d := range y {
			y[d] /= total
		}
		narrow(a.out[(q.row*a.heads+q.head)*a.dim:][:a.dim], y)
	}
}

// lanesOf is rows rounded up to tiles.
func lanesOf(rows int) int { return alignUp(rows, tileRows) }

// load puts the queries into tiles: of 16 columns for each 16 rows, for each 16 columns of a head.
func (a *attention) load(w *attendScratch) {
	rows := lanesOf(len(w.queries))
	tiles := grown(&w.q, rows*a.dim)
	clear(tiles)
	row := grown(&w.keys, max(a.dim, pageRows*depthF16))
	for r, q := range w.queries {
		widen(row[:a.dim], a.q[(q.row*a.heads+q.head)*a.dim:][:a.dim])
		at := r/tileRows*tileRows*depthF16 + r%tileRows
		for d, v := range row[:a.dim] {
			tiles[d/depthF16*depthF16*rows+at+d%depthF16*tileRows] = v
		}
	}
}

// score is the products of the first count keys of a page with all queries.
func (a *attention) score(w *attendScratch, page []uint16, count int) {
	rows := lanesOf(len(w.queries))
	scores, part := grown(&w.scores, pageRows*rows), grown(&w.part, pageRows*rows)
	keys := w.keys[:count*depthF16]
	for c := range a.dim / depthF16 {
		widen(keys, page[c*pageRows*depthF16:][:len(keys)])
		to := part
		if c == 0 {
			to = scores
		}
		kernels.MatMulF32(to, rows, keys, depthF16, count, w.q[c*depthF16*rows:], rows/tileRows, depthF16)
		if c > 0 {
			kernels.AddF32(scores[:count*rows], scores, part)
		}
	}
}

// weigh turns the scores of row r against the first sees of count positions into probabilities against
// the greatest score so far, zeros behind them, and brings what was added up before to the same base.
func (a *attention) weigh(w *attendScratch, r, sees, count int) {
	rows := lanesOf(len(w.queries))
	p := grown(&w.probs, len(w.queries)*pageRows)[r*pageRows:][:count]
	largest := w.top[r]
	for j := range sees {
		p[j] = w.scores[j*rows+r] * a.scale
		largest = max(largest, p[j])
	}
	ratio, sum := kernels.Exp(w.top[r]-largest), 0.0
	for j := range sees {
		e := kernels.Exp(p[j] - largest)
		sum += float64(e)
		p[j] = asHalf(e)
	}
	clear(p[sees:])
	if ratio != 1 {
		y := w.result[r*a.dim:][:a.dim]
		kernels.ScaleF32(y, y, ratio)
	}
	w.top[r], w.sum[r] = largest, float32(w.sum[r]*ratio)+float32(sum)
}

// mix adds the first count values of a page, by the probabilities. A column of blocks of values is a
// tile of that many columns as it is.
func (a *attention) mix(w *attendScratch, page []uint16, count int) {
	rows := len(w.queries)
	mixed := grown(&w.mixed, rows*a.dim)
	for c := range a.dim / depthF16 {
		values := page[c*pageRows*depthF16:][:count*depthF16]
		kernels.MatMulF16(mixed[c*depthF16:], a.dim, w.probs, pageRows, rows, values, 1, count)
	}
	kernels.AddF32(w.result, w.result, mixed)
}

// checkPages holds that the first pages of a table are in a pool.
func checkPages(table []int32, row, positions, pool int) error {
	for i := range (positions + pageRows - 1) / pageRows {
		if err := within("pages", row, table[i], pool); err != nil {
			return err
		}
	}
	return nil
}

// attention checks the fields that both kinds have.
func (c *checker) attention(heads, kvHeads, dim int, scale float32, maxPages, poolPages int) {
	c.heads(heads, kvHeads, dim)
	c.want(c.err != nil || heads%kvHeads == 0, "Heads", heads, "a multiple of %d", kvHeads)
	c.want(math.Abs(float64(scale)) < math.MaxFloat32, "Scale", scale, "a number")
	c.between("PoolPages", poolPages, 1, 1<<22)
	c.between("MaxPages", maxPages, 1, 1<<16)
}

// attention takes the tensors that both kinds have.
func (c *call) attention(heads, kvHeads, dim int, scale float32, rows, pool int) *attention {
	return &attention{heads: heads, kvHeads: kvHeads, dim: dim, scale: scale,
		q: c.f16("q", rows, heads*dim), out: c.f16("out", rows, heads*dim),
		keys:   c.f16("keys", pool, pageRows, kvHeads*dim),
		values: c.f16("values", pool, pageRows, kvHeads*dim)}
}
