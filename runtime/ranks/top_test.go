package ranks

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moge/runtime/comm"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

const topWide = 8 // columns of statistics, of which two count

// topOfPart is what one rank leaves of a row of its part: its greatest logits, with padding where there are
// few.
func topOfPart(x []float32, count int) Top {
	ids := make([]int32, len(x))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch u, v := x[a], x[b]; {
		case larger(u, v):
			return -1
		case larger(v, u):
			return 1
		}
		return 0
	})
	top := Top{Stats: make([]float32, topWide)}
	top.Stats[0] = float32(math.Inf(-1))
	sum := 0.0
	if len(x) > 0 {
		top.Stats[0] = x[ids[0]]
	}
	for _, v := range x {
		sum += math.Exp(float64(v) - float64(top.Stats[0]))
	}
	top.Stats[1] = float32(sum)
	for i := range count {
		id, value := int32(len(x)+i), float32(50) // padding that looks great
		if i < len(ids) {
			id, value = ids[i], x[ids[i]]
		}
		top.IDs, top.Values = append(top.IDs, id), append(top.Values, value)
	}
	return top
}

// logitsOf are few different values, so that many are equal.
func logitsOf(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(n)) / 4
	}
	return x
}

// Merged, the parts give what the whole row gives: values and ids exactly, sums within the rounding of
// each part's sum, of its exponential (2 units in the last place, of an argument rounded once), of their
// product and of the sum of all.
func TestMergeTop(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, vocab := range []int{8, 29, 30, 64, 100} {
		for _, ranks := range []int{1, 2, 3, 4, 8} {
			count, at := min(8, vocab), []int{2, 0, 1}
			rows := make([][]float32, len(at))
			parts := make([]Top, ranks)
			block := blockOf(vocab, ranks)
			for row := range rows {
				rows[row] = logitsOf(r, vocab)
				for i := range parts {
					lo := min(i*block, vocab)
					p := topOfPart(rows[row][lo:min(lo+block, vocab)], count)
					parts[i].Values = append(parts[i].Values, p.Values...)
					parts[i].IDs = append(parts[i].IDs, p.IDs...)
					parts[i].Stats = append(parts[i].Stats, p.Stats...)
				}
			}
			got, err := MergeTop(parts, at, vocab)
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range at {
				want := topOfPart(rows[row], count)
				if !slices.Equal(got.Values[i*count:][:count], want.Values) ||
					!slices.Equal(got.IDs[i*count:][:count], want.IDs) {
					t.Errorf("vocabulary %d, %d ranks, row %d: %v of %v\nwant %v of %v", vocab, ranks, i,
						got.Values[i*count:][:count], got.IDs[i*count:][:count], want.Values, want.IDs)
				}
				spread := float64(slices.Max(rows[row]) - slices.Min(rows[row]))
				bound := (spread + float64(ranks) + 8) * 0x1p-24 * float64(want.Stats[1])
				if top, sum := got.Stats[2*i], got.Stats[2*i+1]; top != want.Stats[0] ||
					!(math.Abs(float64(sum)-float64(want.Stats[1])) <= bound) {
					t.Errorf(
						"vocabulary %d, %d ranks, row %d: statistics %v, %v, want %v within %v",
						vocab,
						ranks,
						i,
						top,
						sum,
						want.Stats[:2],
						bound,
					)
				}
			}
		}
	}
}

// Infinities and what is no number come where they come in one row.
func TestMergeTopOfNoNumbers(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	rows := [][]float32{
		{1, nan, 2, nan, 3, inf},
		{-inf, -inf, -inf, 1, 2, -inf},
		{-inf, -inf, -inf, -inf, -inf, -inf},
	}
	for _, row := range rows {
		var parts []Top
		for i := range 3 {
			parts = append(parts, topOfPart(row[2*i:2*i+2], 2))
		}
		got, err := MergeTop(parts, []int{0}, 6)
		if err != nil {
			t.Fatal(err)
		}
		want := topOfPart(row, 2)
		bits := func(x []float32) (b []uint32) {
			for _, v := range x {
				b = append(b, math.Float32bits(v))
			}
			return b
		}
		if !slices.Equal(got.IDs, want.IDs) || !slices.Equal(bits(got.Values), bits(want.Values)) {
			t.Errorf("%v: %v of %v, want %v of %v", row, got.Values, got.IDs, want.Values, want.IDs)
		}
		if sum := got.Stats[1]; row[3] == 1 && sum != want.Stats[1] {
			t.Errorf("%v: sum %v, want %v", row, sum, want.Stats[1])
		}
	}
}

func TestMergeTopErrors(t *testing.T) {
	good := topOfPart([]float32{1, 2, 3, 4}, 3)
	short := topOfPart([]float32{1, 2, 3, 4}, 2)
	_, err := MergeTop([]Top{good, short}, []int{0}, 8)
	wantError(t, err, "part 1 has 2 values, 2 ids and 8 statistics for 1 rows")
	_, err = MergeTop([]Top{good, {good.Values, good.IDs, good.Stats[:1]}}, []int{0}, 8)
	wantError(t, err, "part 1 has 3 values, 3 ids and 1 statistics for 1 rows")
	_, err = MergeTop([]Top{good, good}, []int{0}, 2)
	wantError(t, err, "the parts have fewer than 3 tokens")
	if got, err := MergeTop([]Top{good}, nil, 4); err != nil || got.Values != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMergeLogits(t *testing.T) {
	// seven tokens over four ranks: two each, the last one; width with padding 3; rows wanted in the order 1, 0
	parts := [][]float32{
		{0, 1, -1, 10, 11, -1},
		{2, 3, -1, 12, 13, -1},
		{4, 5, -1, 14, 15, -1},
		{6, -1, -1, 16, -1, -1},
	}
	got, err := mergeLogits(nil, parts, []int{1, 0}, 7)
	want := []float32{10, 11, 12, 13, 14, 15, 16, 0, 1, 2, 3, 4, 5, 6}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	// five tokens over four ranks: the last has none
	got, err = mergeLogits(nil, parts, []int{0, 1}, 5)
	if want = []float32{0, 1, 2, 3, 4, 10, 11, 12, 13, 14}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	_, err = mergeLogits(nil, parts, []int{0, 1}, 100)
	wantError(t, err, "part 0 has 6 elements for 2 rows of 25 columns")
	_, err = mergeLogits(nil, [][]float32{parts[0], parts[1][:5]}, []int{0, 1}, 4)
	wantError(t, err, "part 1 has 5 elements for 2 rows of 2 columns")
	if got, err := mergeLogits(nil, parts, nil, 7); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// The threads of the options are those of all ranks.
func TestThreads(t *testing.T) {
	r := &runner{}
	for _, c := range []struct {
		threads, ranks int
		want           []int
	}{
		{1, 2, []int{1, 1}}, {2, 2, []int{1, 1}}, {3, 2, []int{2, 1}}, {16, 3, []int{6, 5, 5}},
		{3, 4, []int{1, 1, 1, 1}},
	} {
		r.world = comm.NewWorld(c.ranks)
		for i, want := range c.want {
			opt := r.options(device.Options{Threads: c.threads}, i, c.ranks)
			if opt.Threads != want || opt.Rank != i || opt.Ranks != c.ranks || opt.Comm == nil {
				t.Errorf("%d threads, rank %d of %d: %+v", c.threads, i, c.ranks, opt)
			}
		}
	}
}

// A group's cache needs no more positions than all its sequences have.
func TestCacheRows(t *testing.T) {
	r := &runner{split: split{groups: device.Groups{DP: 2, TP: 2}}}
	for _, c := range []struct{ rows, context, want int64 }{
		{0, 0, 0}, {1, 0, 1}, {3*512 - 1, 0, 3*512 - 1}, {3 * 512, 0, 0}, {1 << 40, 0, 0}, {-1, 0, -1}, {3*256 - 1, 100, 3*256 - 1},
		{3 * 256, 100, 0},
	} {
		if got := r.cacheRows(device.Options{CacheRows: c.rows, Context: c.context}, 5, 400); got != c.want {
			t.Errorf("%d positions, context %d: %d, want %d", c.rows, c.context, got, c.want)
		}
	}
}

// Without a tap for each rank the first one has the only one.
func TestTapOfRankZero(t *testing.T) {
	calls := 0
	tap := func(string, string, []any) { calls++ }
	r, err := New(cpudevice.Device{}).Load(model(t, 2, 2, 4, -1), 0, device.Options{Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Run(t.Context(), feed(r, []int32{0, 1}, tokenOf(0))); err != nil || calls != steps {
		t.Errorf("%v, %d calls", err, calls)
	}
}

func TestGroups(t *testing.T) {
	g := device.Groups{DP: 2, TP: 4}
	for _, c := range []struct{ tokens, rows, world int }{{1, 4, 8}, {4, 4, 8}, {5, 8, 16}} {
		if g.Rows(c.tokens) != c.rows || g.World(c.tokens) != c.world {
			t.Errorf("%d tokens: %d rows, %d in all", c.tokens, g.Rows(c.tokens), g.World(c.tokens))
		}
	}
	var at [][2]int
	for q := range 5 {
		group, local := g.Of(q)
		at = append(at, [2]int{group, local})
	}
	if !slices.Equal(at, [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 2}}) || g.Seqs(5) != 3 {
		t.Errorf("%v, %d", at, g.Seqs(5))
	}
}
