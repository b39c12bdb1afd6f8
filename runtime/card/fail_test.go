package card

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"moge/runtime/device"
	"moge/runtime/kv"
)

var errCard = errors.New("the card is on fire")

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error: %v\n want: %s", err, want)
	}
}

// TestFailedSteps: whatever fails, the caches are as before, and the same step then succeeds.
func TestFailedSteps(t *testing.T) {
	for what, want := range map[string]string{
		"embed":   "step 0 at at.embed: the card is on fire",
		"prefill": "step 3 at at.prefill: the card is on fire",
		"decode":  "step 4 at at.decode: the card is on fire",
		"head":    "step 6 at at.head: the card is on fire",
		"write":   "input tokens: the card is on fire",
		"clear":   "step 2 at at.write: the card is on fire",
		"read":    "step 0 at at.embed: read tensor out: the card is on fire",
	} {
		t.Run(what, func(t *testing.T) {
			c, r := loaded(t, device.Options{Tap: func(string, string, []any) {}})
			h, random := &history{}, rand.New(rand.NewPCG(3, 4))
			h.runChecked(t, r, h.batch(random, [seqLimit]int{9, 1, 0, 17}))
			b := h.batch(random, [seqLimit]int{1, 12, 5, 0})
			b.Rows = []int32{3}
			c.failing = map[string]error{what: errCard}
			err := r.Run(context.Background(), b)
			if !errors.Is(err, errCard) {
				t.Fatal(err)
			}
			wantError(t, err, want)
			_, err = r.Floats("logits")
			wantError(t, err, `output "logits": no step has succeeded`)
			for s := range h {
				if r.Length(s) != len(h[s]) {
					t.Errorf("sequence %d has %d positions, want %d", s, r.Length(s), len(h[s]))
				}
			}
			c.failing = nil
			h.runChecked(t, r, b)
		})
	}
}

func TestCancelledStep(t *testing.T) {
	_, r := loaded(t, device.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := device.Batch{Tokens: []int32{1}, Positions: []int32{0}, Sequences: []int32{0}}
	if err := r.Run(ctx, b); err != context.Canceled {
		t.Error(err)
	}
	if r.Length(0) != 0 || len(r.cache.owned[0]) > 0 {
		t.Errorf("the sequence has %d positions, %d pages", r.Length(0), len(r.cache.owned[0]))
	}
	new(history).runChecked(t, r, b)
}

// TestOutOfPages: the first sequence of the step gets its page, the second does not, and the first
// gives it back.
func TestOutOfPages(t *testing.T) {
	_, r := loaded(t, device.Options{CacheRows: 300})
	h, random := &history{}, rand.New(rand.NewPCG(5, 6))
	h.runChecked(t, r, h.batch(random, [seqLimit]int{5, 0, 0, 0}))
	b := h.batch(random, [seqLimit]int{0, 0, 1, 1})
	err := r.Run(context.Background(), b)
	var lacking *kv.OutOfPagesError
	if !errors.As(err, &lacking) || lacking.Need != 1 || lacking.Free != 0 {
		t.Fatal(err)
	}
	if r.Length(2) != 0 || r.Length(3) != 0 {
		t.Errorf("lengths %d and %d after the error", r.Length(2), r.Length(3))
	}
	h.cut(t, r, 0, 0)
	h.runChecked(t, r, b)
}

func TestRefusedSteps(t *testing.T) {
	_, r := loaded(t, device.Options{Context: 3})
	one := func(token, position, sequence int32) device.Batch {
		return device.Batch{Tokens: []int32{token}, Positions: []int32{position}, Sequences: []int32{sequence}}
	}
	new(history).runChecked(t, r, device.Batch{Tokens: []int32{1, 2, 3}, Positions: []int32{0, 1, 2},
		Sequences: []int32{0, 0, 0}})
	for want, b := range map[string]device.Batch{
		"token 0 is 100, the vocabulary has 100 tokens":        one(vocab, 0, 1),
		"token 0 is of sequence 4, there are 4":                one(1, 0, 4),
		"token 0 is at position 1 of sequence 1, want 0":       one(1, 1, 1),
		"a step of no tokens":                                  {},
		"a step of 33 tokens, at most 32 are allowed":          {Tokens: make([]int32, 33)},
		"1 tokens with 0 positions and 0 sequences":            {Tokens: []int32{1}},
		(&kv.ContextError{Seq: 0, Len: 4, Context: 3}).Error(): one(1, 3, 0),
	} {
		wantError(t, r.Run(context.Background(), b), want)
	}
	if r.Length(0) != 3 || r.Length(1) != 0 {
		t.Errorf("lengths %d and %d", r.Length(0), r.Length(1))
	}
}

func TestSequences(t *testing.T) {
	_, r := loaded(t, device.Options{})
	new(history).runChecked(t, r, device.Batch{Tokens: []int32{1, 2}, Positions: []int32{0, 1},
		Sequences: []int32{1, 1}})
	wantError(t, r.Truncate(4, 0), "sequence 4 of 4")
	wantError(t, r.Truncate(-1, 0), "sequence -1 of 4")
	wantError(t, r.Truncate(1, 3), "sequence 1 has 2 positions and cannot be cut to 3")
	wantError(t, r.Truncate(1, -1), "sequence 1 has 2 positions and cannot be cut to -1")
	if r.Length(-1) != 0 || r.Length(4) != 0 || r.Length(1) != 2 {
		t.Error("lengths", r.Length(-1), r.Length(4), r.Length(1))
	}
	want := device.Limits{BatchTokens: maxT, Seqs: seqLimit, Context: contextLimit, LogitsRows: maxL}
	if r.Limits() != want {
		t.Errorf("limits %+v, want %+v", r.Limits(), want)
	}
}

func TestOutputs(t *testing.T) {
	c, r := loaded(t, device.Options{})
	_, err := r.Ints("experts.0")
	wantError(t, err, `output "experts.0": no step has succeeded`)
	_, err = r.Ints("experts.1")
	wantError(t, err, `the program has no output "experts.1"`)
	_, err = r.Ints("logits")
	wantError(t, err, `output "logits" has elements of f32, not of i32`)
	_, err = r.Floats("sums")
	wantError(t, err, `output "sums" has elements of i32, not of f32`)
	new(history).runChecked(t, r, device.Batch{Tokens: []int32{1}, Positions: []int32{0}, Sequences: []int32{1}})
	c.failing = map[string]error{"read": errCard}
	_, err = r.Ints("experts.0")
	wantError(t, err, `output "experts.0": the card is on fire`)
}

func TestClose(t *testing.T) {
	c, r := loaded(t, device.Options{})
	c.failing = map[string]error{"close": errCard}
	wantError(t, r.Close(), "the card is on fire")
	if err := r.Close(); err != nil || c.closed != 1 {
		t.Errorf("closed %d times, %v", c.closed, err)
	}
	defer func() {
		if got := recover(); got != "BUG: Run on a closed runner" {
			t.Errorf("panic %v", got)
		}
	}()
	_ = r.Run(context.Background(), device.Batch{})
}
