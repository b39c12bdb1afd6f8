package kernels

import (
	"math"
	"sort"
	"testing"

	"moge/ascend/kernel"
)

var testTops = []TopSpec{
	{Name: "top_tiny", Vocabulary: 67, Count: 64, MaxRows: 64},
	{Name: "top_even", Vocabulary: 16384, Count: 16, MaxRows: 64},
	{Name: "top_small", Vocabulary: 4099, Count: 64, MaxRows: 64},
	{Name: "top_shard", Vocabulary: 19172, Count: 64, MaxRows: 64},
	{Name: "top_true", Vocabulary: 153376, Count: 64, MaxRows: 128},
}

func topPitch(vocabulary int) int { return (vocabulary + lanes - 1) / lanes * lanes }

func TestTop(t *testing.T) {
	var ks []*kernel.Kernel
	for _, s := range testTops {
		scan, pick := topNames(s)
		ks = append(ks, built(t)(TopScan(scan)), built(t)(TopPick(pick)))
	}
	r := newRig(t, 64, ks...)
	for _, s := range testTops {
		counts := []int{1, 2, 9}
		if s.Vocabulary > 100000 {
			counts = []int{1, 3}
		}
		var w worst
		for i, rows := range counts {
			checkTop(t, r, s, rows, uint64(1+i), &w)
		}
		t.Logf("%s: largest error %.3f of the bound", s.Name, w.share)
	}
}

// topNames is the specs of both kernels.
func topNames(s TopSpec) (scan, pick TopSpec) {
	scan, pick = s, s
	scan.Name, pick.Name = s.Name+"_scan", s.Name+"_pick"
	return scan, pick
}

// topLogits are rows with many ties: every other row on a coarse grid, and one that ascends, so
// that the last block holds them all.
func topLogits(rows, vocabulary int, seed uint64) []float32 {
	x := normals(seed, rows*vocabulary, 4)
	for r := range rows {
		for i := range vocabulary {
			at := r*vocabulary + i
			switch r % 3 {
			case 0:
				x[at] = float32(math.Round(float64(x[at])))
			case 1:
				x[at] = float32(i) / 4096
			}
		}
	}
	return x
}

func checkTop(t *testing.T, r *rig, s TopSpec, rows int, seed uint64, w *worst) {
	t.Helper()
	x := topLogits(rows, s.Vocabulary, seed)
	logits := floats(spread(x, s.Vocabulary, topPitch(s.Vocabulary)))
	scan, pick := topNames(s)
	first := &launch{kernel: scan.Name, seed: seed, params: map[string]int{"rows": rows},
		tensors: map[string][]byte{"logits": logits}}
	r.run(first)
	c := &launch{kernel: pick.Name, seed: seed, params: first.params, tensors: map[string][]byte{
		"logits": logits, "maxima": first.tensors["maxima"], "parts": first.tensors["parts"]}}
	r.run(c)
	values, ids, stats := c.floats("values"), c.ints("ids"), c.floats("stats")
	for row := range rows {
		logits := x[row*s.Vocabulary:][:s.Vocabulary]
		for i, want := range greatest(logits, s.Count) {
			at := row*s.Count + i
			if int(ids[at]) != want || values[at] != logits[want] {
				t.Fatalf("%s: row %d, rank %d: %d with %v, want %d with %v", s.Name, row, i,
					ids[at], values[at], want, logits[want])
			}
		}
		checkTopStats(t, s, logits, stats[row*lanes:], w)
	}
}

// checkTopStats bounds the sum: the differences that exp takes have 2^-24 of their size, twice
// (to the chunk, then to the row), exp and products three more roundings, and the trees 13 and 5.
func checkTopStats(t *testing.T, s TopSpec, logits, stats []float32, w *worst) {
	t.Helper()
	top, low := float32(lowest), float32(-lowest)
	for _, v := range logits {
		top, low = max(top, v), min(low, v)
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - top))
	}
	if stats[0] != top {
		t.Fatalf("%s: max %v, want %v", s.Name, stats[0], top)
	}
	w.within(t, s.Name+": sum", stats[1], sum, sum*(2*float64(top-low)+21)/(1<<24))
	for _, v := range stats[2:lanes] {
		if v != 0 {
			t.Fatalf("%s: statistics are padded with %v", s.Name, v)
		}
	}
}

// greatest is the indices of the greatest elements, descending, equal ones ascending.
func greatest(x []float32, count int) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return x[order[i]] > x[order[j]] })
	return order[:count]
}

func TestTopSpecs(t *testing.T) {
	for _, c := range []struct {
		spec TopSpec
		want string
	}{
		{TopSpec{Name: "a", Vocabulary: 100, Count: 12, MaxRows: 1},
			"kernel a: Count is 12, must be a positive multiple of 8"},
		{TopSpec{Name: "a", Vocabulary: 40, Count: 64, MaxRows: 1},
			"kernel a: Vocabulary is 40, must be 64 to 262144"},
		{TopSpec{Name: "a", Vocabulary: 100, Count: 64},
			"kernel a: MaxRows is 0, must be 1 to 1024"},
	} {
		if _, err := TopScan(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
