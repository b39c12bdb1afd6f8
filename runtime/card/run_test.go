package card

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/device"
	"moge/runtime/kv"
)

// history is the tokens of each sequence: what the cache should hold.
type history [seqLimit][]int32

// batch makes a step of the given tokens a sequence, in an order that interleaves them, with logits
// of about every third token.
func (h *history) batch(r *rand.Rand, counts [seqLimit]int) device.Batch {
	var b device.Batch
	next := [seqLimit]int{}
	for s := range counts {
		next[s] = len(h[s])
	}
	for {
		var left []int
		for s, n := range counts {
			if next[s] < len(h[s])+n {
				left = append(left, s)
			}
		}
		if left == nil {
			return b
		}
		s := left[r.IntN(len(left))]
		if r.IntN(3) == 0 && len(b.Rows) < maxL {
			b.Rows = append(b.Rows, int32(len(b.Tokens)))
		}
		b.Tokens = append(b.Tokens, r.Int32N(vocab))
		b.Positions, b.Sequences = append(b.Positions, int32(next[s])), append(b.Sequences, int32(s))
		next[s]++
	}
}

// expect adds a batch to the history and gives the outputs it must have: of each token the sums of
// keys, and from these all others.
func (h *history) expect(b device.Batch) (sums []int) {
	for t, s := range b.Sequences {
		h[s] = append(h[s], b.Tokens[t])
		sum := 0
		for _, id := range h[s] {
			sum += int(id) + 1
		}
		sums = append(sums, sum)
	}
	return sums
}

// runChecked runs a step and compares all outputs.
func (h *history) runChecked(t *testing.T, r *runner, b device.Batch) {
	t.Helper()
	if err := r.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	sums := h.expect(b)
	var logits []float32
	for _, row := range b.Rows {
		for v := range vocab {
			logits = append(logits, float32(sums[row]+v))
		}
	}
	var experts []int32
	for i, sum := range sums {
		experts = append(experts, int32(sum%7), int32(sum%5))
		if got := must[int32](t)(r.Ints("sums"))[8*i:][:2]; int(got[0]) != sum || int(got[1]) != 2*sum {
			t.Fatalf("token %d of %v: sums %v, want %d and twice that", i, b, got, sum)
		}
	}
	if got := must[float32](t)(r.Floats("logits")); !slices.Equal(got, logits) {
		t.Fatalf("logits of %v:\n%v, want\n%v", b, got, logits)
	}
	if got := must[int32](t)(r.Ints("experts.0")); !slices.Equal(got, experts) {
		t.Fatalf("experts of %v:\n%v, want\n%v", b, got, experts)
	}
	for s := range h {
		if r.Length(s) != len(h[s]) {
			t.Fatalf("sequence %d has %d positions, want %d", s, r.Length(s), len(h[s]))
		}
	}
}

func must[E any](t *testing.T) func([]E, error) []E {
	return func(list []E, err error) []E {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
}

// TestRandomBatches runs steps of any shape, with sequences cut short in between, until some are
// longer than two pages.
func TestRandomBatches(t *testing.T) {
	_, run := loaded(t, device.Options{CacheRows: 5 * PageRows})
	r, h := rand.New(rand.NewPCG(1, 2)), &history{}
	most, full := 0, 0
	for range 400 {
		var counts [seqLimit]int
		left := maxT
		for s := range counts {
			counts[s] = min(left, []int{0, 1, 1, 2, 7, 13, 32}[r.IntN(7)], contextLimit-len(h[s]))
			left -= counts[s]
		}
		if left == maxT {
			continue
		}
		b := h.batch(r, counts)
		if pagesNeeded(h, counts) > 5 {
			full++
			var lacking *kv.OutOfPagesError
			if err := run.Run(context.Background(), b); !errors.As(err, &lacking) {
				t.Fatalf("%v, want that pages are lacking", err)
			}
			h.cut(t, run, r.IntN(seqLimit), r.IntN(2))
			continue
		}
		h.runChecked(t, run, b)
		for s := range h {
			most = max(most, len(h[s]))
		}
		if r.IntN(8) == 0 {
			s := r.IntN(seqLimit)
			h.cut(t, run, s, len(h[s])-min(len(h[s]), r.IntN(20)))
		}
	}
	if most <= 2*PageRows || full == 0 {
		t.Errorf("the longest sequence had %d positions, %d times pages were lacking", most, full)
	}
	for s := range h {
		h.cut(t, run, s, 0)
	}
	if free := len(run.cache.free) + int(run.cache.count-run.cache.next); free != 5 {
		t.Errorf("%d pages came back of 5", free)
	}
}

func pagesNeeded(h *history, counts [seqLimit]int) (n int) {
	for s := range h {
		n += pagesOf(len(h[s]) + counts[s])
	}
	return n
}

func (h *history) cut(t *testing.T, r *runner, s, length int) {
	t.Helper()
	length = min(length, len(h[s]))
	if err := r.Truncate(s, length); err != nil {
		t.Fatal(err)
	}
	h[s] = h[s][:length:length]
}

// TestLaunches compares all launches of one step: sequence 2 has one token, 0 and 3 have more.
func TestLaunches(t *testing.T) {
	c, r := loaded(t, device.Options{CacheRows: 3 * PageRows})
	h := &history{}
	h.runChecked(t, r, device.Batch{Tokens: []int32{9, 8, 7}, Positions: []int32{0, 1, 0},
		Sequences: []int32{0, 0, 2}})
	c.launches = nil
	b := device.Batch{Tokens: []int32{1, 2, 3, 4, 5, 6}, Positions: []int32{2, 0, 1, 3, 1, 4},
		Sequences: []int32{0, 3, 2, 0, 3, 0}, Rows: []int32{2, 4}}
	h.runChecked(t, r, b)
	const in, out = bundlepb.TensorRole_ROLE_IN, bundlepb.TensorRole_ROLE_OUT
	const both, rows = bundlepb.TensorRole_ROLE_IN_OUT, 16
	at := func(buffer int, skip, bytes int64, role bundlepb.TensorRole) Tensor {
		return Tensor{r.at[buffer] + Addr(skip), bytes, role}
	}
	state := func(i int, role bundlepb.TensorRole) Tensor {
		return Tensor{r.states[i], 3 * PageRows * width * 2, role}
	}
	x, sums := at(bufX, 0, rows*32, in), at(bufOut, 0, rows*32, in)
	prefillOf := func(first, table int64, scalars ...int32) Launch {
		return Launch{"prefill", 8, []Tensor{at(bufX, first*32, (rows-first)*32, in), state(0, in), state(1, in),
			at(bufPages, table*32, (16-table)*32, in), at(bufOut, first*32, (rows-first)*32, out)}, scalars}
	}
	want := []Launch{
		{"embed", 8, []Tensor{at(bufTokens, 0, rows*32, in), {r.sections[0], vocab * width * 2, in},
			at(bufX, 0, rows*32, out)}, []int32{6}},
		{"write", 8, []Tensor{x, at(bufPlaces, 0, rows*32, in), at(bufRope, 0, rows*32, in), state(0, both),
			state(1, both), at(bufWork, 0, 192, bundlepb.TensorRole_ROLE_SCRATCH),
			at(bufSync, 0, 32, bundlepb.TensorRole_ROLE_ZEROED)}, []int32{6, 3, 5, 12}},
		prefillOf(1, 1, 3, 2, 3), // sequence 0: three tokens from position 2, after that of sequence 2
		prefillOf(4, 2, 2, 0, 3), // sequence 3: two tokens
		{"decode", 8, []Tensor{x, state(0, in), state(1, in), at(bufPages, 0, 512, in),
			at(bufLengths, 0, 512, in), at(bufOut, 0, rows*32, out)}, []int32{1, 3}},
		{"top", 8, []Tensor{sums, at(bufExperts, 0, rows*32, out)}, []int32{6}},
		{"head", 8, []Tensor{at(bufRows, 0, rows*32, in), sums, at(bufLogits, 0, rows*(vocab+4)*4, out)},
			[]int32{2, 6}},
	}
	if !reflect.DeepEqual(c.launches, want) {
		t.Errorf("launches\n%v, want\n%v", c.launches, want)
	}
}

// TestRowsOfLaunches: rows are rounded up to 16 as far as the buffer reaches, and no further.
func TestRowsOfLaunches(t *testing.T) {
	b := buffer{dtype: dtype.F16, cols: width}
	for _, c := range []struct {
		by           movement
		q            device.Span
		i            int
		bytes        int64
		first, count int64
	}{
		{whole, device.Span{}, 0, 32 * 32, 0, 32 * 32},
		{byRow, device.Span{First: 3, Count: 5}, 1, 48 * 32, 3 * 32, 16 * 32},
		{byRow, device.Span{First: 3, Count: 17}, 1, 48 * 32, 3 * 32, 32 * 32},
		{byRow, device.Span{First: 20, Count: 12}, 1, 32 * 32, 20 * 32, 12 * 32},
		{byTables, device.Span{First: 3, Count: 5}, 2, 16 * 32, 2 * 32, 14 * 32},
	} {
		first, count := part(b, c.by, c.q, c.i, c.bytes)
		if first != c.first || count != c.count {
			t.Errorf("%+v: %d bytes from %d", c, count, first)
		}
	}
}

// TestNoLogits: a step that wants none does not launch what is for these rows.
func TestNoLogits(t *testing.T) {
	c, r := loaded(t, device.Options{})
	h := &history{}
	h.runChecked(t, r, device.Batch{Tokens: []int32{4}, Positions: []int32{0}, Sequences: []int32{1}})
	var names []string
	for _, l := range c.launches {
		names = append(names, l.Kernel)
	}
	if want := []string{"embed", "write", "decode", "top"}; !slices.Equal(names, want) {
		t.Errorf("launches of %v, want %v", names, want)
	}
}

func TestAngles(t *testing.T) {
	c, r := loaded(t, device.Options{})
	b := device.Batch{Tokens: []int32{1, 2, 3}, Positions: []int32{0, 0, 1}, Sequences: []int32{3, 1, 3}}
	new(history).runChecked(t, r, b)
	var want []float32
	for _, position := range []int32{0, 0, 1} { // sequence 1 has one token and comes first
		row := make([]float32, 8)
		device.RopeRow(row[:4], row[4:], position, device.RopeFrequencies(4, 10000))
		want = append(want, row...)
	}
	got := make([]float32, len(want))
	dtype.Decode(dtype.F32, got, c.memory[r.at[bufRope]:][:4*len(want)])
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTap(t *testing.T) {
	type call struct {
		site, op string
		results  []any
	}
	var calls []call
	tap := func(site, op string, results []any) { calls = append(calls, call{site, op, results}) }
	_, r := loaded(t, device.Options{Tap: tap})
	b := device.Batch{Tokens: []int32{1, 2, 3}, Positions: []int32{0, 1, 0}, Sequences: []int32{0, 0, 1}}
	new(history).runChecked(t, r, b)
	var sites []string
	for _, c := range calls {
		sites = append(sites, c.site+" "+c.op)
	}
	want := []string{"at.embed embed", "at.write write", "at.prefill prefill", "at.decode decode", "at.top top"}
	if !slices.Equal(sites, want) {
		t.Fatalf("%v, want %v", sites, want)
	}
	x := calls[0].results[0].([]float32)
	if len(x) != 16*width || x[0] != 4 || x[width] != 2 || x[2*width] != 3 {
		t.Errorf("%d halves, rows begin with %v, %v, %v", len(x), x[0], x[width], x[2*width])
	}
	if got := calls[1].results; !reflect.DeepEqual(got, []any{nil, nil}) {
		t.Errorf("states are seen as %v", got)
	}
	if sums := calls[3].results[0].([]int32); sums[0] != 4 || sums[8] != 2 || sums[16] != 5 {
		t.Errorf("sums %v", sums[:17])
	}
	if got := decoded(dtype.I8, []byte{1, 255}); !reflect.DeepEqual(got, []int8{1, -1}) {
		t.Errorf("bytes are seen as %v", got)
	}
}
