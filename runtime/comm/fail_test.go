package comm

import (
	"context"
	"errors"
	"testing"

	"moge/ir/dtype"
)

// want compares the error of every rank.
func want(t *testing.T, errs []error, text string) {
	t.Helper()
	for i, err := range errs {
		if err == nil || err.Error() != text {
			t.Errorf("rank %d: %v\nwant %s", i, err, text)
		}
	}
}

func TestCallsThatDoNotFit(t *testing.T) {
	world := Group{2, 1}
	for text, f := range map[string]func(r *Rank) (Op, Group, int, int, dtype.Type){
		"rank 0: there is no operation 7": func(r *Rank) (Op, Group, int, int, dtype.Type) {
			return Op(7 * (1 - r.ID())), world, 4, 8 - 4*(1-r.ID()), dtype.F32
		},
		"rank 0: groups of 3, stride 1 do not cut 2 ranks: size · stride must divide them": func(r *Rank) (
			Op, Group, int, int, dtype.Type) {
			return AllReduce, Group{3 - r.ID(), 1}, 4, 4, dtype.F32
		},
		"rank 0: all_gather in a group of 2: 4 bytes to send do not make 12 to receive": func(r *Rank) (
			Op, Group, int, int, dtype.Type) {
			return AllGather, world, 4, 12 - 4*r.ID(), dtype.F32
		},
		"rank 0: reduce_scatter in a group of 2: 8 bytes to send do not make 8 to receive": func(r *Rank) (
			Op, Group, int, int, dtype.Type) {
			return ReduceScatter, world, 8 * (1 + r.ID()), 8, dtype.F32
		},
		"rank 0: all_reduce of i8: sums are of f32, f16, bf16 and i32": func(r *Rank) (
			Op, Group, int, int, dtype.Type) {
			return AllReduce, world, 4, 4, []dtype.Type{dtype.I8, dtype.F32}[r.ID()]
		},
		"rank 0: all_reduce: 6 bytes are no whole number of f32": func(r *Rank) (
			Op, Group, int, int, dtype.Type) {
			return AllReduce, world, 6 + 2*r.ID(), 6 + 2*r.ID(), dtype.F32
		},
	} {
		w := NewWorld(2)
		want(t, together(t, w, func(r *Rank) error {
			op, g, send, recv, d := f(r)
			return r.Do(context.Background(), op, g, make([]byte, send), make([]byte, recv), d)
		}), text)
	}
}

// Calls that differ name both, whoever comes first.
func TestMismatch(t *testing.T) {
	type call struct {
		op         Op
		g          Group
		send, recv int
		d          dtype.Type
	}
	world, pair := Group{4, 1}, Group{2, 1}
	for name, c := range map[string]struct{ zero, others call }{
		"operation": {call{AllReduce, world, 16, 16, dtype.F32}, call{AllGather, world, 16, 64, dtype.F32}},
		"size":      {call{AllReduce, world, 16, 16, dtype.F32}, call{AllReduce, world, 32, 32, dtype.F32}},
		"type":      {call{AllReduce, world, 16, 16, dtype.F32}, call{AllReduce, world, 16, 16, dtype.I32}},
		"group":     {call{AllReduce, pair, 16, 16, dtype.F32}, call{AllReduce, world, 16, 16, dtype.F32}},
	} {
		w := NewWorld(4)
		errs := together(t, w, func(r *Rank) error {
			c := []call{c.others, c.zero}[b2i(r.ID() == 0)]
			return r.Do(context.Background(), c.op, c.g, make([]byte, c.send), make([]byte, c.recv), c.d)
		})
		for i, err := range errs {
			var m *MismatchError
			if !errors.As(err, &m) || (m.A.Rank == 0) == (m.B.Rank == 0) {
				t.Errorf("%s: rank %d: %v does not name rank 0 and another", name, i, err)
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestMismatchText(t *testing.T) {
	e := &MismatchError{Call{1, AllReduce, Group{2, 1}, 16, 16, dtype.F16},
		Call{0, AllGather, Group{2, 1}, 16, 32, dtype.F16}}
	const text = "collectives that do not belong together: rank 1: all_reduce of f16, 16 bytes to 16, " +
		"groups of 2, stride 1; rank 0: all_gather of f16, 16 bytes to 32, groups of 2, stride 1"
	if e.Error() != text {
		t.Errorf("%v\nwant %s", e, text)
	}
}

// A circle of three groups, none of which two ranks share: rank 0 waits for 1, 1 for 3, 3 for 2 and
// 2 for 0.
func TestCircle(t *testing.T) {
	w := NewWorld(4)
	groups := []Group{{2, 1}, {2, 2}, {2, 2}, {2, 1}}
	for i, err := range together(t, w, func(r *Rank) error {
		x := make([]byte, 4)
		return r.Do(context.Background(), AllReduce, groups[r.ID()], x, x, dtype.F32)
	}) {
		var m *MismatchError
		if !errors.As(err, &m) {
			t.Errorf("rank %d: %v", i, err)
		}
	}
}

func TestAbortReleasesAll(t *testing.T) {
	w := NewWorld(4)
	reason := errors.New("card 3 is gone")
	errs := together(t, w, func(r *Rank) error {
		if r.ID() == 3 {
			r.Abort(reason)
			return w.Err()
		}
		x := make([]byte, 4)
		return r.Do(context.Background(), AllReduce, Group{4, 1}, x, x, dtype.F32)
	})
	want(t, errs, "rank 3: card 3 is gone")
	if !errors.Is(errs[0], reason) {
		t.Error("the cause is lost")
	}
}

// Cancellation of one rank releases the others, and after Reset the world works again.
func TestCancelAndReset(t *testing.T) {
	w := NewWorld(3)
	errs := together(t, w, func(r *Rank) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if r.ID() == 1 {
			cancel()
		}
		x := make([]byte, 4)
		if r.ID() == 2 { // never calls: the others must not wait for it
			return context.Canceled
		}
		return r.Do(ctx, AllReduce, Group{3, 1}, x, x, dtype.F32)
	})
	want(t, errs[:2], "rank 1: context canceled")
	if err := w.Reset(); err != nil || w.Err() != nil {
		t.Fatal(err, w.Err())
	}
	succeed(t, together(t, w, func(r *Rank) error {
		x := floats(dtype.F32, 1)
		return r.Do(context.Background(), AllReduce, Group{3, 1}, x, x, dtype.F32)
	}))
}

func TestResetWhileInUse(t *testing.T) {
	w := NewWorld(2)
	inside := make(chan error)
	go func() {
		x := make([]byte, 4)
		inside <- w.Rank(0).Do(context.Background(), AllReduce, Group{2, 1}, x, x, dtype.F32)
	}()
	for { // until rank 0 has arrived
		if err := w.Reset(); err != nil {
			if err.Error() != "rank 0 is in a call" {
				t.Error(err)
			}
			break
		}
	}
	w.Rank(1).Abort(errors.New("end"))
	if err := <-inside; err == nil || err.Error() != "rank 1: end" {
		t.Error(err)
	}
}
