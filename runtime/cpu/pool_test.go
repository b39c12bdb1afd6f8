package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// withPools runs test with pools of fewer, as many and more workers than processors.
func withPools(t *testing.T, test func(t *testing.T, p *Pool)) {
	for _, workers := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			p := NewPool(workers)
			defer p.Close()
			test(t, p)
		})
	}
}

func TestRunCallsEachTaskOnce(t *testing.T) {
	withPools(t, func(t *testing.T, p *Pool) {
		for _, tasks := range []int{0, 1, 2, 3, 7, 8, 9, 1000} {
			calls := make([]int, tasks) // not atomic: the race detector watches
			if err := p.Run(tasks, func(_, task int) { calls[task]++ }); err != nil {
				t.Fatal(err)
			}
			for task, n := range calls {
				if n != 1 {
					t.Fatalf("task %d of %d was called %d times", task, tasks, n)
				}
			}
		}
	})
}

func TestRunManyTimes(t *testing.T) {
	withPools(t, func(t *testing.T, p *Pool) {
		sum := make([]int, 5)
		for i := range 3000 {
			if err := p.Run(len(sum), func(_, task int) { sum[task] += i }); err != nil {
				t.Fatal(err)
			}
			if i%1000 == 999 {
				time.Sleep(2 * time.Millisecond) // long enough for all to park
			}
		}
		for task, s := range sum {
			if want := 2999 * 3000 / 2; s != want {
				t.Errorf("task %d saw %d, want %d", task, s, want)
			}
		}
	})
}

// TestWorkersDoNotOverlap has one scratch value for each worker, not atomic.
func TestWorkersDoNotOverlap(t *testing.T) {
	withPools(t, func(t *testing.T, p *Pool) {
		scratch := make([]int, p.Workers())
		if err := p.Run(500, func(worker, _ int) { scratch[worker]++ }); err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, n := range scratch {
			total += n
		}
		if total != 500 {
			t.Errorf("workers count %d tasks, want 500", total)
		}
	})
}

// TestAllWorkersTakePart has tasks that wait for each other.
func TestAllWorkersTakePart(t *testing.T) {
	withPools(t, func(t *testing.T, p *Pool) {
		var meeting sync.WaitGroup
		meeting.Add(p.Workers())
		seen := make([]atomic.Bool, p.Workers())
		err := p.Run(p.Workers(), func(worker, _ int) {
			seen[worker].Store(true)
			meeting.Done()
			meeting.Wait()
		})
		if err != nil {
			t.Fatal(err)
		}
		for worker := range seen {
			if !seen[worker].Load() {
				t.Errorf("worker %d had no task", worker)
			}
		}
	})
}

func TestRunFromManyGoroutines(t *testing.T) {
	withPools(t, func(t *testing.T, p *Pool) {
		var callers sync.WaitGroup
		total := 0 // guarded by the turns that Run takes
		for range 8 {
			callers.Go(func() {
				for range 50 {
					if err := p.Run(1, func(_, _ int) { total++ }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		callers.Wait()
		if total != 400 {
			t.Errorf("%d calls, want 400", total)
		}
	})
}

func TestPanicBecomesAnError(t *testing.T) {
	cause := errors.New("weights are gone")
	withPools(t, func(t *testing.T, p *Pool) {
		err := p.Run(20, func(_, task int) {
			if task == 3 {
				panic(cause)
			}
		})
		var failure *PanicError
		if !errors.As(err, &failure) || !errors.Is(err, cause) {
			t.Fatalf("error %v", err)
		}
		if failure.Task != 3 || len(failure.Stack) == 0 {
			t.Errorf("task %d with %d bytes of stack", failure.Task, len(failure.Stack))
		}
		if want := "task 3: panic: weights are gone"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		checkStillWorks(t, p)
	})
}

func checkStillWorks(t *testing.T, p *Pool) {
	t.Helper()
	var calls atomic.Int32
	err := p.Run(100, func(_, _ int) { calls.Add(1) })
	if err != nil || calls.Load() != 100 {
		t.Errorf("after a failure: %d of 100 tasks, error %v", calls.Load(), err)
	}
}

func TestLowestFailedTaskIsReported(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	var meeting sync.WaitGroup
	meeting.Add(4)
	err := p.Run(4, func(_, task int) {
		meeting.Done()
		meeting.Wait()
		panic(task)
	})
	if err == nil || err.Error() != "task 0: panic: 0" {
		t.Errorf("error %v", err)
	}
}

func TestNilDereferenceIsAnError(t *testing.T) {
	withPools(t, func(t *testing.T, p *Pool) {
		err := p.Run(4, func(_, task int) {
			var nowhere *int
			if task == 2 {
				*nowhere = 1
			}
		})
		var failure *PanicError
		if !errors.As(err, &failure) || failure.Task != 2 {
			t.Fatalf("error %v", err)
		}
		var asRuntime runtime.Error
		if !errors.As(err, &asRuntime) {
			t.Errorf("%v does not unwrap to a runtime error", err)
		}
	})
}

func TestGoexitInAHelperIsAnError(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for range 3 {
		var meeting sync.WaitGroup
		meeting.Add(2)
		err := p.Run(2, func(worker, _ int) {
			meeting.Done()
			meeting.Wait()
			if worker == 1 {
				runtime.Goexit()
			}
		})
		var failure *PanicError
		if !errors.As(err, &failure) || !errors.Is(err, errGoexit) {
			t.Fatalf("error %v", err)
		}
	}
	checkStillWorks(t, p)
}

func TestCloseEndsTheWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		p := NewPool(5)
		checkStillWorks(t, p)
		p.Close()
	}
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestRunOnAClosedPoolIsABug(t *testing.T) {
	p := NewPool(2)
	p.Close()
	defer func() {
		if got := recover(); got != "BUG: Run on a closed pool" {
			t.Errorf("panic %v", got)
		}
	}()
	_ = p.Run(1, func(_, _ int) {})
}

func TestDefaultPoolHasAllProcessors(t *testing.T) {
	p := NewPool(0)
	defer p.Close()
	if p.Workers() != runtime.GOMAXPROCS(0) {
		t.Errorf("%d workers for %d processors", p.Workers(), runtime.GOMAXPROCS(0))
	}
}

func BenchmarkRun(b *testing.B) {
	for _, tasks := range []int{1, 2, 16} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			p := NewPool(0)
			defer p.Close()
			for range b.N {
				_ = p.Run(tasks, func(_, _ int) {})
			}
		})
	}
}
