package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"moge/codegen"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/runtime/device"
)

// attention is a graph of one attention over random rows.
func attention(t *testing.T, d dtype.Type, heads, kvHeads, wide, window int64) *ir.Graph {
	t.Helper()
	b, _ := newGraph()
	part := func(name string, n int64) *ir.Value {
		x := b.Op1(ir.OpEmbed, name, b.tokens, b.Weight(name, dtype.F32, 50, n*wide))
		return b.Reshape(name, x, shape.Rows(shape.Of(shape.T), n, wide))
	}
	q := part("q", heads)
	k := b.Op1(ir.OpKVWrite, "k", b.State("k", d, kvHeads, wide), part("k", kvHeads), b.positions, b.sequences)
	v := b.Op1(ir.OpKVWrite, "v", b.State("v", d, kvHeads, wide), part("v", kvHeads), b.positions, b.sequences)
	attrs := []ir.Attr{ir.Float("scale", 0.25)}
	if window > 0 {
		attrs = append(attrs, ir.Int("window", window))
	}
	y := b.Add(ir.OpAttend, "attend", []*ir.Value{q, k, v, b.positions, b.sequences}, attrs...)[0]
	y = b.Reshape("attend", y, shape.Rows(shape.Of(shape.T), heads*wide))
	b.Output("y", b.Op1(ir.OpTakeRows, "y", y, b.rows))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// attendTolerance bounds the distance of two results over n positions of width elements up
// to top: a score is off by (width/16+6)·2^-24·width·top²/4 on either side, which moves all
// weights by as much, relatively; Exp and the sums of weights and rows add 2·(n+8)·2^-24.
func attendTolerance(n, width int, top float64) float64 {
	score := float64(width/16+6) * float64(width) * top * top / 4
	return (4*score + 2*float64(n+8)) / (1 << 24) * top
}

// inTurn are steps of up to size tokens over sequences of the given lengths, interleaved.
func inTurn(r *rand.Rand, lengths []int, size int) []device.Batch {
	var order []int32
	for seq, n := range lengths {
		order = append(order, slices.Repeat([]int32{int32(seq)}, n)...)
	}
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	at := make([]int32, len(lengths))
	var all []device.Batch
	for chunk := range slices.Chunk(order, size) {
		b := device.Batch{Sequences: chunk}
		for t, seq := range chunk {
			b.Tokens, b.Positions = append(b.Tokens, int32(r.IntN(50))), append(b.Positions, at[seq])
			at[seq]++
			if t%9 == 0 {
				b.Rows = append(b.Rows, int32(t))
			}
		}
		all = append(all, b)
	}
	return all
}

func TestAttend(t *testing.T) {
	for _, c := range []struct {
		d                            dtype.Type
		heads, kvHeads, wide, window int64
	}{
		{dtype.F32, 4, 2, 16, 0}, {dtype.F16, 4, 1, 24, 0}, {dtype.I8, 2, 2, 16, 0},
		{dtype.F32, 3, 3, 20, 100}, {dtype.I8, 4, 2, 16, 300}, {dtype.F16, 2, 1, 16, 1},
	} {
		t.Run(fmt.Sprintf("%v %d heads of %d window %d", c.d, c.heads, c.kvHeads, c.window), func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			g := attention(t, c.d, c.heads, c.kvHeads, c.wide, c.window)
			w := weightsOf(r, g)
			limits := codegen.Limits{BatchTokens: 150, Seqs: 3, Context: 700, LogitsRows: 20}
			runner := load(t, build(t, g, w, limits), device.Options{Threads: 2})
			lengths := []int{600, 257, 40}
			top := largestOf(w)
			compareAttend(t, g, w, runner, inTurn(r, lengths, 150), attendTolerance(lengths[0], int(c.wide), top))
		})
	}
}

func largestOf(w named) float64 {
	top := float32(0)
	for _, t := range w {
		top = max(top, slices.Max(t.F32), -slices.Min(t.F32))
	}
	return float64(top)
}

func compareAttend(t *testing.T, g *ir.Graph, w named, r device.Runner, batches []device.Batch,
	tolerance float64) {
	t.Helper()
	state := interp.NewState()
	worst := 0.0
	for _, batch := range batches {
		want, err := interp.Run(g, inputsOf(batch), state, w, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		got, err := r.Floats("y")
		if err != nil {
			t.Fatal(err)
		}
		diff, err := tensor.MaxAbsDiff(tensor.FromF32(got, want["y"].Shape...), want["y"])
		if err != nil || !(diff <= tolerance) {
			t.Fatalf("off by %.3g (%v), %.3g allowed", diff, err, tolerance)
		}
		worst = max(worst, diff)
	}
	t.Logf("off by %.3g, %.3g allowed", worst, tolerance)
}

func TestLongContext(t *testing.T) {
	const length = 4096
	r := rand.New(rand.NewPCG(7, 8))
	g := attention(t, dtype.F16, 2, 1, 8, 0)
	w := weightsOf(r, g)
	limits := codegen.Limits{BatchTokens: 500, Seqs: 1, Context: length, LogitsRows: 60}
	runner := load(t, build(t, g, w, limits), device.Options{Threads: 2})
	compareAttend(t, g, w, runner, inTurn(r, []int{length}, 500), attendTolerance(length, 8, largestOf(w)))
	if n := runner.Length(0); n != length {
		t.Errorf("the sequence has %d positions, want %d", n, length)
	}
}
