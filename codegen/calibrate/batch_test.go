package calibrate

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

func TestPackKeepsOrderAndBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		windows := make([][]int32, r.IntN(12))
		longest := 0
		for i := range windows {
			windows[i] = make([]int32, 1+r.IntN(9))
			windows[i][0] = int32(i)
			longest = max(longest, len(windows[i]))
		}
		bound := 1 + r.Int64N(30)
		next := 0
		var before int64
		for i, batch := range pack(windows, bound) {
			var tokens int64
			for _, w := range batch {
				if int(w[0]) != next {
					t.Fatalf("window %d comes in the place of %d", w[0], next)
				}
				next++
				tokens += int64(len(w))
			}
			if len(batch) == 0 || tokens > bound && len(batch) > 1 {
				t.Fatalf("batch %d has %d windows of %d tokens, at most %d", i, len(batch), tokens, bound)
			}
			if i > 0 && before+int64(len(batch[0])) <= bound {
				t.Fatalf("the first window of batch %d fits the one before", i)
			}
			before = tokens
		}
		if next != len(windows) {
			t.Fatalf("%d of %d windows", next, len(windows))
		}
	}
}

func TestBytesPerToken(t *testing.T) {
	b := ir.NewBuilder("sizes")
	x := b.Input("x", ir.Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), 8)))
	w := b.Weight("w", dtype.F32, 100, 8)
	y := b.Op1(ir.OpLinear, "y", x, w) // x and y: 108 elements
	z := b.Op1(ir.OpSiLU, "z", y)      // y and z: 200
	b.Output("z", b.Op1(ir.OpSumLast, "s", z))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if got := bytesPerToken(g); got != 800 {
		t.Errorf("got %d bytes, want those of 200 elements", got)
	}
	for _, c := range []struct{ bound, want int64 }{
		{0, defaultBatch}, {1, 1}, {1600, 1}, {16_000, 10}, {16_015, 10}, {1 << 50, defaultBatch},
	} {
		if got := batchTokens(g, c.bound); got != c.want {
			t.Errorf("within %d bytes: %d tokens, want %d", c.bound, got, c.want)
		}
	}
}

// The estimate covers the largest activations of a real model: its residual, its widest
// projection and, where there are experts, a row of each for every choice.
func TestBytesPerTokenOfModels(t *testing.T) {
	for dir, widest := range map[string]int64{
		"families/llama":   4 * (64 + 2*192),  // residual, gate and up
		"families/mixtral": 4 * (64 + 2*2*48), // residual, two experts of gate and up
		"families/qwen3":   4 * (64 + 64),     // at least the residual and its norm
		"tiny-moge":        4 * (64 + 8*2*16), // residual, eight experts
	} {
		g, _ := observedModel(t, dir)
		got := bytesPerToken(g)
		if got < widest || got > 40*widest {
			t.Errorf("%s: %s bytes a token, the largest values take %d", dir, fmt.Sprint(got), widest)
		}
	}
}
