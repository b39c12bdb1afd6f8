package npu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moge/ir/dtype"
	"moge/runtime/comm"
)

// session is all that a program does to chips: it begins, uploads, steps with kernels and collectives
// in the whole and in groups, reads, is timed, and ends. It gives every error that anybody saw.
func session(r rig, ranks int, table string) error {
	if table != "" {
		return sessionByTable(r, ranks, table)
	}
	s, cards, err := r.start(ranks)
	if err != nil {
		return err
	}
	errs := make([]error, ranks+1)
	var wg sync.WaitGroup
	for i, c := range cards {
		wg.Go(func() { errs[i] = steps(c, ranks) })
	}
	wg.Wait()
	errs[ranks] = s.Close()
	return errors.Join(errs...)
}

// sessionByTable has a system for each rank.
func sessionByTable(r rig, ranks int, table string) error {
	errs := make([]error, ranks)
	var wg sync.WaitGroup
	for i := range ranks {
		wg.Go(func() {
			o := r.options()
			o.RankTable, o.Rank = table, i
			s, err := start(context.Background(), r.work(ranks), o)
			if err != nil {
				errs[i] = err
				return
			}
			c, err := s.open(context.Background(), i, r.work(ranks), 1<<20)
			if err == nil {
				err = steps(c.(*chip), ranks)
			}
			errs[i] = errors.Join(err, s.Close())
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func steps(c *chip, ranks int) error {
	x, err := c.Alloc(64 * 16)
	if err != nil {
		return err
	}
	y, err := c.Alloc(stagedWrite + 64*16)
	if err != nil {
		return err
	}
	ctx, got := context.Background(), make([]byte, 64)
	large := make([]byte, stagedWrite+1)
	if err := errors.Join(c.Write(y, large), c.Write(x, got), c.Clear(x, 64)); err != nil {
		return err
	}
	for _, g := range groupsOf(ranks) {
		if g.Size == 1 && ranks > 2 {
			continue
		}
		err := errors.Join(c.Launch(ctx, addition(x, x, y, 1)),
			c.Collective(ctx, comm.AllReduce, g, y, x, 32, dtype.F16),
			c.Collective(ctx, comm.ReduceScatter, g, x, y, 8, dtype.F16),
			c.Collective(ctx, comm.AllGather, g, x, y, 8, dtype.F16), c.Read(x, got))
		if err != nil {
			return err
		}
	}
	_, err = c.Time(func() error { return c.Clear(x, 64) })
	return err
}

// Every call of AscendCL and HCCL is made to fail in turn, for one chip and for two ranks in one
// process; of four ranks the first, one in the middle and the last of each function; of ranks with a
// table, where the others learn of it by a time limit alone, the first. Nothing hangs, what was
// acquired is given back, and the error names the call.
func TestEveryCallMayFail(t *testing.T) {
	for _, ranks := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(ranks), func(t *testing.T) { failEach(t, ranks, "") })
	}
	t.Run("table", func(t *testing.T) { failEach(t, 4, tableOf(t, 4)) })
}

// fault is call number nth of a function; of any, if it is "*".
type fault struct {
	function string
	nth      int
}

// faultsOf are those to try, by the calls of a session in which none fails.
func faultsOf(calls []string, ranks int, table bool) []fault {
	var list []fault
	if ranks <= 2 {
		for i := range calls {
			list = append(list, fault{"*", i + 1})
		}
		return list
	}
	count := map[string]int{}
	for _, name := range calls {
		count[name]++
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		list = append(list, fault{name, 1})
		if !table && count[name] > 2 {
			list = append(list, fault{name, (count[name] + 1) / 2}, fault{name, count[name]})
		}
	}
	return list
}

func failEach(t *testing.T, ranks int, table string) {
	r := newRig(t, ranks)
	r.connect, r.execute = 400*time.Millisecond, 400*time.Millisecond
	r.configure(ranks, 0)
	check(t, session(r, ranks, table))
	r.clean(t)
	for _, f := range faultsOf(r.Calls(), ranks, table != "") {
		r.configure(ranks, 0)
		r.Fault(f.function, f.nth, 507899)
		var err error
		within(
			t,
			60*time.Second,
			"a session in which a call fails",
			func() { err = session(r, ranks, table) },
		)
		if call := f.in(r.Calls()); call != "" && !names(err, call) {
			t.Errorf("call %d of %s, %s, failed, and the error is %v", f.nth, f.function, call, err)
		} else if call == "" && err != nil {
			t.Errorf("no call failed: %v", err)
		}
		r.clean(t)
	}
}

// in is the function that failed in a session of those calls; "" if it did not come to it.
func (f fault) in(calls []string) string {
	for _, name := range calls {
		if name == f.function || f.function == "*" {
			if f.nth--; f.nth == 0 {
				return name
			}
		}
	}
	return ""
}

// Two calls fail, the second while what the first left is given back: as much is given back all the
// same.
func TestFailuresOfGivingBack(t *testing.T) {
	const ranks = 2
	r := newRig(t, ranks)
	for _, gives := range []string{"aclrtFree", "aclrtBinaryUnLoad", "HcclCommDestroy", "aclrtFreeHost",
		"aclrtDestroyStreamForce", "aclrtStreamAbort", "aclrtDestroyContext", "aclrtResetDevice",
		"aclFinalize"} {
		r.configure(ranks, 0)
		r.Fault("HcclAllReduce", 1, 4)
		r.Fault(gives, 1, 507899)
		var err error
		within(t, 60*time.Second, "a session in which calls fail", func() { err = session(r, ranks, "") })
		if !names(err, "HcclAllReduce") || !names(err, gives+" failed with code 507899") {
			t.Errorf("%s: %v", gives, err)
		}
		r.clean(t)
	}
}

// The functions that must be there are those whose failure is tried; a new one needs a session that
// calls it.
func TestSessionsCallEverything(t *testing.T) {
	r := newRig(t, 4)
	check(t, session(r, 4, ""))
	calls := r.Calls()
	r.configure(4, 0)
	check(t, session(r, 4, tableOf(t, 4)))
	calls = append(calls, r.Calls()...)
	for _, name := range slices.Concat(aclNames[:aclOptional], hcclNames[:hcclOptional]) {
		if !slices.Contains(calls, name) && name != "aclrtSynchronizeStream" { // it has a newer form
			t.Errorf("%s is not called", name)
		}
	}
}

// Without the functions that a newer CANN has it works too.
func TestOlderLibrary(t *testing.T) {
	r := newRig(t, 2)
	s, cards, err := r.start(2)
	check(t, err)
	for i := range s.acl.funcs[aclOptional:] {
		s.acl.funcs[int(aclOptional)+i] = 0
	}
	for _, err := range together(t, cards, func(_ int, c *chip) error { return steps(c, 2) }) {
		check(t, err)
	}
	check(t, s.Close())
	r.clean(t)
	if calls := strings.Join(r.Calls(), " "); strings.Contains(calls, "WithTimeout") {
		t.Error("a function is called that is not there")
	}
}
