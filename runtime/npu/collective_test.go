package npu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"moge/ir/dtype"
	"moge/runtime/comm"
)

// groupsOf are the groups that cut n ranks.
func groupsOf(n int) []comm.Group {
	var list []comm.Group
	for size := 1; size <= n; size *= 2 {
		for stride := 1; size*stride <= n; stride *= 2 {
			list = append(list, comm.Group{Size: size, Stride: stride})
		}
	}
	return list
}

// contribution is what a rank sends: values whose sums show the order and the rounding.
func contribution(d dtype.Type, n int64, rank int) []byte {
	b := make([]byte, d.Bytes(n))
	if d == dtype.I32 {
		for i := range b {
			b[i] = byte(i*31 + rank*77)
		}
		return b
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i%97)*0.37 + float32(rank*rank)*11.3 - 40
	}
	dtype.Encode(d, b, v)
	return b
}

// The collectives of 2, 4 and 8 chips, in every group, give what package comm gives over memory of the
// host: the emulated HCCL sums in the same order, with one rounding.
func TestCollectives(t *testing.T) {
	for _, n := range []int{1, 2, 4, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRig(t, n)
			cards := r.mustStart(t, n)
			host := comm.NewWorld(n)
			for _, err := range together(t, cards, func(i int, c *chip) error {
				return exchange(t, c, host.Rank(i), n)
			}) {
				check(t, err)
			}
		})
	}
}

// exchange is one rank's part: every group, operation and type, each compared.
func exchange(t *testing.T, c *chip, host *comm.Rank, n int) error {
	const count = 300
	ctx := context.Background()
	send, err := c.Alloc(4 * count * int64(n))
	if err != nil {
		return err
	}
	recv, err := c.Alloc(4 * count * int64(n))
	if err != nil {
		return err
	}
	for _, g := range groupsOf(n) {
		for _, op := range []comm.Op{comm.AllGather, comm.ReduceScatter, comm.AllReduce} {
			for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.I32} {
				s, r := op.Sides(count, g.Size)
				data, wanted := contribution(d, s, host.ID()), make([]byte, d.Bytes(r))
				if err := host.Do(ctx, op, g, data, wanted, d); err != nil {
					return err
				}
				err := errors.Join(c.Write(send, data), c.Collective(ctx, op, g, send, recv, count, d))
				if err != nil {
					return err
				}
				got := make([]byte, len(wanted))
				if err := c.Read(recv, got); err != nil {
					return err
				}
				if !bytes.Equal(got, wanted) {
					t.Errorf("rank %d: %v of %v, %v: differs", host.ID(), op, d, g)
				}
			}
		}
	}
	return nil
}

// A collective waits for the kernel before it and what follows waits for the collective, on slow chips.
func TestCollectivesAreOrdered(t *testing.T) {
	r := newRig(t, 4)
	r.configure(4, 2*time.Millisecond)
	cards := r.mustStart(t, 4)
	world := comm.Group{Size: 4, Stride: 1}
	for _, err := range together(t, cards, func(i int, c *chip) error {
		ctx := context.Background()
		x, err := c.Alloc(64 * 16)
		if err != nil {
			return err
		}
		y, err := c.Alloc(64 * 16)
		if err != nil {
			return err
		}
		mine := halves(512, func(int) float32 { return float32(i) })
		err = errors.Join(c.Join(ctx, world), c.Write(x, mine))
		for range 3 { // x: 6, then 2·6 on each of 4 ranks, ...
			err = errors.Join(err, c.Collective(ctx, comm.AllReduce, world, x, x, 512, dtype.F16),
				c.Clear(y, 64*16), c.Launch(ctx, addition(x, y, y, 16)),
				c.Collective(ctx, comm.AllReduce, comm.Group{Size: 1, Stride: 1}, y, x, 512, dtype.F16))
		}
		got := make([]byte, 64*16)
		err = errors.Join(err, c.Read(x, got))
		if !bytes.Equal(got, halves(512, func(int) float32 { return 6 * 16 })) {
			t.Errorf("rank %d: % x", i, got[:8])
		}
		return err
	}) {
		check(t, err)
	}
}

func TestCollectivesThatAreRefused(t *testing.T) {
	r := newRig(t, 2)
	cards := r.mustStart(t, 2)
	c, ctx := cards[0], context.Background()
	want(t, c.Collective(ctx, comm.AllReduce, comm.Group{Size: 3, Stride: 1}, 0, 0, 1, dtype.F32),
		"groups of 3, stride 1 do not cut 2 ranks: size · stride must divide them")
	want(t, c.Collective(ctx, comm.AllReduce, comm.Group{Size: 2, Stride: 1}, 0, 0, 1, dtype.I4),
		"all_reduce of i4: HCCL has no such elements")
	want(t, c.Join(ctx, comm.Group{Size: 2, Stride: 2}),
		"groups of 2, stride 2 do not cut 2 ranks: size · stride must divide them")
	check(t, c.Collective(ctx, comm.AllReduce, comm.Group{Size: 2, Stride: 1}, 0, 0, 0, dtype.F32))
}

// A 310P has no bfloat16 (HCCL's pages for the 300I Duo): the error names call and code.
func TestNoBFloat16(t *testing.T) {
	r := newRig(t, 2)
	s, cards, err := r.start(2)
	check(t, err)
	errs := together(t, cards, func(i int, c *chip) error {
		at, err := c.Alloc(64)
		return errors.Join(
			err,
			c.Collective(context.Background(), comm.AllReduce, comm.Group{Size: 2, Stride: 1},
				at, at, 4, dtype.BF16),
			c.Read(at, make([]byte, 4)),
		)
	})
	for _, err := range errs {
		if !names(
			err,
			"all_reduce of 4 bf16, groups of 2, stride 1: HcclAllReduce failed with code 5, not "+
				"supported on this chip: not supported",
		) {
			t.Error(err)
		}
	}
	check(t, s.Close())
	r.clean(t)
}

// A rank that fails takes the others with it, which wait for it on their chips: nobody hangs, all name
// it, everything is given back.
func TestFailureReachesAll(t *testing.T) {
	r := newRig(t, 4)
	s, cards, err := r.start(4)
	check(t, err)
	r.Fault("HcclAllReduce", 3, 4)
	errs := together(t, cards, func(i int, c *chip) error {
		at, err := c.Alloc(64)
		return errors.Join(
			err,
			c.Collective(context.Background(), comm.AllReduce, comm.Group{Size: 4, Stride: 1},
				at, at, 4, dtype.F32),
			c.Read(at, make([]byte, 4)),
		)
	})
	for i, err := range errs {
		if !names(err, "HcclAllReduce failed with code 4, internal error") {
			t.Errorf("rank %d: %v", i, err)
		}
	}
	within(t, 10*time.Second, "close", func() { check(t, s.Close()) })
	r.clean(t)
}

// With several ranks a step that is given up is the end: no rank knows what the others did of it.
func TestCancelOfManyRanks(t *testing.T) {
	r := newRig(t, 2)
	s, cards, err := r.start(2)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	errs := together(t, cards, func(i int, c *chip) error {
		at, err := c.Alloc(64)
		if i == 1 { // never takes part
			time.Sleep(50 * time.Millisecond)
			cancel()
			return errors.Join(err, c.Launch(ctx, addition(at, at, at, 1)), c.Read(at, nil))
		}
		return errors.Join(err, c.Collective(ctx, comm.AllReduce, comm.Group{Size: 2, Stride: 1}, at, at, 4,
			dtype.F32), c.Read(at, make([]byte, 4)))
	})
	for i, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rank %d: %v", i, err)
		}
	}
	if err := cards[0].Read(0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after it: %v", err)
	}
	within(t, 10*time.Second, "close", func() { check(t, s.Close()) })
	r.clean(t)
}

// tableOf writes a rank table of n ranks, rank i on chip n-1-i.
func tableOf(t *testing.T, n int) string {
	t.Helper()
	text := `{"status":"completed","version":"1.0","server_count":"1",` +
		`"server_list":[{"server_id":"node_0","device":[`
	for i := range n {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"device_id":"%d","device_ip":"192.168.1.%d","rank_id":"%d"}`, n-1-i, i+1, i)
	}
	path := filepath.Join(t.TempDir(), "ranks.json")
	check(t, os.WriteFile(path, []byte(text+"]}]}"), 0o644))
	return path
}

// One rank a process, as far as one process can show it: each opens a system of its own over the table,
// and the communicators of groups are made over that of all.
func TestRankTable(t *testing.T) {
	const n = 4
	r := newRig(t, n)
	host, errs := comm.NewWorld(n), make([]error, n)
	table := tableOf(t, n)
	within(t, 60*time.Second, "ranks with a table", func() {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				o := r.options()
				o.RankTable, o.Rank = table, i
				s, err := start(context.Background(), r.work(n), o)
				if err != nil {
					errs[i] = err
					return
				}
				c, err := s.open(context.Background(), i, r.work(n), 1<<20)
				if err == nil {
					if got := c.(*chip).r.chip; got != n-1-i {
						t.Errorf("rank %d has chip %d", i, got)
					}
					err = exchange(t, c.(*chip), host.Rank(i), n)
				}
				errs[i] = errors.Join(err, s.Close())
			})
		}
		wg.Wait()
	})
	check(t, errs...)
	r.clean(t)
}

// A rank that never comes is an error of those that wait for it.
func TestRankThatIsMissing(t *testing.T) {
	r := newRig(t, 2)
	o := r.options()
	o.RankTable, o.Rank = tableOf(t, 2), 1
	_, err := start(context.Background(), r.work(2), o)
	want(
		t,
		err,
		"rank 1 on chip 0: HcclCommInitClusterInfo of "+o.RankTable+" failed with code 9, another rank "+
			"did not come in time: timeout",
	)
	r.clean(t)
}
