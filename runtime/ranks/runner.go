package ranks

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"moge/runtime/comm"
	"moge/runtime/device"
)

// runner is all ranks of a loaded program.
type runner struct {
	bundle     string
	limits     device.Limits
	vocabulary int64
	head       int // ranks that split the columns of logits
	router     router

	world   *comm.World
	workers []*worker
	running sync.WaitGroup // of a step's ranks

	split   split
	before  []int           // by sequence of the step: its length before it
	outputs map[string]bool // of the program
	merged  merged
	ran     bool // the outputs are of a step that succeeded
}

// worker is a rank and the goroutine that runs its steps.
type worker struct {
	rank   int
	runner device.Runner
	steps  chan step
	ended  chan struct{}
	err    error // of the last step
}

// step is what one rank is to run; cancel ends the other ranks' steps.
type step struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	batch  device.Batch
}

func (r *runner) start(i int, rank device.Runner) {
	w := &worker{rank: i, runner: rank, steps: make(chan step), ended: make(chan struct{})}
	r.workers = append(r.workers, w)
	go r.serve(w)
}

// serve runs the steps of one rank until there are no more. One that fails ends those of the others,
// wherever they wait.
func (r *runner) serve(w *worker) {
	defer close(w.ended)
	for s := range w.steps {
		if w.err = w.runner.Run(s.ctx, s.batch); w.err != nil {
			r.world.Rank(w.rank).Abort(w.err)
			s.cancel(w.err)
		}
		r.running.Done()
	}
}

// Run executes one step on all ranks; see device.Runner. The error of a rank is a *comm.RankError.
func (r *runner) Run(ctx context.Context, b device.Batch) error {
	if r.workers == nil {
		panic("BUG: Run on a closed runner")
	}
	r.ran = false
	if b.Pad != 0 || b.World != 0 {
		return errors.New("a step that is a group's already cannot be cut by groups")
	}
	if err := b.Check(r.limits, r.vocabulary, r.Length); err != nil {
		return err
	}
	r.split.of(b)
	for _, seq := range b.Sequences {
		r.before[seq] = r.Length(int(seq))
	}
	if err := r.all(ctx); err != nil {
		r.rollback(b)
		return err
	}
	r.merged.forget()
	r.ran = true
	return nil
}

// all runs the step on every rank and waits for all of them.
func (r *runner) all(ctx context.Context) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.running.Add(len(r.workers))
	for _, w := range r.workers {
		w.steps <- step{inner, cancel, r.split.parts[w.rank/r.split.groups.TP]}
	}
	r.running.Wait()
	err := r.failure(ctx)
	if err != nil {
		if reset := r.world.Reset(); reset != nil {
			panic("BUG: " + reset.Error())
		}
	}
	return err
}

// failure is the error of the lowest rank that did not only stop because another failed.
func (r *runner) failure(ctx context.Context) error {
	var stopped error
	for _, w := range r.workers {
		var other *comm.RankError
		switch {
		case w.err == nil:
		case ctx.Err() != nil && (errors.Is(w.err, ctx.Err()) || errors.Is(w.err, context.Cause(ctx))):
			return ctx.Err()
		case errors.As(w.err, &other) && other.Rank != w.rank || errors.Is(w.err, context.Canceled):
			stopped = w.err
		case errors.As(w.err, &other):
			return w.err
		default:
			return &comm.RankError{Rank: w.rank, Err: w.err}
		}
	}
	return stopped
}

// rollback shortens what the ranks that came to the end have added.
func (r *runner) rollback(b device.Batch) {
	for _, seq := range b.Sequences {
		if err := r.Truncate(int(seq), r.before[seq]); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// group is the ranks that hold a sequence, and its number there.
func (r *runner) group(sequence int) (ranks []*worker, local int) {
	group, local := r.split.groups.Of(sequence)
	tp := r.split.groups.TP
	return r.workers[group*tp : (group+1)*tp], local
}

// Length is how many positions of a sequence the cache holds; 0 if there is no such sequence.
func (r *runner) Length(sequence int) int {
	if sequence < 0 || sequence >= r.limits.Seqs {
		return 0
	}
	ranks, local := r.group(sequence)
	return ranks[0].runner.Length(local)
}

// Truncate shortens a sequence to the given number of positions, on all ranks that hold it.
func (r *runner) Truncate(sequence, length int) error {
	if sequence < 0 || sequence >= r.limits.Seqs {
		return fmt.Errorf("sequence %d of %d", sequence, r.limits.Seqs)
	}
	if have := r.Length(sequence); length < 0 || length > have {
		return fmt.Errorf("sequence %d has %d positions and cannot be cut to %d", sequence, have, length)
	}
	var errs []error
	ranks, local := r.group(sequence)
	for _, w := range ranks {
		errs = append(errs, w.runner.Truncate(local, length))
	}
	return errors.Join(errs...)
}

// Limits are those of all ranks together.
func (r *runner) Limits() device.Limits { return r.limits }

// Close ends the ranks. The bundle stays open.
func (r *runner) Close() error {
	var errs []error
	for _, w := range r.workers {
		close(w.steps)
	}
	for _, w := range r.workers {
		<-w.ended
		errs = append(errs, w.runner.Close())
	}
	r.workers = nil
	return errors.Join(errs...)
}
