package ranks

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/comm"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
	"moge/runtime/kv"
)

// lengths are the positions of all sequences.
func lengths(r device.Runner) (n [5]int) {
	for q := range n {
		n[q] = r.Length(q)
	}
	return n
}

// perform runs the first steps, has the next one fail, and goes on with what one rank gives.
func perform(
	t *testing.T,
	what string,
	r device.Runner,
	want []outputs,
	fail func(b device.Batch) error,
) {
	t.Helper()
	for i, sequences := range batches {
		b := feed(r, sequences, tokenOf(i))
		if i == 2 {
			before := lengths(r)
			if err := fail(b); err == nil {
				t.Fatalf("%s: no error", what)
			}
			if got := lengths(r); got != before {
				t.Fatalf("%s: lengths %v after a failure, want %v", what, got, before)
			}
			for _, w := range r.(*runner).workers {
				for q := range 3 {
					if n := w.runner.Length(q); n > 0 && n != r.Length(q*2+w.rank/2) {
						t.Fatalf("%s: rank %d has %d positions of its sequence %d", what, w.rank, n, q)
					}
				}
			}
			if _, err := r.Floats("logits"); err == nil {
				t.Fatalf("%s: there are logits of a step that failed", what)
			}
		}
		if err := r.Run(t.Context(), b); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		wantOutputs(t, what, outputsOf(t, r), want[i])
	}
}

// Data that one rank cannot go on with, at every step: the others stop, and nothing has changed.
func TestFailureOfOneRankAtEachStep(t *testing.T) {
	want := single(t)
	for trap := range steps + 1 {
		r := load(t, model(t, 2, 2, 4, trap), nil, device.Options{})
		for rank := range 4 {
			what := fmt.Sprintf("rank %d before step %d", rank, trap)
			for q := range 5 {
				if err := r.Truncate(q, 0); err != nil {
					t.Fatal(err)
				}
			}
			perform(t, what, r, want, func(b device.Batch) error {
				for i, q := range b.Sequences {
					if int(q)%2 == rank/2 { // of the rank's group
						b.Tokens[i] = int32(trapToken(rank))
						defer func() { b.Tokens[i] = tokenOf(2)(i) }()
						break
					}
				}
				err := r.Run(t.Context(), b)
				var of *comm.RankError
				if !errors.As(err, &of) || of.Rank != rank {
					t.Errorf("%s: %v", what, err)
				}
				at := fmt.Sprintf("rank %d: DIV at div: element ", rank)
				if err == nil || len(err.Error()) < len(at) || err.Error()[:len(at)] != at {
					t.Errorf("%s: %v", what, err)
				}
				return err
			})
		}
	}
}

// faulty is a cpu whose collectives fail when they are told to.
type faulty struct {
	cpudevice.Device
	rank  int
	calls *atomic.Int64 // the one that makes it 0 fails
}

var errWire = errors.New("the wire is cut")

type faultyComm struct {
	device.Comm
	calls *atomic.Int64
}

func (c faultyComm) Do(
	ctx context.Context,
	op comm.Op,
	g comm.Group,
	send, recv []byte,
	t dtype.Type,
) error {
	if c.calls.Add(-1) == 0 {
		return errWire
	}
	return c.Comm.Do(ctx, op, g, send, recv, t)
}

func (f faulty) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	if opt.Rank == f.rank {
		opt.Comm = faultyComm{opt.Comm, f.calls}
	}
	return f.Device.Load(b, program, opt)
}

// A collective that fails on any rank.
func TestFailureOfACollective(t *testing.T) {
	want := single(t)
	b := model(t, 2, 2, 4, -1)
	for rank := range 4 {
		for call := range int64(2) {
			var calls atomic.Int64
			r := load(t, b, faulty{rank: rank, calls: &calls}, device.Options{})
			what := fmt.Sprintf("rank %d, collective %d", rank, call)
			perform(t, what, r, want, func(b device.Batch) error {
				calls.Store(call + 1)
				err := r.Run(t.Context(), b)
				name := []string{"REDUCE_SCATTER at reduce_scatter", "ALL_GATHER at all_gather"}[call]
				wantError(t, err, fmt.Sprintf("rank %d: %s: the wire is cut", rank, name))
				if !errors.Is(err, errWire) {
					t.Errorf("%s: %v", what, err)
				}
				return err
			})
		}
	}
}

// Cancelled by any rank's step, all ranks stop.
func TestCancel(t *testing.T) {
	want := single(t)
	b := model(t, 2, 2, 4, -1)
	for rank := range 4 {
		for step := range steps - 1 {
			var left atomic.Int64
			var cancel context.CancelFunc
			tap := func(of int) device.Tap {
				return func(string, string, []any) {
					if of == rank && left.Add(-1) == 0 {
						cancel()
					}
				}
			}
			r := load(t, b, nil, device.Options{RankTap: tap})
			perform(t, fmt.Sprintf("rank %d after step %d", rank, step), r, want, func(b device.Batch) error {
				var ctx context.Context
				ctx, cancel = context.WithCancel(t.Context())
				left.Store(int64(step) + 1)
				err := r.Run(ctx, b)
				wantError(t, err, "context canceled")
				return err
			})
		}
	}
	r := load(t, b, nil, device.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, r.Run(ctx, feed(r, batches[0], tokenOf(0))), "context canceled")
}

// A group whose cache is full fails on all its ranks; the first one is named.
func TestFullCache(t *testing.T) {
	r := load(t, model(t, 2, 2, 4, -1), nil, device.Options{CacheRows: 1})
	run := func(sequences ...int32) error { return r.Run(t.Context(), feed(r, sequences, tokenOf(0))) }
	if err := run(0, 1, 0); err != nil {
		t.Fatal(err)
	}
	err := run(0, 3, 0)
	var full *kv.OutOfPagesError
	if !errors.As(err, &full) || err.Error() != "rank 2: "+full.Error() {
		t.Error(err)
	}
	if got := lengths(r); got != [5]int{2, 1} {
		t.Errorf("lengths %v", got)
	}
	if err := run(0, 1, 0); err != nil {
		t.Error(err)
	}
}

// What is no step is refused before any rank sees it.
func TestRefusedSteps(t *testing.T) {
	r := load(t, model(t, 2, 2, 4, -1), nil, device.Options{Context: 3})
	one := device.Batch{Tokens: []int32{1}, Positions: []int32{0}, Sequences: []int32{0}}
	for want, edit := range map[string]func(*device.Batch){
		"a step of no tokens": func(b *device.Batch) { *b = device.Batch{} },
		"a step that is a group's already cannot be cut by groups": func(b *device.Batch) { b.Pad = 4 },
		"token 0 is of sequence 5, there are 5":                    func(b *device.Batch) { b.Sequences = []int32{5} },
		"token 0 is of sequence -1, there are 5":                   func(b *device.Batch) { b.Sequences = []int32{-1} },
		"token 0 is 30, the vocabulary has 30 tokens":              func(b *device.Batch) { b.Tokens = []int32{30} },
		"token 0 is at position 1 of sequence 0, want 0":           func(b *device.Batch) { b.Positions = []int32{1} },
		"row 0 is 1: rows ascend and are below 1":                  func(b *device.Batch) { b.Rows = []int32{1} },
		"logits of 7 rows wanted, at most 6 are allowed":           func(b *device.Batch) { b.Rows = make([]int32, 7) },
		"a step of 13 tokens, at most 12 are allowed":              func(b *device.Batch) { b.Tokens = make([]int32, 13) },
		"1 tokens with 1 positions and 2 sequences":                func(b *device.Batch) { b.Sequences = []int32{0, 0} },
	} {
		b := one
		edit(&b)
		wantError(t, r.Run(t.Context(), b), want)
	}
	b := feed(r, []int32{2, 2, 2, 2}, tokenOf(0))
	var long *kv.ContextError
	if err := r.Run(t.Context(), b); !errors.As(err, &long) || long.Context != 3 || long.Seq != 2 {
		t.Error(err)
	}
	if _, err := r.Floats("logits"); err == nil ||
		err.Error() != `output "logits": no step has succeeded` {
		t.Error(err)
	}
}

func TestUnknownOutputs(t *testing.T) {
	w := newWriter(t, 1, 2)
	tokens := w.input("tokens", w.rows(2))
	ids := w.buffer(dtype.I32, tokens.shape...)
	w.step(bundlepb.OpCode_REBASE, []value{tokens}, []value{ids}, "size", 2, "stride", 1, "step", 3)
	w.output("ids", ids)
	w.floats("unused", "row", 1, 1, func(int, int, int) float32 { return 0 })
	r := load(t, w.open(), nil, device.Options{})
	if err := r.Run(t.Context(), feed(r, []int32{0, 0}, tokenOf(0))); err != nil {
		t.Fatal(err)
	}
	_, err := r.Ints("ids")
	wantError(t, err, `output "ids": how its parts on the ranks go together is not known`)
	_, err = r.Floats("ids")
	wantError(t, err, `output "ids": how its parts on the ranks go together is not known`)
	_, err = r.Floats("logits")
	wantError(t, err, `the program has no output "logits"`)
	_, err = r.Ints("experts.3")
	wantError(t, err, `the program has no output "experts.3"`)
}
