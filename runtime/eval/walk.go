package eval

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"moge/runtime/device"
	"moge/runtime/engine"
)

// piece is a run of tokens of one window that goes into one step.
type piece struct {
	window, first int
	tokens        []int32
	last          bool // nothing of the window comes after it
}

// plan cuts windows into steps of at most rows tokens of at most seqs windows, in order.
func plan(windows [][]int32, rows, seqs int) [][]piece {
	var steps [][]piece
	var step []piece
	left := rows
	for w, tokens := range windows {
		for first := 0; first < len(tokens); {
			if left == 0 || len(step) == seqs {
				steps, step, left = append(steps, step), nil, rows
			}
			n := min(left, len(tokens)-first)
			step = append(step, piece{w, first, tokens[first : first+n], first+n == len(tokens)})
			first, left = first+n, left-n
		}
	}
	if len(step) > 0 {
		steps = append(steps, step)
	}
	return steps
}

// common are limits that all engines keep to.
func common(engines ...*engine.Engine) device.Limits {
	l := engines[0].Limits()
	for _, e := range engines[1:] {
		o := e.Limits()
		l = device.Limits{BatchTokens: min(l.BatchTokens, o.BatchTokens), Seqs: min(l.Seqs, o.Seqs),
			Context: min(l.Context, o.Context), LogitsRows: min(l.LogitsRows, o.LogitsRows)}
	}
	return l
}

// planFor cuts windows into steps that all engines can run.
func planFor(windows [][]int32, engines ...*engine.Engine) ([][]piece, error) {
	l := common(engines...)
	for _, w := range windows {
		if len(w) > l.Context {
			return nil, &engine.ContextError{Tokens: len(w), Context: l.Context}
		}
	}
	return plan(windows, min(l.BatchTokens, l.LogitsRows), l.Seqs), nil
}

// walker runs the steps of a plan on one engine.
type walker struct {
	engine *engine.Engine
	open   map[int]*engine.Sequence // by window
}

func newWalker(e *engine.Engine) *walker {
	return &walker{engine: e, open: map[int]*engine.Sequence{}}
}

// step runs the pieces with the logits of all their tokens and hands the outputs to read.
func (w *walker) step(ctx context.Context, pieces []piece, read func(device.Runner) error) error {
	var b device.Batch
	for _, p := range pieces {
		s := w.open[p.window]
		if s == nil {
			var err error
			if s, err = w.engine.NewSequence(); err != nil {
				return err
			}
			w.open[p.window] = s
		}
		for i, id := range p.tokens {
			b.Rows = append(b.Rows, int32(len(b.Tokens)))
			b.Tokens = append(b.Tokens, id)
			b.Positions = append(b.Positions, int32(p.first+i))
			b.Sequences = append(b.Sequences, int32(s.Slot()))
		}
	}
	if err := w.engine.Run(ctx, b, read); err != nil {
		return err
	}
	for _, p := range pieces {
		if p.last {
			w.open[p.window].Free()
			delete(w.open, p.window)
		}
	}
	return nil
}

// close frees what an error left open.
func (w *walker) close() {
	for _, s := range w.open {
		s.Free()
	}
}

// eachRow calls fn for rows 0 to n-1 from as many goroutines as there are processors.
func eachRow(n int, fn func(row int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for r := next.Add(1) - 1; r < int64(n); r = next.Add(1) - 1 {
				fn(int(r))
			}
		})
	}
	wg.Wait()
}

// count is the number of tokens of some pieces.
func count(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += len(p.tokens)
	}
	return n
}
