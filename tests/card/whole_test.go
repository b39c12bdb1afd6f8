package card

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"moge/ir/interp"
)

// compare holds logits of the card against those of the interpreter, row by row. The bound is how far
// any row's logits move when every kernel of the model gives every element of its result at its own
// bound, in random directions: more than kernels do, which are at their bound in few elements. It
// includes tokens that go to another expert. Where the interpreter prefers its token by more than twice
// the bound, the card must choose it too.
func compare(t *testing.T, c *subject, ids []int32, got []float32) {
	t.Helper()
	law := c.law(t, ids)
	sameChoices(t, got, law.logits, len(ids), law.bound)
}

// sameChoices wants logits within a bound of others, and their choice in every row where they prefer a
// token by more than twice the bound; there must be such rows.
func sameChoices(t *testing.T, got, want []float32, rows int, bound float64) {
	t.Helper()
	off := furthest(got, want)
	if off > bound {
		t.Errorf("logits differ by %g, the bound is %g", off, bound)
	}
	vocab, decided, equal := len(want)/rows, 0, 0
	for row := range rows {
		token, margin := best(want[row*vocab:][:vocab])
		other, _ := best(got[row*vocab:][:vocab])
		if other == token {
			equal++
		}
		if margin <= 2*bound {
			continue
		}
		if decided++; other != token {
			t.Errorf("row %d: token %d, want %d, which leads by %g", row, other, token, margin)
		}
	}
	t.Logf("%d of %d tokens the same; %d decided: margins beyond twice the bound %.3g; logits differ by %.3g",
		equal, rows, decided, bound, off)
	if decided < rows/8 {
		t.Errorf("the margin decides %d of %d rows: the comparison says little", decided, rows)
	}
}

// law is what the interpreter says of a text, and the bound of compare. Both cards have the same graph.
type law struct {
	logits []float32
	bound  float64
}

// laws are those asked for before, by scheme and text.
var laws = map[string]law{}

func (c *subject) law(t *testing.T, ids []int32) law {
	t.Helper()
	key := fmt.Sprint(c.scheme, ids)
	if _, known := laws[key]; !known {
		out, err := interp.Run(c.graph, inputs(ids), nil, c.weights, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		laws[key] = law{out["logits"].F32, moved(t, c, ids, out["logits"].F32)}
	}
	return laws[key]
}

// moved is the bound of compare, the largest of several runs.
func moved(t *testing.T, c *subject, ids []int32, want []float32) float64 {
	t.Helper()
	off := make([]float64, 8)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for seed := range off {
		f := newFollower(t, c, nil)
		f.jitter = rand.New(rand.NewPCG(uint64(seed), 5))
		group.Go(func() error {
			out, err := interp.Run(c.graph, inputs(ids), nil, c.weights, interp.Options{Override: f.override})
			if err == nil {
				off[seed] = furthest(out["logits"].F32, want)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("logits moved by %.3g", off)
	return slices.Max(off)
}

// furthest is the largest difference of two elements; infinite where one is no number, or lengths differ.
func furthest(a, b []float32) float64 {
	most := 0.0
	for i := range min(len(a), len(b)) {
		most = max(most, math.Abs(float64(a[i])-float64(b[i])))
	}
	if math.IsNaN(most) || len(a) != len(b) {
		return math.Inf(1)
	}
	return most
}

// best is the index of the largest, the lowest among equals, and how far the next is below it.
func best(x []float32) (int, float64) {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	next := math.Inf(-1)
	for i, v := range x {
		if i != at {
			next = max(next, float64(v))
		}
	}
	return at, float64(x[at]) - next
}

func TestWholeModelOnEmittedKernels(t *testing.T) {
	for _, c := range []struct{ target, scheme string }{
		{"300i-duo", "w8a8-dynamic"}, {"300i-duo", "w8a8"}, {"800i-a2", "w8a8-dynamic"}, {"800i-a2", "w8a8"},
	} {
		t.Run(c.target+" "+c.scheme, func(t *testing.T) { whole(t, compiled(t, c.target, c.scheme)) })
	}
}

// whole runs 256 tokens of text, most as a prompt and the rest one by one, then lets the card write.
func whole(t *testing.T, c *subject) {
	taps := newTaps(c.bundle.Manifest())
	f := newFollower(t, c, taps)
	r := c.load(t, taps.tap)
	ids := text(t, 256)
	const prompt, followed = 236, 2
	logits := step(t, r, ids[:prompt], 0)
	state := interp.NewState()
	follow := func(from, to int) {
		in := inputs(ids[:to])
		in.Tokens, in.Positions, in.Sequences = in.Tokens[from:], in.Positions[from:], in.Sequences[from:]
		in.Rows = in.Rows[:to-from]
		if _, err := interp.Run(c.graph, in, state, c.weights, interp.Options{Override: f.override}); err != nil {
			t.Fatal(err)
		}
	}
	follow(0, prompt)
	for i := prompt; i < len(ids); i++ {
		logits = append(logits, step(t, r, ids[i:i+1], i)...)
		if i < prompt+followed {
			follow(i, i+1)
		}
	}
	f.report()
	compare(t, c, ids, logits)
	greedy(t, c)
}

// greedy lets the card continue a prompt by 64 tokens.
func greedy(t *testing.T, c *subject) {
	r := c.load(t, nil)
	ids := text(t, 16)
	logits := step(t, r, ids, 0)
	vocab := len(logits) / len(ids)
	for range 64 {
		token, _ := best(logits[len(logits)-vocab:])
		ids = append(ids, int32(token))
		logits = append(logits, step(t, r, ids[len(ids)-1:], len(ids)-1)...)
	}
	compare(t, c, ids, logits)
}
