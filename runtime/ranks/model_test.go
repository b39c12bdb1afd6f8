package ranks

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

// The model of these tests: tokens become heads of headWidth elements, each attends over its sequence,
// the heads go through a permutation, whose sums are exact however they are cut, and give logits and two
// "experts".
const (
	vocabulary = 30
	heads      = 4
	headWidth  = 8
	width      = heads * headWidth
)

// random is an element of a matrix that is the same wherever it is asked for.
func random(seed, i, j int) float32 {
	r := rand.New(rand.NewPCG(uint64(seed), uint64(i)<<32|uint64(j)))
	return float32(r.NormFloat64())
}

// model is a bundle of the model over dp·tp ranks, its head over head of them; trap adds a division that
// fails on one rank for its trapToken, before step trap of the others; -1 is none.
func model(t testing.TB, dp, tp, head, trap int) *bundle.Bundle {
	w := newWriter(t, dp, tp)
	tokens, _ := w.model(head, 100) // padding that nothing may see
	if trap >= 0 {
		w.trap(tokens, trap)
	}
	return w.open()
}

// model writes the model; padding is what the weights of columns behind a part's tokens are.
func (w *writer) model(head int, padding float32) (tokens, logits value) {
	tp := w.tp
	if w.ranks > 1 {
		w.manifest.Placement.HeadTp = uint32(head)
	}
	n, own := w.ranks, heads/tp*headWidth
	fixed := func(n int) shape.Dim { return shape.Fixed(int64(n)) }
	tokens = w.input("tokens", w.rows(tp))
	positions, sequences, rows := w.input("positions", w.rows(tp)), w.input("sequences", w.rows(tp)),
		w.input("rows", shape.Of(shape.L))
	keys, values := w.state("k", int64(heads/tp), headWidth), w.state("v", int64(heads/tp), headWidth)

	var parts []value
	for i, name := range []string{"q", "k", "v"} {
		table := w.floats(name, "row", vocabulary, own, func(rank, token, j int) float32 {
			return random(i, token, rank%tp*own+j)
		})
		x := w.buffer(dtype.F32, w.rows(tp), fixed(own))
		w.step(bundlepb.OpCode_EMBED, []value{tokens, table}, []value{x})
		parts = append(parts, w.view(x, w.rows(tp), fixed(heads/tp), fixed(headWidth)))
	}
	w.step(bundlepb.OpCode_KV_WRITE, []value{keys, parts[1], positions, sequences}, nil)
	w.step(bundlepb.OpCode_KV_WRITE, []value{values, parts[2], positions, sequences}, nil)
	attended := w.buffer(dtype.F32, w.rows(tp), fixed(heads/tp), fixed(headWidth))
	w.step(
		bundlepb.OpCode_ATTEND,
		[]value{parts[0], keys, values, positions, sequences},
		[]value{attended},
		"scale",
		0.35,
	)

	o := w.floats("o", "tile16", width, own, func(rank, i, j int) float32 {
		if rank%tp*own+j == (i*5+3)%width {
			return 1
		}
		return 0
	})
	whole := w.buffer(dtype.F32, w.rows(tp), fixed(width))
	w.step(bundlepb.OpCode_LINEAR, []value{w.view(attended, w.rows(tp), fixed(own)), o}, []value{whole})
	shard, world := w.buffer(
		dtype.F32,
		w.rows(1),
		fixed(width),
	), w.buffer(
		dtype.F32,
		w.rows(n),
		fixed(width),
	)
	w.step(bundlepb.OpCode_REDUCE_SCATTER, []value{whole}, []value{shard}, "size", tp, "stride", 1)
	w.step(bundlepb.OpCode_ALL_GATHER, []value{shard}, []value{world}, "size", n, "stride", 1)
	best, ids := w.buffer(dtype.F32, w.rows(n), fixed(2)), w.buffer(dtype.I32, w.rows(n), fixed(2))
	w.step(bundlepb.OpCode_TOP_K, []value{world}, []value{best, ids}, "k", 2)
	w.output("experts.0", ids)

	hidden := w.buffer(dtype.F32, shape.Of(shape.L), fixed(width))
	w.step(bundlepb.OpCode_GATHER_ROWS, []value{world, rows}, []value{hidden})
	columns := vocabulary
	if head > 1 {
		columns = (blockOf(vocabulary, head) + 15) / 16 * 16
	}
	h := w.floats("head", "tile16", columns, width, func(rank, i, j int) float32 {
		if head > 1 && i >= blockOf(vocabulary, head) {
			return padding
		}
		return random(7, rank%head*blockOf(vocabulary, head)+i, j)
	})
	logits = w.buffer(dtype.F32, shape.Of(shape.L), fixed(columns))
	w.step(bundlepb.OpCode_LINEAR, []value{hidden, h}, []value{logits})
	w.output("logits", logits)
	return tokens, logits
}

// steps is how many the model has without a trap.
const steps = 12

func (w *writer) trap(tokens value, before int) {
	first := len(w.program.Steps)
	table := w.floats("trap", "row", vocabulary, 2, func(rank, token, j int) float32 {
		if trapped := token == trapToken(rank); trapped == (j == 0) {
			return 1
		}
		return 0
	})
	x := w.buffer(dtype.F32, tokens.shape[0], shape.Fixed(2))
	divisor, quotient := w.buffer(dtype.I32, tokens.shape...), w.buffer(dtype.I32, tokens.shape...)
	w.step(bundlepb.OpCode_EMBED, []value{tokens, table}, []value{x})
	w.step(bundlepb.OpCode_ARGMAX_LAST, []value{x}, []value{divisor})
	w.step(bundlepb.OpCode_DIV, []value{tokens, divisor}, []value{quotient})
	added := slices.Clone(w.program.Steps[first:])
	w.program.Steps = slices.Insert(w.program.Steps[:first], before, added...)
}

// trapToken is what a rank fails on.
func trapToken(rank int) int { return 3 * (rank + 1) }

// placements are dp, tp and the ranks that split the head.
var placements = [][3]int{
	{1, 2, 1},
	{1, 2, 2},
	{2, 1, 2},
	{2, 1, 1},
	{1, 4, 4},
	{2, 2, 2},
	{2, 2, 4},
	{4, 1, 4},
}

// batches are the sequences of the tokens of steps one after the other: uneven groups, groups without
// tokens, one token, interleaved sequences.
var batches = [][]int32{
	{0, 0, 0, 1, 1, 2}, {3}, {1, 0, 2, 1, 0, 3, 1}, {0, 2, 4, 0, 2, 4, 0, 2, 4}, {4, 3, 2, 1, 0},
	{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 2, 3, 0, 0, 0, 1, 3, 3},
}

// tokenOf avoids the tokens of traps.
func tokenOf(step int) func(t int) int32 {
	return func(t int) int32 { return int32((step*7+t*5)%(vocabulary/3)*3 + 1) }
}

// outputs are what a step gives.
type outputs struct {
	logits  []float32
	experts []int32
}

func outputsOf(t testing.TB, r device.Runner) outputs {
	t.Helper()
	logits, err := r.Floats("logits")
	if err != nil {
		t.Fatal(err)
	}
	experts, err := r.Ints("experts.0")
	if err != nil {
		t.Fatal(err)
	}
	return outputs{slices.Clone(logits), slices.Clone(experts)}
}

// single runs all batches on one rank.
func single(t testing.TB) []outputs {
	t.Helper()
	r := load(t, model(t, 1, 1, 1, -1), nil, device.Options{})
	var all []outputs
	for i, sequences := range batches {
		b := feed(r, sequences, tokenOf(i))
		if err := r.Run(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		all = append(all, outputsOf(t, r))
	}
	return all
}

func wantOutputs(t *testing.T, what string, got, want outputs) {
	t.Helper()
	if !slices.Equal(got.logits, want.logits) {
		t.Errorf("%s: logits\n%v\nwant\n%v", what, got.logits, want.logits)
	}
	if !slices.Equal(got.experts, want.experts) {
		t.Errorf("%s: experts %v, want %v", what, got.experts, want.experts)
	}
}

// Over any number of ranks the model gives what it gives on one, bit for bit.
func TestRanksGiveWhatOneGives(t *testing.T) {
	want := single(t)
	for _, p := range placements {
		r := load(t, model(t, p[0], p[1], p[2], -1), nil, device.Options{Threads: 3})
		if got := r.Limits(); got != (device.Limits{BatchTokens: 12, Seqs: 5, Context: 40, LogitsRows: 6}) {
			t.Errorf("%v: limits %+v", p, got)
		}
		for _, w := range r.(*runner).workers {
			if got, want := w.runner.Limits().Seqs, (5+p[0]-1)/p[0]; got != want {
				t.Errorf("%v: rank %d has %d sequences, want %d", p, w.rank, got, want)
			}
		}
		lengths := make([]int, 5)
		for i, sequences := range batches {
			if err := r.Run(t.Context(), feed(r, sequences, tokenOf(i))); err != nil {
				t.Fatal(err)
			}
			wantOutputs(t, fmt.Sprintf("%v, batch %d", p, i), outputsOf(t, r), want[i])
			for _, q := range sequences {
				lengths[q]++
			}
			for q, n := range lengths {
				if r.Length(q) != n {
					t.Errorf("%v, batch %d: sequence %d has %d positions, want %d", p, i, q, r.Length(q), n)
				}
			}
		}
	}
}

// The greatest logits of all parts, in the order of the step.
func TestTopOfRanks(t *testing.T) {
	for _, p := range placements {
		w := newWriter(t, p[0], p[1])
		_, logits := w.model(p[2], 0)
		values := w.buffer(dtype.F32, shape.Of(shape.L), shape.Fixed(4))
		ids := w.buffer(dtype.I32, values.shape...)
		w.step(bundlepb.OpCode_TOP_K, []value{logits}, []value{values, ids}, "k", 4)
		w.output("top.values", values)
		w.output("top.ids", ids)
		w.output("top.stats", values)
		r := load(t, w.open(), nil, device.Options{})
		if err := r.Run(t.Context(), feed(r, []int32{3, 1, 0, 2, 3, 0, 4}, tokenOf(3))); err != nil {
			t.Fatal(err)
		}
		all := outputsOf(t, r).logits
		gotValues, err := r.Floats("top.values")
		if err != nil {
			t.Fatal(err)
		}
		gotIDs, err := r.Ints("top.ids")
		if err != nil {
			t.Fatal(err)
		}
		stats, err := r.Floats("top.stats")
		if err != nil {
			t.Fatal(err)
		}
		for row := range 5 {
			want := topOfPart(all[row*vocabulary:][:vocabulary], 4)
			if !slices.Equal(gotValues[row*4:][:4], want.Values) ||
				!slices.Equal(gotIDs[row*4:][:4], want.IDs) {
				t.Errorf(
					"%v, row %d: %v of %v, want %v of %v",
					p,
					row,
					gotValues[row*4:][:4],
					gotIDs[row*4:][:4],
					want.Values,
					want.IDs,
				)
			}
			if stats[2*row] != want.Stats[0] {
				t.Errorf("%v, row %d: greatest %v, want %v", p, row, stats[2*row], want.Stats[0])
			}
		}
	}
}

// A sequence that was cut goes on as if it had never been longer.
func TestTruncate(t *testing.T) {
	want := single(t)
	r := load(t, model(t, 2, 2, 4, -1), nil, device.Options{})
	for i, sequences := range batches[:3] {
		for range 2 { // the first time in vain
			var before []int
			for q := range 5 {
				before = append(before, r.Length(q))
			}
			if err := r.Run(t.Context(), feed(r, sequences, tokenOf(i))); err != nil {
				t.Fatal(err)
			}
			wantOutputs(t, fmt.Sprintf("batch %d", i), outputsOf(t, r), want[i])
			for q, n := range before {
				if err := r.Truncate(q, n); err != nil || r.Length(q) != n {
					t.Fatalf("%v, length %d", err, r.Length(q))
				}
			}
		}
		if err := r.Run(t.Context(), feed(r, sequences, tokenOf(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		sequence, length int
		want             string
	}{
		{5, 0, "sequence 5 of 5"}, {-1, 0, "sequence -1 of 5"},
		{0, -1, "sequence 0 has 5 positions and cannot be cut to -1"},
		{1, 6, "sequence 1 has 5 positions and cannot be cut to 6"},
	} {
		wantError(t, r.Truncate(c.sequence, c.length), c.want)
	}
	if r.Length(5) != 0 || r.Length(-1) != 0 {
		t.Error("a sequence that is not there has positions")
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// One rank alone is the inner device's business.
func TestOneRank(t *testing.T) {
	b := model(t, 1, 1, 1, -1)
	r := load(t, b, nil, device.Options{})
	if _, ok := r.(*runner); ok {
		t.Error("one rank is wrapped")
	}
	if name := New(cpudevice.Device{}).Name(); name != "cpu" {
		t.Error(name)
	}
}
