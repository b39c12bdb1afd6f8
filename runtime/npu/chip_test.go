package npu

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"moge/runtime/card"
)

func alloc(t *testing.T, c *chip, n int64) card.Addr {
	t.Helper()
	at, err := c.Alloc(n)
	if err != nil {
		t.Fatal(err)
	}
	if at%512 != 0 {
		t.Errorf("allocation at %#x", at)
	}
	return at
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// What is written, small or large, in parts or cleared, is what is read.
func TestMemory(t *testing.T) {
	r := newRig(t, 1)
	c := r.mustStart(t, 1)[0]
	for _, n := range []int{1, 100, stagedWrite, stagedWrite + 1, 3 << 20} {
		at := alloc(t, c, int64(n))
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i*7 + n)
		}
		check(t, c.Write(at, data), c.Clear(at+card.Addr(n/3), int64(n/3)))
		clear(data[n/3 : n/3+n/3])
		got := make([]byte, n-n/4)
		check(t, c.Read(at+card.Addr(n/4), got))
		if !bytes.Equal(got, data[n/4:]) {
			t.Errorf("%d bytes: read differs", n)
		}
	}
}

// More small writes than the staging memory holds, none of them waited for, while the chip is slow: no
// write overtakes the copy of one before.
func TestStagedWritesKeepTheirOrder(t *testing.T) {
	r := newRig(t, 1)
	r.configure(1, 200*time.Microsecond)
	c := r.mustStart(t, 1)[0]
	const n, writes = stagedWrite, 3 * stageBytes / stagedWrite
	at := alloc(t, c, writes*n)
	data := make([]byte, n)
	for i := range writes {
		for j := range data {
			data[j] = byte(i)
		}
		check(t, c.Write(at+card.Addr(i*n), data))
	}
	got := make([]byte, writes*n)
	check(t, c.Read(at, got))
	for i, b := range got {
		if b != byte(i/n) {
			t.Fatalf("byte %d is %d, want %d", i, b, i/n)
		}
	}
}

// A kernel of ascend/kernels runs, behind the writes before it and before the read after it.
func TestLaunch(t *testing.T) {
	r := newRig(t, 1)
	r.configure(1, time.Millisecond)
	c := r.mustStart(t, 1)[0]
	const rows = 5
	x, y, sum := alloc(t, c, 64*16), alloc(t, c, 64*16), alloc(t, c, 64*16)
	for step := range 3 {
		k := float32(step)
		check(t, c.Write(x, halves(32*rows, func(i int) float32 { return float32(i) + k })),
			c.Write(y, halves(32*rows, func(i int) float32 { return 0.5 })),
			c.Launch(context.Background(), addition(x, y, sum, rows)))
		got := make([]byte, 64*rows)
		check(t, c.Read(sum, got))
		if !bytes.Equal(got, halves(32*rows, func(i int) float32 { return float32(i) + k + 0.5 })) {
			t.Errorf("step %d: x + y differs", step)
		}
	}
}

func TestTime(t *testing.T) {
	r := newRig(t, 1)
	r.configure(1, 3*time.Millisecond)
	c := r.mustStart(t, 1)[0]
	at := alloc(t, c, 64)
	took, err := c.Time(func() error { return errors.Join(c.Clear(at, 64), c.Clear(at, 64)) })
	if err != nil || took < 6*time.Millisecond || took > time.Second {
		t.Errorf("two tasks of 3 ms took %v, %v", took, err)
	}
}

// A launch that the card refuses names kernel and call, and nothing runs after it.
func TestFailedLaunch(t *testing.T) {
	r := newRig(t, 1)
	s, cards, err := r.start(1)
	check(t, err)
	c := cards[0]
	want(t, c.Launch(context.Background(), card.Launch{Kernel: "nothing"}),
		"kernel nothing: not one of the bundle")
	x := alloc(t, c, 64*16)
	l := addition(x, x, x, 1)
	l.Tensors = l.Tensors[:2]
	check(t, c.Launch(context.Background(), l))
	const text = "rank 0 on chip 0: aclrtLaunchKernelWithConfig of kernel add failed with code 107000, " +
		"an argument is not valid: kernel add: arguments that it does not take"
	want(t, c.Read(x, make([]byte, 4)), text)
	want(t, c.Write(x, make([]byte, stagedWrite+1)), text)
	check(t, s.Close())
}

// A kernel that fails on the chip is an error of the next read.
func TestKernelThatFails(t *testing.T) {
	r := newRig(t, 1)
	s, cards, err := r.start(1)
	check(t, err)
	c := cards[0]
	x := alloc(t, c, 64)
	check(t, c.Launch(context.Background(), addition(x, x, x, 64)))
	err = c.Read(x, make([]byte, 4))
	if !names(
		err,
		"aclrtSynchronizeStreamWithTimeout of a stream whose last kernel is add failed with code "+
			"507015, a kernel failed on the cores: kernel add: gm-bounds",
	) {
		t.Error(err)
	}
	check(t, s.Close())
	r.clean(t)
}

// Misuse of an address is refused by the machine and reported, not executed.
func TestAddressesAreChecked(t *testing.T) {
	r := newRig(t, 1)
	s, cards, err := r.start(1)
	check(t, err)
	at := alloc(t, cards[0], 64)
	err = cards[0].Write(at, make([]byte, 1<<20))
	if !names(err, "aclrtMemcpy failed with code 107000") {
		t.Error(err)
	}
	check(t, s.Close())
	if got := r.Report(); got != "aclrtMemcpy: 1048576 bytes are not inside one allocation of device 0\n" {
		t.Errorf("report %q", got)
	}
}

// A step that is given up ends nothing on a single chip: what was launched goes on.
func TestCancel(t *testing.T) {
	r := newRig(t, 1)
	r.configure(1, 60*time.Millisecond)
	c := r.mustStart(t, 1)[0]
	at := alloc(t, c, 64*16)
	check(t, c.Clear(at, 64*16))
	ctx, cancel := context.WithCancel(context.Background())
	check(t, c.Launch(ctx, addition(at, at, at, 1)))
	cancel()
	if err := c.Read(at, make([]byte, 4)); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if err := c.Launch(ctx, addition(at, at, at, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("launch: %v", err)
	}
	check(t, c.Read(at, make([]byte, 4)))
}

func TestTooLittleMemory(t *testing.T) {
	r := newRig(t, 1)
	s, err := start(context.Background(), r.work(1), r.options())
	check(t, err)
	_, err = s.open(context.Background(), 0, r.work(1), deviceBytes+1)
	want(t, err, "rank 0 on chip 0: 67108865 bytes are needed, 67108864 of 67108864 are free; "+
		"use a smaller --context or cache, more chips, or end what else uses them")
	if !errors.Is(err, ErrResources) {
		t.Error("not ErrResources")
	}
	check(t, s.Close())
	s, cards, err := r.start(1)
	check(t, err)
	_, err = cards[0].Alloc(deviceBytes)
	want(
		t,
		err,
		"rank 0 on chip 0: 67108864 bytes more are needed, 67108864 of 67108864 are free: aclrtMalloc "+
			"failed with code 207001, the chip has no memory left: no 67109408 bytes are free; use a smaller "+
			"--context or cache, more chips, or end what else uses them",
	)
	check(t, s.Close())
	r.clean(t)
}
