package npu

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"moge/runtime/comm"
)

// rank is one chip and the thread that talks to it: a context of AscendCL belongs to a thread. What is
// to be done goes through a queue, so that the caller prepares the next launch meanwhile. The first
// failure stays: nothing runs after it but what gives back.
type rank struct {
	sys      *System
	id, chip int
	jobs     chan job
	ended    chan struct{} // closed when the thread is gone

	// What follows is of the thread alone.
	err     error           // the first failure
	ctx     context.Context // of the last launch
	last    string          // its kernel
	context handle
	stream  handle
	set     bool // the chip is the thread's
	stage   stage
	comms   []communicator
	card    *chip // nil: none is open
}

// job is something to do on the thread.
type job struct {
	run    func() error
	always bool       // after a failure too
	done   chan error // nil: nobody waits
}

// queue is how many jobs wait before a caller does.
const queue = 256

func newRank(s *System, id, chip int) *rank {
	r := &rank{sys: s, id: id, chip: chip, jobs: make(chan job, queue), ended: make(chan struct{}),
		ctx: context.Background(), last: "none"}
	go r.serve()
	return r
}

// serve does the jobs. The thread goes back without a context, see close, and so may be any
// goroutine's. It must not end: purego v0.9 crashes where a locked thread does.
func (r *rank) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(r.ended)
	for j := range r.jobs {
		err := r.err
		if err == nil && !j.always {
			err = r.fail(r.sys.world.Err())
		}
		if err == nil || j.always {
			err = j.run()
			if !j.always {
				err = r.fail(err)
			}
		}
		if j.done != nil {
			j.done <- err
		}
	}
}

// fail notes a failure and tells the other ranks. A step that was given up is none for a rank alone:
// what was launched goes on, and what comes next follows it.
func (r *rank) fail(err error) error {
	if err == nil || errors.Is(err, errGivenUp) && r.sys.size == 1 {
		return err
	}
	var other *comm.RankError
	if !errors.As(err, &other) {
		r.sys.world.Rank(r.sys.local(r)).Abort(err)
		err = &RankError{r.id, r.chip, err}
	}
	r.err = err
	return err
}

// admit refuses what is asked for with a context that is done.
func (r *rank) admit(ctx context.Context) error {
	err := ctx.Err()
	if err != nil && r.sys.size > 1 {
		r.sys.world.Rank(r.sys.local(r)).Abort(err)
	}
	return err
}

// post leaves something to be done; a failure shows in what comes next.
func (r *rank) post(run func() error) { r.jobs <- job{run: run} }

// do waits until something has been done.
func (r *rank) do(run func() error) error {
	done := make(chan error, 1)
	r.jobs <- job{run: run, done: done}
	return <-done
}

// release waits until something has been given back, whatever failed before.
func (r *rank) release(run func() error) error {
	done := make(chan error, 1)
	r.jobs <- job{run, true, done}
	return <-done
}

// patience is how long a wait for the chip lasts before it looks at what else has happened.
const patience = 20 * time.Millisecond

// sync waits until the stream has done all. It gives up when another rank of this process has failed,
// or the context of the last launch is done.
func (r *rank) sync() error {
	for {
		done, err := r.sys.acl.synchronize(r.stream, patience)
		if done {
			if err == nil {
				r.stage.used = 0
			}
			return of("a stream whose last kernel is "+r.last, err)
		}
		if err := r.sys.world.Err(); err != nil {
			return err
		}
		if err := r.ctx.Err(); err != nil {
			r.ctx = context.Background()
			return fmt.Errorf("%w: %w", errGivenUp, err)
		}
	}
}

// errGivenUp is of a wait whose context was done before the chip was.
var errGivenUp = errors.New("the step was given up")

// open makes the chip the thread's.
func (r *rank) open() (err error) {
	a := r.sys.acl
	if err := a.setDevice(r.chip); err != nil {
		return err
	}
	r.set = true
	if r.context, err = a.createContext(r.chip); err != nil {
		return err
	}
	if err := a.setCurrentContext(r.context); err != nil {
		return err
	}
	if r.stream, err = a.createStream(); err != nil {
		return err
	}
	return r.stage.open(a)
}

// close gives back what open took, in reverse, as far as it came.
func (r *rank) close() error {
	a := r.sys.acl
	errs := []error{r.stage.close(a)}
	if r.stream != 0 {
		errs = append(errs, a.destroyStream(r.stream, r.err != nil))
	}
	if r.context != 0 {
		errs = append(errs, a.destroyContext(r.context))
	}
	if r.set {
		errs = append(errs, a.resetDevice(r.chip))
	}
	r.stream, r.context, r.set = 0, 0, false
	return errors.Join(errs...)
}

// settle waits for the stream, or after a failure ends what it still waits for: memory may be given
// back then.
func (r *rank) settle() error {
	if r.stream == 0 {
		return nil
	}
	if r.err == nil {
		r.ctx = context.Background()
		err := r.fail(r.sync())
		if err == nil {
			return nil
		}
		return errors.Join(err, r.sys.acl.abortStream(r.stream))
	}
	return r.sys.acl.abortStream(r.stream)
}

// stage is memory of the host that small writes pass through on their way to the chip, behind what the
// stream has to do before.
type stage struct {
	at   uintptr
	used int
}

// Sizes in bytes: writes up to stagedWrite are staged, 64 of them without waiting.
const (
	stageBytes  = 4 << 20
	stagedWrite = 64 << 10
)

func (s *stage) open(a *acl) (err error) {
	s.at, err = a.mallocHost(stageBytes)
	return err
}

func (s *stage) close(a *acl) error {
	if s.at == 0 {
		return nil
	}
	at := s.at
	s.at = 0
	return a.freeHost(at)
}
