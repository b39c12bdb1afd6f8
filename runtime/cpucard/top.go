package cpucard

import (
	"cmp"
	"math"
	"slices"

	"moge/runtime/kernels"
)

// Sizes of a row of logits, see top: a block has one maximum, a chunk a maximum and a sum.
const (
	topBlock = 256
	topChunk = 32 * topBlock
)

// lowest is below every logit; it pads.
const lowest = -math.MaxFloat32

// top is what sampling needs of rows of logits, found by two kernels one after the other.
type top struct {
	Name       string
	Vocabulary int
	Count      int
	MaxRows    int
}

// topScan is the maxima of blocks, and of chunks maximum and sum of exponentials.
type topScan struct{ top }

// topPick is the maximum, the sum of exponentials and the greatest logits of rows.
type topPick struct{ top }

func (s top) check(c *checker) {
	c.between("Count", s.Count, 1, 1<<12)
	c.want(s.Count%lanes == 0, "Count", s.Count, "a multiple of %d", lanes)
	c.between("Vocabulary", s.Vocabulary, s.Count, maxCount)
	c.rows("MaxRows", s.MaxRows)
}

func (s top) scalars() []scalar { return []scalar{{"rows", 1, s.MaxRows}} }

func (s topScan) signature() signature {
	return signature{in: []string{"logits"}, out: []string{"maxima", "parts"}, scalars: s.scalars()}
}

func (s topPick) signature() signature {
	return signature{in: []string{"logits", "maxima", "parts"}, out: []string{"stats", "values", "ids"},
		scalars: s.scalars()}
}

func (s top) blocks() int { return (s.Vocabulary + topBlock - 1) / topBlock }
func (s top) chunks() int { return (s.Vocabulary + topChunk - 1) / topChunk }

// rows of the tensors between the two kernels: the maximum of block b is element 2b, with the lowest
// number between; of chunk c the maximum is elements 8c to 8c+7, the sum is element 8c of the second
// half, with zeros behind it.
func (s top) maxima() int { return s.chunks() * topChunk / topBlock * 2 }
func (s top) parts() int  { return 2 * s.chunks() * lanes }

// pitch is the elements of a row of logits.
func (s top) pitch() int { return alignUp(s.Vocabulary, lanes) }

func (s topScan) run(c *call) error {
	rows := c.value("rows")
	logits := c.f32("logits", rows, s.pitch())
	maxima, parts := c.f32("maxima", rows, s.maxima()), c.f32("parts", rows, s.parts())
	if c.err != nil {
		return c.err
	}
	return c.tasks(rows*s.chunks(), 8*rows*s.Vocabulary, func(w *scratch, task int) {
		row, i := task/s.chunks(), task%s.chunks()
		x := logits[row*s.pitch():][:s.Vocabulary]
		x = x[i*topChunk : min((i+1)*topChunk, len(x))]
		to := maxima[row*s.maxima():][:s.maxima()]
		top := blockMaxima(to[i*topChunk/topBlock*2:][:topChunk/topBlock*2], x)
		of := parts[row*s.parts():][:s.parts()]
		spread(of[i*lanes:(i+1)*lanes], top)
		sums := of[s.parts()/2:][i*lanes : (i+1)*lanes]
		clear(sums)
		sums[0] = expSum(x, top)
	})
}

// blockMaxima stores the maxima of the blocks of a chunk, and gives the greatest.
func blockMaxima(to, x []float32) float32 {
	spread(to, lowest)
	top := float32(lowest)
	for b := 0; b*topBlock < len(x); b++ {
		to[2*b] = slices.Max(x[b*topBlock : min((b+1)*topBlock, len(x))])
		top = max(top, to[2*b])
	}
	return top
}

// expSum is the sum of exponentials of x relative to top, in f64.
func expSum(x []float32, top float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(kernels.Exp(v - top))
	}
	return float32(sum)
}

func (s topPick) run(c *call) error {
	rows := c.value("rows")
	logits := c.f32("logits", rows, s.pitch())
	maxima, parts := c.f32("maxima", rows, s.maxima()), c.f32("parts", rows, s.parts())
	stats, values := c.f32("stats", rows, lanes), c.f32("values", rows, s.Count)
	ids := c.i32("ids", rows, s.Count)
	if c.err != nil {
		return c.err
	}
	return c.each(rows, 64*s.blocks(), func(_ *scratch, row int) {
		summary(stats[row*lanes:][:lanes], parts[row*s.parts():][:s.parts()])
		x := logits[row*s.pitch():][:s.Vocabulary]
		for i, id := range s.greatest(x, maxima[row*s.maxima():][:s.maxima()]) {
			values[row*s.Count+i], ids[row*s.Count+i] = x[id], id
		}
	})
}

// summary is the maximum of a row and its sum of exponentials, of those of chunks.
func summary(stats, parts []float32) {
	tops, sums := parts[:len(parts)/2], parts[len(parts)/2:]
	clear(stats)
	stats[0] = slices.Max(tops)
	sum := 0.0
	for i := 0; i < len(tops); i += lanes {
		sum += float64(sums[i] * kernels.Exp(tops[i]-stats[0]))
	}
	stats[1] = float32(sum)
}

// greatest is the ids of the Count greatest values, the greatest first, the lower id first among equals.
// They are in the Count blocks of the greatest maxima.
func (s topPick) greatest(x, maxima []float32) []int32 {
	blocks := make([]int32, s.blocks())
	for i := range blocks {
		blocks[i] = int32(i)
	}
	slices.SortStableFunc(blocks, func(a, b int32) int { return cmp.Compare(maxima[2*b], maxima[2*a]) })
	blocks = blocks[:min(s.Count, len(blocks))]
	slices.Sort(blocks)
	out := make([]int32, 0, s.Count)
	for _, b := range blocks {
		for id := b * topBlock; id < min((b+1)*topBlock, int32(len(x))); id++ {
			if len(out) < s.Count || x[id] > x[out[s.Count-1]] {
				out = inserted(out, x, id)
			}
		}
	}
	return out
}

// inserted puts an id behind those of values that are as great; what no longer fits is left out.
func inserted(out []int32, x []float32, id int32) []int32 {
	if len(out) < cap(out) {
		out = append(out, 0)
	}
	at := len(out) - 1
	for ; at > 0 && x[id] > x[out[at-1]]; at-- {
		out[at] = out[at-1]
	}
	out[at] = id
	return out
}
