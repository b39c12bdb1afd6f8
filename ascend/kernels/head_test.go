package kernels

import (
	"math"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/lower"
)

var testHeads = []HeadSpec{
	{Name: "head_half", Vocab: 200, Width: 96, MaxRows: 64, Eps: 1e-5,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 32, Step: 16, Staged: true}},
	{Name: "head_half_odd", Vocab: 77, Width: 80, MaxRows: 64, Eps: 1e-5,
		Tiling: Tiling{Parts: 8, Rows: 32, Cols: 48, Step: 48}},
	{Name: "head_int8", Vocab: 200, Width: 96, MaxRows: 64, Eps: 1e-5, Int8: true,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 64, Step: 32, Staged: true}},
	// two blocks of the vocabulary, and channel scales that come with each chunk
	{Name: "head_blocks", Vocab: 65600, Width: 32, MaxRows: 17, Eps: 1e-5, Int8: true,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 2048, Step: 256, Staged: true}},
}

func TestHeadBlocks(t *testing.T) {
	for _, c := range []struct{ vocab, blocks, rows int }{
		{1, 1, 16}, {4096, 1, 4096}, {19172, 1, 19184}, {65536, 1, 65536}, {65537, 2, 32784},
		{153376, 3, 51136},
	} {
		if blocks, rows := HeadBlocks(c.vocab); blocks != c.blocks || rows != c.rows {
			t.Errorf("HeadBlocks(%d) = %d, %d, want %d, %d", c.vocab, blocks, rows, c.blocks, c.rows)
		}
	}
}

func TestHead(t *testing.T) {
	var ks []*kernel.Kernel
	for _, s := range testHeads {
		ks = append(ks, built(t)(Head(s)))
	}
	r := newRig(t, 128, ks...)
	for _, s := range testHeads {
		counts := tokenCounts
		if s.Vocab > 60000 {
			counts = []int{1, 17}
		}
		var w worst
		for i, rows := range counts {
			checkHead(t, r, s, rows, uint64(1+i%2), &w)
		}
		t.Logf("%s: largest error %.2f of the bound", s.Name, w.share)
	}
}

// TestHeadTrueShape is the true hidden width, with a part of the vocabulary; TestHeadWhole has all.
func TestHeadTrueShape(t *testing.T) {
	s := HeadSpec{Name: "head_true", Vocab: 2400, Width: 5120, MaxRows: 16, Eps: 1e-5}
	var err error
	if s.Tiling, err = s.Choose(chip(t)); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, 64, built(t)(Head(s)))
	var w worst
	checkHead(t, r, s, 3, 1, &w)
	t.Logf("largest error %.2f of the bound", w.share)
}

// TestHeadWhole lowers the whole vocabulary: what needs blocks must stay inside fields and tensors.
func TestHeadWhole(t *testing.T) {
	for _, int8s := range []bool{false, true} {
		s := HeadSpec{Name: "head_whole", Vocab: 153376, Width: 5120, MaxRows: 64, Eps: 1e-5, Int8: int8s}
		var err error
		if s.Tiling, err = s.Choose(chip(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := lower.Lower(built(t)(Head(s)), chip(t)); err != nil {
			t.Error(err)
		}
	}
}

func checkHead(t *testing.T, r *rig, s HeadSpec, rows int, seed uint64, w *worst) {
	t.Helper()
	x, gain := normals(seed, rows*s.Width, 2), normals(seed+1, s.Width, 1)
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"rows": rows},
		tensors: map[string][]byte{"x": halves(x), "normWeight": halves(gain)}}
	m := matrices{experts: 1, cols: s.Vocab, depth: s.Width}
	var weights []float32
	if s.Int8 {
		m.fill(seed, false)
	} else {
		weights = normals(seed+2, s.Vocab*s.Width, 0.1)
	}
	blockWeights(c, s, m, weights)
	r.run(c)
	pitch := alignUp(s.Vocab, lanes)
	logits := c.floats("logits")
	for row := range rows {
		h, other := normalised(x[row*s.Width:][:s.Width], gain, s.Eps)
		got := logits[row*pitch:][:pitch]
		if s.Int8 {
			checkInt8Logits(t, s, m, h, other, got, w)
		} else {
			checkHalfLogits(t, s, weights, h, other, got, w)
		}
		for _, pad := range got[s.Vocab:] {
			if pad != 0 {
				t.Fatalf("%s: padding of row %d is %v", s.Name, row, pad)
			}
		}
	}
}

// blockWeights puts the weights, block by block, into a launch.
func blockWeights(c *launch, s HeadSpec, m matrices, weights []float32) {
	blocks, rows := HeadBlocks(s.Vocab)
	var scale []float32
	for b := range blocks {
		from, to := b*rows, min((b+1)*rows, s.Vocab)
		if s.Int8 {
			part := make([]int8, rows*s.Width)
			copy(part, m.w[from*s.Width:to*s.Width])
			c.tensors["weight"] = append(c.tensors["weight"], nzInt8s(part, rows, s.Width)...)
			padded := make([]float32, rows)
			copy(padded, m.scale[from:to])
			scale = append(scale, padded...)
			continue
		}
		part := make([]float32, rows*s.Width)
		copy(part, weights[from*s.Width:to*s.Width])
		c.tensors["weight"] = append(c.tensors["weight"], nzHalves(part, rows, s.Width)...)
	}
	if s.Int8 {
		c.tensors["weightScale"] = floats(scale)
	}
}

// normalised is half(half(x / rms) · gain) for the two ends of what the kernel's x / rms may be in
// f32: 13 levels of sums, halved by the root, then a quotient and a product stay within 2^-20. They
// differ only where a rounding to half lies between them.
func normalised(x, gain []float32, eps float32) (h, other []float32) {
	square := 0.0
	for _, v := range x {
		square += float64(v) * float64(v)
	}
	rms := math.Sqrt(square/float64(len(x)) + float64(eps))
	for i, v := range x {
		for end, to := range []*[]float32{&h, &other} {
			unit := float64(v) / rms * (1 + float64(2*end-1)*math.Ldexp(1, -20))
			*to = append(*to, asHalf(asHalf(float32(unit))*gain[i]))
		}
	}
	return h, other
}

// checkHalfLogits allows the sum K roundings of f32, in any order, and either end of each element.
func checkHalfLogits(t *testing.T, s HeadSpec, weights, h, other, got []float32, w *worst) {
	t.Helper()
	for j := range s.Vocab {
		want, size, bound := 0.0, 0.0, 0.0
		for k, v := range weights[j*s.Width:][:s.Width] {
			p := float64(h[k]) * float64(v)
			want, size = want+p, size+math.Abs(p)
			bound += math.Abs(float64(h[k]-other[k]) * float64(v))
		}
		w.within(t, s.Name, got[j], want, bound+size*float64(s.Width)*math.Ldexp(1, -24))
	}
}

// checkInt8Logits wants the f32 chain of qlinear bit for bit, unless an element, and so perhaps its
// integer, may be at either end.
func checkInt8Logits(t *testing.T, s HeadSpec, m matrices, h, other, got []float32, w *worst) {
	t.Helper()
	q, scale := quantizedRow(h)
	q2, scale2 := quantizedRow(other)
	want := m.row(0, q, scale)
	for j := range s.Vocab {
		bound := 0.0
		for k, v := range m.w[j*s.Width:][:s.Width] {
			steps := float64(int(q[k]) - int(q2[k]))
			bound += math.Abs(steps * float64(v))
			bound += math.Abs(float64(scale-scale2) / float64(scale) * 128 * float64(v))
		}
		bound *= float64(m.scale[j]) * float64(max(scale, scale2))
		if bound > 0 {
			bound += math.Abs(float64(want[j])) * 3 * math.Ldexp(1, -24)
		}
		w.within(t, s.Name, got[j], float64(want[j]), bound)
	}
}
