package kernels

import (
	"fmt"
	"testing"
)

// decodeCase is a launch of the decode kernel.
type decodeCase struct {
	spec    AttentionDecodeSpec
	lengths []int
	seed    uint64
}

func (d decodeCase) launch(r *rig, w *worst) {
	r.t.Helper()
	s := d.spec
	c := newCache(d.seed, s.KVHeads, s.Dim, d.lengths)
	q := normals(d.seed+77, len(d.lengths)*s.Heads*s.Dim, 1)
	lengths := make([]int32, (len(d.lengths)+lanes-1)/lanes*lanes)
	for i, n := range d.lengths {
		lengths[i] = int32(n)
	}
	l := &launch{kernel: s.Name, seed: d.seed,
		params: map[string]int{"sequences": len(d.lengths), "poolPages": c.pool},
		tensors: map[string][]byte{"q": halves(q), "keys": c.pack(c.keys), "values": c.pack(c.values),
			"pages": c.table(tokenCols(s.MaxPages)), "lengths": ints(lengths)}}
	r.run(l)
	out := l.halves("out")
	for i, n := range d.lengths {
		for h := range s.Heads {
			at := (i*s.Heads + h) * s.Dim
			want, bound := c.attended(q[at:at+s.Dim], i, h*s.KVHeads/s.Heads, n, float64(s.Scale))
			for e := range want {
				what := fmt.Sprintf("%s %v: out[%d, %d, %d]", s.Name, d.lengths, i, h, e)
				w.within(r.t, what, out[at+e], want[e], bound[e])
			}
		}
	}
}

func smallDecode() AttentionDecodeSpec {
	return AttentionDecodeSpec{Name: "attention_decode_small", Heads: 4, KVHeads: 2, Dim: 16,
		Scale: 0.25, MaxSequences: 40, MaxPages: 17, PoolPages: 600, HeadsPerUnit: 2, Parts: 1}
}

func trueDecode() AttentionDecodeSpec {
	return AttentionDecodeSpec{Name: "attention_decode_true", Heads: 40, KVHeads: 8, Dim: 128,
		Scale: 0.088388347, MaxSequences: 40, MaxPages: 128, PoolPages: 600, HeadsPerUnit: 2, Parts: 1}
}

func splitDecode() AttentionDecodeSpec {
	s := trueDecode()
	s.Name, s.Heads, s.KVHeads, s.HeadsPerUnit = "attention_decode_split", 10, 2, 1
	s.MaxSequences, s.Parts = 3, 4
	return s
}

// oddDecode has 16 queries a key head, a width that is no power of two, and parts that do not
// divide the pages.
func oddDecode() AttentionDecodeSpec {
	s := smallDecode()
	s.Name, s.Heads, s.KVHeads, s.Dim = "attention_decode_odd", 16, 1, 48
	s.HeadsPerUnit, s.Parts = 1, 3
	return s
}

func TestAttentionDecode(t *testing.T) {
	t.Parallel()
	small, whole, split, odd := smallDecode(), trueDecode(), splitDecode(), oddDecode()
	r := newRig(t, 128, built(t)(AttentionDecode(small)), built(t)(AttentionDecode(whole)),
		built(t)(AttentionDecode(split)), built(t)(AttentionDecode(odd)))
	edges := []int{15, 16, 17, 255, 256, 257, 511, 512, 513, 0}
	for _, c := range []decodeCase{
		{small, []int{1}, 1},
		{small, edges, 0}, // in program order
		{small, edges, 1},
		{small, edges, 2},
		{small, []int{2047, 2048, 2049, 4096, 3, 4097, 1023, 1024, 1025}, 2},
		{whole, []int{300}, 3},
		{whole, []int{1, 1025}, 4},
		{whole, []int{2049}, 5},
		{split, []int{1}, 5},
		{split, []int{2049}, 6},
		{split, []int{0, 513, 1024}, 7},
		{odd, []int{4352, 1, 255, 2304}, 8},
	} {
		var w worst
		c.launch(r, &w)
		t.Logf("%s %v: largest error %.2f of the bound", c.spec.Name, c.lengths, w.share)
	}
}

func TestAttentionSpecs(t *testing.T) {
	decode := func(change func(s *AttentionDecodeSpec)) error {
		s := trueDecode()
		change(&s)
		_, err := AttentionDecode(s)
		return err
	}
	prefill := func(change func(s *AttentionPrefillSpec)) error {
		s := truePrefill()
		change(&s)
		_, err := AttentionPrefill(s)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{decode(func(s *AttentionDecodeSpec) { s.Heads = 41 }),
			"kernel attention_decode_true: Heads is 41, must be a positive multiple of 8"},
		{decode(func(s *AttentionDecodeSpec) { s.Heads = 136 }),
			"kernel attention_decode_true: Heads is 136, must be 1 to 128"},
		{decode(func(s *AttentionDecodeSpec) { s.KVHeads = 0 }),
			"kernel attention_decode_true: KVHeads is 0, must be 1 to 256"},
		{decode(func(s *AttentionDecodeSpec) { s.Dim = 24 }),
			"kernel attention_decode_true: Dim is 24, must be a positive multiple of 16"},
		{decode(func(s *AttentionDecodeSpec) { s.Dim = 144 }),
			"kernel attention_decode_true: Dim is 144, must be 16 to 128"},
		{decode(func(s *AttentionDecodeSpec) { s.HeadsPerUnit = 3 }),
			"kernel attention_decode_true: HeadsPerUnit is 3, must be 1 to 2"},
		{decode(func(s *AttentionDecodeSpec) { s.Heads, s.KVHeads = 15, 5 }),
			"kernel attention_decode_true: HeadsPerUnit is 2, must be a divisor of the 5 key heads"},
		{decode(func(s *AttentionDecodeSpec) { s.PoolPages = 8192 }),
			"kernel attention_decode_true: PoolPages is 8192, must be 1 to 8191"},
		{decode(func(s *AttentionDecodeSpec) { s.MaxPages = 601 }),
			"kernel attention_decode_true: MaxPages is 601, must be 1 to 600"},
		{decode(func(s *AttentionDecodeSpec) { s.Parts = 0 }),
			"kernel attention_decode_true: Parts is 0, must be 1 to 8"},
		{decode(func(s *AttentionDecodeSpec) { s.MaxSequences = 129 }),
			"kernel attention_decode_true: MaxSequences is 129, must be so small that the page table of " +
				"66048 bytes fits 65536: split the sequences over launches"},
		{prefill(func(s *AttentionPrefillSpec) { s.Heads = 12 }),
			"kernel attention_prefill_true: Heads is 12, must be a positive multiple of 8"},
		{prefill(func(s *AttentionPrefillSpec) { s.MaxTokens = 8193 }),
			"kernel attention_prefill_true: MaxTokens is 8193, must be 1 to 8192"},
		{prefill(func(s *AttentionPrefillSpec) { s.MaxPages = 0 }),
			"kernel attention_prefill_true: MaxPages is 0, must be 1 to 600"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v, want %s", c.err, c.want)
		}
	}
}
