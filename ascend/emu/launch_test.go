package emu

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func (b *bench) launch(t *testing.T, l Launch) *Result {
	t.Helper()
	if l.Blocks == 0 {
		l.Blocks = 1
	}
	if l.Args == nil {
		l.Args = b.args(Out, In)
	}
	r, err := b.Launch(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rulesOf(found []Finding) string {
	var names []string
	for _, f := range found {
		names = append(names, f.Rule)
	}
	return strings.Join(names, " ")
}

func TestOutputsMustBeWritten(t *testing.T) {
	b := newBench(t, "310p")
	if r := b.launch(t, Launch{Kernel: "l_copy"}); len(r.Findings) != 0 {
		t.Errorf("whole output: %v", r.Findings)
	}
	r := b.launch(t, Launch{Kernel: "l_copy_part"})
	want := "l_copy_part: block 0, pipe S: output-undefined: byte 8000 of argument 1 is still " +
		"undefined when " +
		"the kernel ends [own rule: results may not depend on undefined memory]"
	if len(r.Findings) != 1 || r.Findings[0].String() != want {
		t.Errorf("got %v, want %s", r.Findings, want)
	}
	args := b.args(Out, In)
	args[1] = Tensor(b.y, tensorBytes, Out, Span{8000, 192})
	if r := b.launch(t, Launch{Kernel: "l_copy_part", Args: args}); len(r.Findings) != 0 {
		t.Errorf("padding: %v", r.Findings)
	}
}

func TestPaddingOfInputsIsUndefined(t *testing.T) {
	b := newBench(t, "310p")
	args := b.args(Out, In)
	args[0] = Tensor(b.x, tensorBytes, In, Span{100, 2})
	if got := rulesOf(b.launch(t, Launch{Kernel: "l_copy",
		Args: args}).Findings); got != "taint-output output-undefined" {
		t.Errorf("got %s", got)
	}
	args[1] = Tensor(b.y, tensorBytes, Out, Span{100, 2})
	if r := b.launch(t, Launch{Kernel: "l_copy", Args: args}); len(r.Findings) != 0 {
		t.Errorf("padding to padding: %v", r.Findings)
	}
}

func TestTwiceComparesRuns(t *testing.T) {
	b := newBench(t, "310p")
	if r := b.launch(t, Launch{Kernel: "l_copy", Twice: true}); len(r.Findings) != 0 {
		t.Errorf("stable: %v", r.Findings)
	}
	r := b.launch(t, Launch{Kernel: "l_from_workspace", Args: b.args(InOut, In), Twice: true})
	if got := rulesOf(r.Findings); got != "taint-output unstable-output" {
		t.Errorf("got %s", got)
	}
}

func TestWaitBeforeSet(t *testing.T) {
	b := newBench(t, "310p")
	for seed := range uint64(20) {
		if r := b.launch(t, Launch{Kernel: "l_unset_order", Seed: seed}); len(r.Findings) != 0 {
			t.Fatal(r.Findings)
		}
		b.launch(t, Launch{Kernel: "l_unset_order", Seed: seed, Fast: true})
	}
}

func TestFastGivesTheSameBytes(t *testing.T) {
	b := newBench(t, "310p")
	anyBytes(rand.New(rand.NewPCG(3, 4)), b.Bytes(b.x, tensorBytes), b.Bytes(b.z, tensorBytes))
	b.launch(t, Launch{Kernel: "l_stages", Seed: 9})
	checked := string(b.Bytes(b.y, tensorBytes))
	clear(b.Bytes(b.y, tensorBytes))
	if r := b.launch(t, Launch{Kernel: "l_stages", Fast: true}); len(r.Findings) != 0 {
		t.Error(r.Findings)
	}
	if string(b.Bytes(b.y, tensorBytes)) != checked {
		t.Error("fast and checked runs differ")
	}
}

func TestLaunchErrors(t *testing.T) {
	b := newBench(t, "310p")
	good := b.args(Out, In)
	with := func(i int, a Arg) []Arg {
		args := append([]Arg(nil), good...)
		args[i] = a
		return args
	}
	for _, c := range []struct {
		l    Launch
		want string
	}{
		{Launch{Kernel: "none", Blocks: 1}, "kernel none: not in the library"},
		{Launch{Kernel: "l_copy", Blocks: 0}, "kernel l_copy: 0 blocks are not in 1 to 65535"},
		{Launch{Kernel: "l_copy", Blocks: 1}, "kernel l_copy: takes 5 arguments, got 0"},
		{Launch{Kernel: "l_copy", Blocks: 1, Args: with(4, Int64(1))},
			"kernel l_copy: argument 4: a number of 8 bytes where the kernel takes a number of 4 bytes"},
		{Launch{Kernel: "l_copy", Blocks: 1, Args: with(0, Int64(1))},
			"kernel l_copy: argument 0: a number of 8 bytes where the kernel takes a tensor"},
		{Launch{Kernel: "l_copy", Blocks: 1, Args: with(0, Tensor(1<<20, 1, In))},
			"kernel l_copy: argument 0: bytes 1048576 to 1048577 are not in the device's memory"},
		{Launch{Kernel: "l_copy", Blocks: 1, Args: with(0, Tensor(b.y+64, 64, In))},
			"kernel l_copy: arguments 0 and 1 share memory"},
		{Launch{Kernel: "l_copy", Blocks: 1, Args: with(0, Tensor(b.x, 64, In, Span{60, 8}))},
			"kernel l_copy: argument 0: padding of 8 bytes at 60 overlaps or leaves the tensor"},
	} {
		if _, err := b.Launch(context.Background(), c.l); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// A crash names the kernel, and the device works again afterwards with its memory intact.
func TestCrashNamesTheKernel(t *testing.T) {
	b := newBench(t, "310p")
	_, err := b.Launch(context.Background(), Launch{Kernel: "l_touches_address_zero", Blocks: 1,
		Args: b.args(Out, In)})
	want := "kernel l_touches_address_zero: the process ended: signal: segmentation fault"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("got %v, want %s", err, want)
	}
	if r := b.launch(t, Launch{Kernel: "l_copy"}); len(r.Findings) != 0 {
		t.Error(r.Findings)
	}
}

func TestTimeoutNamesTheKernel(t *testing.T) {
	b := newBench(t, "310p")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := b.Launch(ctx, Launch{Kernel: "l_never_ends", Blocks: 1, Args: b.args(Out, In)})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(),
		"kernel l_never_ends: ") {
		t.Fatalf("got %v", err)
	}
	b.launch(t, Launch{Kernel: "l_copy"})
}

func TestMemory(t *testing.T) {
	b := newBench(t, "310p")
	a, err := b.Alloc(100)
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Alloc(100)
	if err != nil || c%512 != 0 || c < a+100+4096 {
		t.Errorf("second tensor at %d after %d: %v", c, a, err)
	}
	if err := b.Free(a); err != nil {
		t.Error(err)
	}
	if again, _ := b.Alloc(90); again != a {
		t.Errorf("freed memory at %d is not used again: %d", a, again)
	}
	if err := b.Free(7); err == nil || err.Error() != "address 7 was not allocated" {
		t.Error(err)
	}
	want := "device memory of 1048576 bytes has no room for 2000000 more"
	if _, err := b.Alloc(2000000); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	b.Close()
	if _, err := b.Launch(context.Background(), Launch{}); !errors.Is(err, ErrClosed) {
		t.Errorf("launch after close: %v", err)
	}
}

func TestTimeline(t *testing.T) {
	b := newBench(t, "310p")
	r := b.launch(t, Launch{Kernel: "l_stages", Timeline: true, Events: true})
	s := r.Timeline.Scenarios[0]
	// 16 loads of 512 bytes: each pays the set-up of 422 cycles and 512/17 for the bytes.
	load := 16 * (422 + 512.0/17)
	if got := s.Cores[0].Busy[4]; got < load-1e-6 || got > load+1e-6 {
		t.Errorf("MTE2 is busy for %g cycles, want %g", got, load)
	}
	// Double buffers overlap loads with stores: the whole takes less than both together.
	if s.Cycles < load || s.Cycles > 1.5*load {
		t.Errorf("takes %g cycles, loads alone %g", s.Cycles, load)
	}
	if s.Bound() != "MTE2" && s.Bound() != "MTE3" {
		t.Errorf("bound by %s", s.Bound())
	}
	if r.Timeline.GMBytes != 16*1024 {
		t.Errorf("%g bytes moved", r.Timeline.GMBytes)
	}
	if d := r.Timeline.Scenarios[1]; d.Cycles > s.Cycles {
		t.Errorf("more memory rate is slower: %g, %g", d.Cycles, s.Cycles)
	}
	checkTrace(t, r.Timeline)
	again := b.launch(t, Launch{Kernel: "l_stages", Timeline: true, Fast: true})
	if again.Timeline.Scenarios[0].Cycles != s.Cycles {
		t.Errorf("fast run takes %g cycles, checked run %g", again.Timeline.Scenarios[0].Cycles,
			s.Cycles)
	}
}

func checkTrace(t *testing.T, line *Timeline) {
	t.Helper()
	last := map[string]float64{}
	for _, e := range line.Events {
		if e.End < e.Start || e.Start < last[e.Pipe] {
			t.Errorf("%s at line %d overlaps on pipe %s", e.Name, e.Line, e.Pipe)
		}
		last[e.Pipe] = e.End
	}
	var out strings.Builder
	var both Trace
	both.Add("a", line)
	both.Add("b", line)
	if err := both.Write(&out); err != nil {
		t.Fatal(err)
	}
	var trace struct{ TraceEvents []map[string]any }
	if err := json.Unmarshal([]byte(out.String()), &trace); err != nil ||
		len(trace.TraceEvents) != 2*(len(line.Events)+blocksOf(line)) {
		t.Errorf("%d events: %v", len(trace.TraceEvents), err)
	}
}

// blocksOf is how many blocks have events.
func blocksOf(line *Timeline) int {
	blocks := 0
	for _, e := range line.Events {
		blocks = max(blocks, e.Block+1)
	}
	return blocks
}

func TestTimelineCountsCacheHits(t *testing.T) {
	b := newBench(t, "310p")
	r := b.launch(t, Launch{Kernel: "l_reads_twice", Timeline: true})
	if r.Timeline.HitBytes != tensorBytes || r.Timeline.GMBytes != 3*tensorBytes {
		t.Errorf("hits %g of %g bytes", r.Timeline.HitBytes, r.Timeline.GMBytes)
	}
}

const storesAtOnce = `#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __aicore__ void k(GM_ADDR y)
{
    TBuf<TPosition::VECCALC> u;
    GlobalTensor<half> Y;
    Y.SetGlobalBuffer((__gm__ half*)y, 16);
    DataCopy(Y, u.Get<half>(16), 16);
}
`

// Registers hold what an earlier kernel left until something cleans them.
func TestAtomicRegisterStartsDirty(t *testing.T) {
	needCompiler(t)
	ctx := context.Background()
	lib, err := Compile(ctx, chipNamed(t, "Ascend310P3"), []Source{{"k", storesAtOnce}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := lib.Start(ctx, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	y, _ := d.Alloc(32)
	r, err := d.Launch(ctx, Launch{Kernel: "k", Blocks: 1, Args: []Arg{Tensor(y, 32, InOut)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rulesOf(r.Findings); got != "atomic-register taint-output" {
		t.Errorf("got %s", got)
	}
}
