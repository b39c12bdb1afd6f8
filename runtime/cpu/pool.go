package cpu

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// spins bounds how often a waiter looks before it parks: some tens of microseconds, more
// than the gap between two kernels of one layer and less than a scheduler time slice.
const spins = 20000

// Pool is a fixed set of workers for short parallel loops. The goroutine that calls Run is
// worker 0, so a pool of one starts no goroutine. Waiting workers look at an atomic for some
// tens of microseconds and then park, so that an idle pool costs nothing.
type Pool struct {
	workers int
	serial  sync.Mutex // one Run at a time
	current atomic.Pointer[job]
	helpers []helper // worker i+1
	closed  atomic.Bool
}

// helper is the meeting place of one worker goroutine with Run.
type helper struct {
	parked atomic.Bool
	wake   chan struct{} // capacity 1
	_      [64]byte      // keeps neighbours off one cache line
}

// NewPool starts a pool of n workers; n below 1 means one for each processor Go may use.
func NewPool(n int) *Pool {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Pool{workers: n, helpers: make([]helper, n-1)}
	for i := range p.helpers {
		p.helpers[i].wake = make(chan struct{}, 1)
		go p.serve(i)
	}
	return p
}

// Workers is the number of workers, the caller of Run included.
func (p *Pool) Workers() int { return p.workers }

// Run calls fn(worker, task) once for every task in [0, tasks) and returns when all calls
// have returned. Workers claim tasks in ascending order as they get free; worker is in
// [0, Workers()), and no two calls with the same worker overlap. fn must not call Run on the
// same pool. Calls of Run from several goroutines take turns.
//
// A panic in fn, a fault on mapped memory included, does not end the program: tasks not yet
// begun are dropped and Run returns a *PanicError.
func (p *Pool) Run(tasks int, fn func(worker, task int)) error {
	if tasks <= 0 {
		return nil
	}
	p.serial.Lock()
	defer p.serial.Unlock()
	if p.closed.Load() {
		panic("BUG: Run on a closed pool")
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	j := &job{fn: fn, tasks: int64(tasks)}
	if helpers := min(len(p.helpers), tasks-1); helpers > 0 {
		j.done = make(chan struct{})
		p.publish(j, helpers)
		defer p.current.Store(nil)
	}
	j.work(0)
	return j.wait(p.spins())
}

// publish shows j to every worker and wakes as many parked ones as can help.
func (p *Pool) publish(j *job, helpers int) {
	p.current.Store(j)
	for i := range p.helpers {
		if helpers == 0 {
			return
		}
		helpers--
		p.helpers[i].unpark()
	}
}

// Close ends the worker goroutines. The pool must not be used afterwards.
func (p *Pool) Close() {
	p.serial.Lock()
	defer p.serial.Unlock()
	p.closed.Store(true)
	for i := range p.helpers {
		p.helpers[i].unpark()
	}
}

// spins is how long to look before parking: not at all when the workers outnumber the
// processors, because the one waited for then needs the processor.
func (p *Pool) spins() int {
	if p.workers > runtime.GOMAXPROCS(0) {
		return 0
	}
	return spins
}

// serve is the life of worker i+1. If fn ends the goroutine with runtime.Goexit, another
// takes its place.
func (p *Pool) serve(i int) {
	returned := false
	defer func() {
		if !returned {
			go p.serve(i)
		}
	}()
	debug.SetPanicOnFault(true)
	var last *job
	for {
		last = p.await(&p.helpers[i], last)
		if last == nil {
			returned = true
			return
		}
		last.work(i + 1)
	}
}

// await returns the next job after last, or nil once the pool is closed.
func (p *Pool) await(h *helper, last *job) *job {
	for {
		for range p.spins() + 1 {
			if j := p.current.Load(); j != nil && j != last {
				return j
			}
			if p.closed.Load() {
				return nil
			}
		}
		p.park(h, last)
	}
}

// park sleeps until unpark, unless there is something to do already. Setting parked before
// looking again closes the gap in which a wake-up could be missed.
func (p *Pool) park(h *helper, last *job) {
	h.parked.Store(true)
	j := p.current.Load()
	idle := (j == nil || j == last) && !p.closed.Load()
	if !idle && h.parked.CompareAndSwap(true, false) {
		return
	}
	<-h.wake
}

func (h *helper) unpark() {
	if h.parked.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}
