package codegen_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"moge/codegen"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
)

// streamed lists constants of which several take many pieces, and what their bytes are.
func streamed(t testing.TB) ([]*ir.Value, memory, []byte) {
	t.Helper()
	b := ir.NewBuilder("w")
	wide := b.Weight("wide", dtype.F32, 3, 700_000) // a row is larger than a piece
	long := b.Weight("long", dtype.BF16, 200_000, 13)
	q := b.Add(ir.OpQuantizeWeight, "q", []*ir.Value{long})
	tail := b.Weight("tail", dtype.F16, 5)
	none := b.Weight("none", dtype.F32, 0, 7)
	src := randomWeights(b.Graph)
	values := []*ir.Value{tail, wide, q[1], none, q[0], long}
	var want []byte
	for _, v := range values {
		c, err := interp.Constant(v, interpreted{src, b.Graph})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, c.Bytes()...)
	}
	return values, src, want
}

func TestStreamWritesInOrder(t *testing.T) {
	values, src, want := streamed(t)
	for workers := range 5 {
		var out bytes.Buffer
		var done, total int64
		e := codegen.Execution{Workers: workers, Progress: func(d, all int64) {
			if d < done {
				t.Errorf("progress goes back from %d to %d", done, d)
			}
			done, total = d, all
		}}
		if err := codegen.Stream(context.Background(), src, values, &out, e); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d workers: the bytes differ", workers)
		}
		if done != int64(len(want)) || total != done {
			t.Errorf("%d of %d bytes reported, %d written", done, total, len(want))
		}
	}
}

// failing is a writer that is full after a number of bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func TestStreamGivesTheWritersError(t *testing.T) {
	values, src, want := streamed(t)
	full := errors.New("the disk is full")
	for workers := 1; workers <= 4; workers++ {
		for _, room := range []int{0, 10, len(want) / 2, len(want) - 1} {
			err := codegen.Stream(context.Background(), src, values, &failing{room, full},
				codegen.Execution{Workers: workers})
			if err != full {
				t.Errorf("%d workers, room for %d: %v, want %v", workers, room, err, full)
			}
		}
	}
}

// unreadable is a source that fails on one tensor.
type unreadable struct {
	memory
	name string
	err  error
}

func (u unreadable) ReadAt(name string, dst []byte, off int64) error {
	if name == u.name {
		return u.err
	}
	return u.memory.ReadAt(name, dst, off)
}

func TestStreamGivesTheSourcesError(t *testing.T) {
	values, src, _ := streamed(t)
	gone := errors.New("the file was cut short")
	for workers := 1; workers <= 4; workers++ {
		for _, name := range []string{"tail", "wide", "long"} {
			err := codegen.Stream(context.Background(), unreadable{src, name, gone}, values, io.Discard,
				codegen.Execution{Workers: workers})
			if err != gone {
				t.Errorf("%d workers, %s: %v, want %v", workers, name, err, gone)
			}
		}
	}
}

func TestStreamStopsWhenCancelled(t *testing.T) {
	values, src, want := streamed(t)
	for _, after := range []int64{0, 1, int64(len(want)) / 2} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if after == 0 {
			cancel()
		}
		e := codegen.Execution{Workers: 2, Progress: func(done, _ int64) {
			if done >= after {
				cancel()
			}
		}}
		ended := make(chan error, 1)
		go func() { ended <- codegen.Stream(ctx, src, values, io.Discard, e) }()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled after %d bytes: %v", after, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("a cancelled stream goes on")
		}
	}
}

func TestStreamOfNothing(t *testing.T) {
	if err := codegen.Stream(context.Background(), memory{}, nil, io.Discard, codegen.Execution{}); err != nil {
		t.Error(err)
	}
}
