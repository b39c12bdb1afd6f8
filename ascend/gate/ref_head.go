package gate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// head is the last norm and the product with the vocabulary.
func head(s kernels.HeadSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		r := random(seed, 0)
		h := &headWeights{spec: s, gain: normals(r, s.Width, 1)}
		if s.Int8 {
			h.rows = int8Set(r, min(vocabularyRows, s.Vocab), s.Width).pick(r, s.Vocab)
			h.scale = channels(r, s.Vocab, s.Width)
		} else {
			h.rows = halfSet(r, min(vocabularyRows, s.Vocab), s.Width, 0.1).pick(r, s.Vocab)
		}
		for _, rows := range shapes.few(s.MaxRows) {
			if !yield(h.with(rows, random(seed, uint64(rows)))) {
				return
			}
		}
	}
}

// headWeights is the weights of a head, and what makes cases of them.
type headWeights struct {
	spec  kernels.HeadSpec
	gain  []float32
	rows  matrix    // [vocab, width]
	scale []float32 // by row, of int8
}

func (h *headWeights) with(rows int, r *rand.Rand) *Case {
	s := h.spec
	x := normRows(r, rows, s.Width, s.Eps)
	of := lazily(rows, func(i int) func(token int) (float64, float64) {
		n := newNormalised(x[i*s.Width:][:s.Width], h.gain, s.Eps, s.Static)
		if s.Int8 {
			return h.int8Logits(n)
		}
		return h.halfLogits(n)
	})
	c := &Case{Name: fmt.Sprintf("%d rows", rows), Params: map[string]int{"rows": rows},
		Tensors: map[string][]byte{"x": halves(x), "normWeight": halves(h.gain)},
		Fills:   map[string]func([]byte){"weight": h.write},
		Want: []Output{{Tensor: "logits", Type: dtype.F32, Rows: rows, Cols: s.Vocab,
			Pitch: pitchOf(dtype.F32, s.Vocab), ZeroPadding: true, Why: h.why(),
			Want: func(row, col int) (value, bound float64) { return of(row)(col) }}}}
	if s.Int8 {
		c.Tensors["weightScale"] = floats(h.scale)
	}
	if s.Static {
		c.Tensors["fixedScale"] = fixedScale(staticNormRange)
	}
	return c
}

func (h *headWeights) why() string {
	if h.spec.Int8 {
		return "exact, but for elements that the norm may round either way"
	}
	return fmt.Sprintf("%d roundings of f32, elements that the norm may round either way",
		h.spec.Width)
}

// write puts the weights block by block.
func (h *headWeights) write(to []byte) {
	blocks, rows := kernels.HeadBlocks(h.spec.Vocab)
	size := rows * h.spec.Width * 32 / h.rows.set.c0
	for b := range blocks {
		h.rows.write(to[b*size:], b*rows, min((b+1)*rows, h.spec.Vocab), rows)
	}
}

// halfLogits allows for the sum as many roundings of f32 as it has terms, in any order, and for
// each element either end of its interval.
func (h *headWeights) halfLogits(n *normalised) func(token int) (float64, float64) {
	set := h.rows.set
	values, bounds := make([]float64, set.count), make([]float64, set.count)
	for i := range set.count {
		size, loose := 0.0, 0.0
		for k, w := range set.halfRow(i) {
			v, p := float64(w), (float64(n.lo[k])+float64(n.hi[k]))/2
			values[i] += p * v
			size += math.Abs(p * v)
			loose += math.Abs(float64(n.hi[k]-n.lo[k]) / 2 * v)
		}
		bounds[i] = loose + size*float64(set.depth)*math.Ldexp(1, -24)
	}
	return func(token int) (float64, float64) {
		i := h.rows.of[token]
		return values[i], bounds[i]
	}
}

// int8Logits wants the f32 chain of qlinear bit for bit, unless an element, and so perhaps its
// integer, may be at either end; then the exact product, within three roundings of f32 too.
func (h *headWeights) int8Logits(n *normalised) func(token int) (float64, float64) {
	set := h.rows.set
	sums := set.dots(n.qLo)
	loose := make([]float64, set.count)
	unsure := (n.scaleHi - n.scaleLo) / max(n.scaleLo, math.SmallestNonzeroFloat64)
	for i := range set.count {
		for k, w := range set.int8Row(i) {
			loose[i] += math.Abs(float64(int(n.qHi[k])-int(n.qLo[k])) * float64(w))
		}
		loose[i] += math.Abs(float64(sums[i])) * unsure
	}
	return func(token int) (float64, float64) {
		i, ws := h.rows.of[token], h.scale[token]
		if loose[i] == 0 {
			return float64(float32(float32(float32(sums[i])*ws) * float32(n.scaleLo))), 0
		}
		value := float64(sums[i]) * float64(ws) * n.scaleLo
		bound := loose[i] * float64(ws) * n.scaleHi
		return value, bound + (math.Abs(value)+bound)*3*math.Ldexp(1, -24)
	}
}
