package codegen_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"moge/codegen"
)

// progress checks that what is reported grows to the total.
type progress struct {
	mu    sync.Mutex
	seen  []int64
	total int64
}

func (p *progress) report(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.total = append(p.seen, done), total
}

func sectionBytes(p *codegen.Plan) int64 {
	var n int64
	for _, s := range p.Manifest.Ranks[0].Sections {
		n += s.Size
	}
	return n
}

func TestExecuteGivesTheSameBytesForAnyWorkers(t *testing.T) {
	g := smallGraph(t)
	src := randomWeights(g)
	var want map[string]string
	for workers := range 5 {
		fs, p := disk(t), planOf(t, g)
		if len(p.Units) < 6 {
			t.Fatalf("%d units of work say nothing about workers", len(p.Units))
		}
		w := create(t, fs, p, false)
		var heard progress
		var evaluated atomic.Int64
		e := codegen.Execution{Workers: workers, Progress: heard.report,
			Evaluated: func(_ string, n int64) { evaluated.Add(n) }}
		if err := codegen.Execute(context.Background(), p, src, w, e); err != nil {
			t.Fatal(err)
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		all := sectionBytes(p)
		if evaluated.Load() != all || heard.total != all || slices.Max(heard.seen) != all ||
			len(heard.seen) != len(p.Units) {
			t.Errorf("%d bytes evaluated, %d of %d reported, %d in the plan", evaluated.Load(),
				slices.Max(heard.seen), heard.total, all)
		}
		if got := fs.Snapshot("out"); want == nil {
			want = got
		} else if !maps.Equal(got, want) {
			t.Errorf("%d workers give other bytes", workers)
		}
	}
}

func TestExecuteStopsWhenCancelled(t *testing.T) {
	g := smallGraph(t)
	for _, after := range []int64{0, 1, 3} {
		fs, p := disk(t), planOf(t, g)
		ctx, cancel := context.WithCancel(context.Background())
		w := create(t, fs, p, false)
		var units atomic.Int64
		wrap(p, func() error {
			if units.Add(1) == after {
				cancel()
			}
			return nil
		})
		if after == 0 {
			cancel()
		}
		err := codegen.Execute(ctx, p, randomWeights(g), w, codegen.Execution{Workers: 2})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d units: %v", after, err)
		}
		if n := units.Load(); n > after+2 {
			t.Errorf("%d units were begun, cancelled after %d", n, after)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	}
}

func TestExecuteGivesTheEvaluatorsError(t *testing.T) {
	g := smallGraph(t)
	broken := errors.New("the tensor is unreadable")
	for workers := 1; workers <= 4; workers++ {
		fs, p := disk(t), planOf(t, g)
		w := create(t, fs, p, false)
		var units atomic.Int64
		wrap(p, func() error {
			if units.Add(1) == 2 {
				return broken
			}
			return nil
		})
		err := codegen.Execute(context.Background(), p, randomWeights(g), w, codegen.Execution{Workers: workers})
		if !errors.Is(err, broken) || err.Error() != broken.Error() {
			t.Errorf("%d workers: %v, want %v", workers, err, broken)
		}
		if n := units.Load(); n > 2+2*int64(workers) {
			t.Errorf("%d workers began %d units after an error in the second", workers, n)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if left := fs.Snapshot("out"); len(left) > 0 {
			t.Errorf("left behind: %v", slices.Collect(maps.Keys(left)))
		}
	}
}

// What one execution finished, the next does not evaluate again, and the bytes are the same.
func TestExecuteGoesOnWhereItStopped(t *testing.T) {
	g := smallGraph(t)
	src := randomWeights(g)
	fs, p := disk(t), planOf(t, g)
	w := create(t, fs, p, false)
	if err := codegen.Execute(context.Background(), p, src, w, codegen.Execution{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	want := fs.Snapshot("out")

	broken := errors.New("stop")
	for stop := int64(1); stop <= int64(len(p.Units)); stop++ {
		fs, p := disk(t), planOf(t, g)
		var units, done, again atomic.Int64
		e := codegen.Execution{Evaluated: func(_ string, n int64) { done.Add(n) }}
		wrap(p, func() error {
			if units.Add(1) == stop {
				return broken
			}
			return nil
		})
		w := create(t, fs, p, false)
		if err := codegen.Execute(context.Background(), p, src, w, e); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if err := w.Suspend(); err != nil {
			t.Fatal(err)
		}
		w = create(t, fs, p, true)
		e.Evaluated = func(_ string, n int64) { again.Add(n) }
		if err := codegen.Execute(context.Background(), p, src, w, e); err != nil {
			t.Fatal(err)
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		if done.Load()+again.Load() != sectionBytes(p) {
			t.Errorf("stopped at unit %d: %d bytes and then %d, the plan has %d", stop, done.Load(),
				again.Load(), sectionBytes(p))
		}
		if !maps.Equal(fs.Snapshot("out"), want) {
			t.Errorf("stopped at unit %d: the bytes differ", stop)
		}
	}
}

func TestExecuteRefusesTooLittleMemory(t *testing.T) {
	g := smallGraph(t)
	p := planOf(t, g)
	w := create(t, disk(t), p, false)
	err := codegen.Execute(context.Background(), p, randomWeights(g), w, codegen.Execution{MaxMemory: 1 << 20})
	var small *codegen.MemoryError
	if !errors.As(err, &small) || *small != (codegen.MemoryError{Bound: 1 << 20, Minimum: p.MinimumMemory()}) {
		t.Errorf("got %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
}

// Units cover every byte of every section once.
func TestUnitsCoverTheSections(t *testing.T) {
	p := planOf(t, smallGraph(t))
	covered := make([]int64, len(p.Manifest.Ranks[0].Sections))
	for _, u := range p.Units {
		for _, e := range u.Extents {
			if e.Offset != covered[e.Section] {
				t.Errorf("section %d: an extent begins at %d, the one before ended at %d", e.Section, e.Offset,
					covered[e.Section])
			}
			covered[e.Section] += e.Size
		}
	}
	for i, s := range p.Manifest.Ranks[0].Sections {
		if covered[i] != s.Size {
			t.Errorf("section %s: %d of %d bytes are covered", s.Name, covered[i], s.Size)
		}
	}
}
