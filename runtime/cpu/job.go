package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// job is one Run. A worker that comes late finds no task left and does nothing, so Run waits
// for the tasks, not for the workers.
type job struct {
	fn       func(worker, task int)
	tasks    int64
	next     atomic.Int64 // first task not claimed
	_        [56]byte     // next and finished are written by all workers: separate cache lines
	finished atomic.Int64
	failure  atomic.Pointer[PanicError]
	done     chan struct{} // closed when finished reaches tasks; nil if the caller is alone
}

// work claims and runs tasks until none is left.
func (j *job) work(worker int) {
	for {
		task := j.next.Add(1) - 1
		if task >= j.tasks {
			return
		}
		j.runTask(worker, int(task))
	}
}

// runTask calls fn for one task and counts it, whether it returns, panics or exits.
func (j *job) runTask(worker, task int) {
	returned := false
	defer func() {
		if !returned {
			j.fail(task, recover())
		}
		if j.finished.Add(1) == j.tasks && j.done != nil {
			close(j.done)
		}
	}()
	if j.failure.Load() == nil {
		j.fn(worker, task)
	}
	returned = true
}

// fail keeps the failure of the lowest task seen.
func (j *job) fail(task int, value any) {
	if value == nil {
		value = errGoexit
	}
	failure := &PanicError{Task: task, Value: value, Stack: debug.Stack()}
	for {
		old := j.failure.Load()
		if old != nil && old.Task <= task {
			return
		}
		if j.failure.CompareAndSwap(old, failure) {
			return
		}
	}
}

// wait returns when every task has been counted.
func (j *job) wait(spins int) error {
	for range spins {
		if j.finished.Load() == j.tasks {
			return j.err()
		}
	}
	if j.done != nil {
		<-j.done
	}
	return j.err()
}

func (j *job) err() error {
	if failure := j.failure.Load(); failure != nil {
		return failure
	}
	return nil
}

var errGoexit = errors.New("task ended its goroutine")

// PanicError is a panic in a task of Pool.Run.
type PanicError struct {
	Task  int    // the task that panicked, the lowest if several did
	Value any    // the value given to panic
	Stack []byte // the goroutine's stack at the panic
}

// Error tells the task and the panic value in one line, without the stack.
func (e *PanicError) Error() string {
	if addr, ok := e.Fault(); ok {
		return fmt.Sprintf("task %d: memory fault at address %#x (a mapped file cut short?)",
			e.Task, addr)
	}
	return fmt.Sprintf("task %d: panic: %v", e.Task, e.Value)
}

// Unwrap returns the panic value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Fault reports whether the panic was a memory fault, such as reading past the end of a
// mapped file that was cut short, and the address that was read.
func (e *PanicError) Fault() (addr uintptr, ok bool) {
	err, isRuntime := e.Value.(runtime.Error)
	if !isRuntime {
		return 0, false
	}
	fault, ok := err.(interface{ Addr() uintptr })
	if !ok {
		return 0, false
	}
	return fault.Addr(), true
}
