package gate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// Sizes that the shapes of Maxima and Parts are made of, and what pads them.
const (
	topBlock     = 256
	topChunk     = 32 * topBlock
	topLowest    = -math.MaxFloat32
	topSumLevels = 13 + 5 // of the trees of sums within a chunk and over chunks
)

// topScan is the maxima of blocks, and of each chunk the maximum and the sum of exponentials.
func topScan(s kernels.TopScanSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return tops(s.TopSpec, shapes, seed, scanCase)
}

// topPick is the greatest of each row, from what topScan leaves.
func topPick(s kernels.TopPickSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return tops(s.TopSpec, shapes, seed, pickCase)
}

func tops(s kernels.TopSpec, shapes Shapes, seed uint64,
	of func(*Case, kernels.TopSpec, []*topRow)) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		counts := []int{1, 5}
		if shapes == All {
			counts = []int{1, 2, 3, 9, 33}
		}
		for _, rows := range upTo(s.MaxRows, counts...) {
			r := random(seed, uint64(rows))
			var list []*topRow
			var logits []float32
			for i := range rows {
				row := newTopRow(topLogits(r, i, s.Vocabulary))
				list, logits = append(list, row), append(logits, row.logits...)
			}
			c := &Case{Name: fmt.Sprintf("%d rows", rows), Params: map[string]int{"rows": rows},
				Tensors: map[string][]byte{"logits": floats(spread(logits, s.Vocabulary,
					alignUp(s.Vocabulary, lanes)))}}
			of(c, s, list)
			if !yield(c) {
				return
			}
		}
	}
}

// topLogits is a row: by turns on a coarse grid, so that there are many ties; ascending, so that
// the last block holds the greatest; and normal.
func topLogits(r *rand.Rand, row, vocabulary int) []float32 {
	x := normals(r, vocabulary, 4)
	for i := range x {
		switch row % 3 {
		case 0:
			x[i] = float32(math.Round(float64(x[i])))
		case 1:
			x[i] = float32(i) / 4096
		}
	}
	return x
}

// topRow is a row of logits with what is between the two kernels.
type topRow struct {
	logits      []float32
	maxima      []float32 // of blocks, those beyond the last are the lowest number
	chunkMax    []float32
	chunkSum    []float64
	lowest, top float32
}

func newTopRow(x []float32) *topRow {
	row := &topRow{logits: x, lowest: slices.Min(x), top: slices.Max(x)}
	for chunk := range slices.Chunk(x, topChunk) {
		for i := range topChunk / topBlock {
			if i*topBlock < len(chunk) {
				block := chunk[i*topBlock : min((i+1)*topBlock, len(chunk))]
				row.maxima = append(row.maxima, slices.Max(block))
			} else {
				row.maxima = append(row.maxima, topLowest)
			}
		}
		greatest, sum := slices.Max(chunk), 0.0
		for _, v := range chunk {
			sum += math.Exp(float64(v) - float64(greatest))
		}
		row.chunkMax, row.chunkSum = append(row.chunkMax, greatest), append(row.chunkSum, sum)
	}
	return row
}

// between puts the lowest number behind each of xs.
func between(xs []float32) []float32 {
	out := make([]float32, 0, 2*len(xs))
	for _, x := range xs {
		out = append(out, x, topLowest)
	}
	return out
}

func scanCase(c *Case, s kernels.TopSpec, list []*topRow) {
	var maxima []float32
	for _, row := range list {
		maxima = append(maxima, between(row.maxima)...)
	}
	cols := len(list[0].chunkMax) * lanes
	c.Want = []Output{
		equal("maxima", dtype.F32, maxima, len(maxima)/len(list)),
		{Tensor: "parts", Type: dtype.F32, Rows: len(list), Cols: 2 * cols, Pitch: 2 * cols,
			Why: "exp of a rounded difference within 2^-23, 13 levels of a sum in f32",
			Want: func(row, col int) (value, bound float64) {
				return list[row].part(col, cols)
			}},
	}
}

// part is an element of Parts. A difference that exp takes has 2^-24 of its size, exp two roundings
// more, and the tree of a chunk 13.
func (r *topRow) part(col, cols int) (value, bound float64) {
	if col < cols {
		return float64(r.chunkMax[col/lanes]), 0
	}
	if col%lanes != 0 {
		return 0, 0
	}
	at := (col - cols) / lanes
	most := float64(r.chunkMax[at]) - float64(r.lowest)
	return r.chunkSum[at], r.chunkSum[at] * (most + 2 + 13) / (1 << 24)
}

func pickCase(c *Case, s kernels.TopSpec, list []*topRow) {
	var maxima, parts, values, stats []float32
	var ids []int32
	for _, row := range list {
		maxima = append(maxima, between(row.maxima)...)
		parts = append(parts, repeated(row.chunkMax, lanes)...)
		for _, sum := range row.chunkSum {
			parts = append(parts, float32(sum), 0, 0, 0, 0, 0, 0, 0)
		}
		for _, id := range greatest(row.logits, s.Count) {
			ids, values = append(ids, int32(id)), append(values, row.logits[id])
		}
		stats = append(stats, row.top)
	}
	c.Tensors["maxima"], c.Tensors["parts"] = floats(maxima), floats(parts)
	c.Want = []Output{
		equal("values", dtype.F32, values, s.Count),
		equal("ids", dtype.I32, ids, s.Count),
		{Tensor: "stats", Type: dtype.F32, Rows: len(list), Cols: lanes, Pitch: lanes,
			Why: "exp of a rounded difference within 2^-23, 5 levels of a sum in f32",
			Want: func(row, col int) (value, bound float64) {
				if col == 1 {
					return list[row].sum()
				}
				return float64(append(slices.Clone(stats[row:row+1]), make([]float32, lanes)...)[col]), 0
			}},
	}
}

// sum is that of the exponentials of the row, of the sums of chunks as f32. Its terms have the
// error of a difference, of exp and of a product; the tree of at most 32 chunks has 5 levels.
func (r *topRow) sum() (value, bound float64) {
	for i, part := range r.chunkSum {
		value += float64(float32(part)) * math.Exp(float64(r.chunkMax[i])-float64(r.top))
	}
	most := float64(r.top) - float64(slices.Min(r.chunkMax))
	return value, value * (most + 3 + 5) / (1 << 24)
}

// greatest is the indices of the greatest elements, descending, equal ones ascending.
func greatest(x []float32, count int) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] > x[b]:
			return -1
		case x[a] < x[b]:
			return 1
		}
		return 0
	})
	return order[:count]
}
