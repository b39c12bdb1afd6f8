package npu

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/ascend/emu"
)

func TestMissingLibraries(t *testing.T) {
	r := newRig(t, 1)
	dir := t.TempDir()
	o := r.options()
	o.Libraries = []string{dir}
	_, err := start(context.Background(), r.work(1), o)
	want(t, err, "libascendcl.so cannot be loaded ("+dir+"/libascendcl.so: not there); "+
		"install CANN for the chip and source its set_env.sh")
	if !errors.Is(err, ErrMissing) {
		t.Error("not ErrMissing")
	}
	check(t, os.Symlink(filepath.Join(r.Dir(), aclFile), filepath.Join(dir, aclFile)))
	_, err = start(context.Background(), r.work(2), o)
	want(t, err, "libhccl.so cannot be loaded ("+dir+"/libhccl.so: not there); "+
		"install CANN for the chip and source its set_env.sh")
}

// A library that lacks functions is one of an older CANN.
func TestOldLibrary(t *testing.T) {
	r := newRig(t, 1)
	dir, err := emu.BuildShared(context.Background(), []emu.Shared{{File: aclFile,
		Parts: []string{`extern "C" int aclInit(const char*) { return 0; }`}}})
	check(t, err)
	o := r.options()
	o.Libraries = []string{dir}
	_, err = start(context.Background(), r.work(1), o)
	want(
		t,
		err,
		dir+"/libascendcl.so has no function aclFinalize; this CANN is too old: install CANN 8.1 or "+
			"newer",
	)
}

func TestMachineThatDoesNotFit(t *testing.T) {
	r := newRig(t, 2)
	for text, c := range map[string]struct {
		work work
		opt  func(*Options)
		kind error
	}{
		"the bundle needs 8 chips, the machine has 2; compile it with fewer --devices, or run it on a " +
			"larger machine": {work: r.work(8), kind: ErrResources},
		"b.moge: its kernels are for ascend910b4, this machine has ascend310p3; compile it with the " +
			"--target of this machine": {work: work{dir: "b.moge", ranks: 1, chip: "ascend910b4"}, kind: ErrInput},
		"there is no chip 2, the machine has 2; name chips that npu-smi info lists": {work: r.work(1),
			opt: func(o *Options) { o.Devices = []int{2} }, kind: ErrInput},
		"1 chips for 2 ranks; name one chip for each rank": {work: r.work(2),
			opt: func(o *Options) { o.Devices = []int{1} }, kind: ErrInput},
		"chip 1 for several ranks, or none; name another chip for each rank": {work: r.work(2),
			opt: func(o *Options) { o.Devices = []int{1, 1} }, kind: ErrInput},
		"small.moge: its kernels are not built, there is no none.o; with CANN's set_env.sh sourced run: " +
			"cmake -S small.moge/kernels/cann8 -B small.moge.build && cmake --build small.moge.build": {
			work: r.work(1), opt: func(o *Options) { o.Kernels = "none.o" }, kind: ErrInput},
	} {
		o := r.options()
		if c.opt != nil {
			c.opt(&o)
		}
		_, err := start(context.Background(), c.work, o)
		want(t, err, text)
		if !errors.Is(err, c.kind) {
			t.Errorf("%v is not of kind %v", err, c.kind)
		}
	}
	r.clean(t)
}

func TestKernelFiles(t *testing.T) {
	dir := t.TempDir()
	b := filepath.Join(dir, "model.moge")
	_, err := findKernels(b+"/", "")
	want(t, err, b+": its kernels are not built, there is no "+b+".kernels.o and no "+b+
		".build/fatbin/moge_kernels/moge_kernels.o; with CANN's set_env.sh sourced run: cmake -S "+b+
		"/kernels/cann8 -B "+b+".build && cmake --build "+b+".build")
	for i, path := range KernelFiles(b) {
		check(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644))
		got, err := findKernels(b, "")
		if err != nil || got != path {
			t.Errorf("place %d: %s, %v", i, got, err)
		}
		check(t, os.Remove(path))
	}
}

// Kernels of another bundle lack one that this one launches.
func TestKernelsOfAnotherBundle(t *testing.T) {
	r := newRig(t, 1)
	s, err := start(context.Background(), r.work(1), r.options())
	check(t, err)
	w := r.work(1)
	w.kernels = append(w.kernels, "other")
	_, err = s.open(context.Background(), 0, w, 0)
	want(
		t,
		err,
		"rank 0 on chip 0: "+r.binary+": aclrtBinaryGetFunction of kernel other failed with code "+
			"107000, an argument is not valid: no such kernel; build the kernels of this very bundle",
	)
	check(t, s.Close())
	r.clean(t)
}

func TestOneCardAChip(t *testing.T) {
	r := newRig(t, 1)
	s, cards, err := r.start(1)
	check(t, err)
	_, err = s.open(context.Background(), 0, r.work(1), 0)
	want(t, err, "rank 0 has a card open already")
	_, err = s.open(context.Background(), 1, r.work(1), 0)
	want(t, err, "rank 1 is not one of this process")
	check(t, cards[0].Close(), cards[0].Close())
	c, err := s.open(context.Background(), 0, r.work(1), 0)
	check(t, err)
	check(t, c.Close(), s.Close(), s.Close())
	r.clean(t)
}

// A system gives back a card that is still open, whose Close then has nothing to do.
func TestCardClosedAfterItsSystem(t *testing.T) {
	r := newRig(t, 1)
	s, cards, err := r.start(1)
	check(t, err)
	check(t, s.Close(), cards[0].Close())
	r.clean(t)
}

// Systems share AscendCL, which begins and ends once.
func TestTwoSystems(t *testing.T) {
	r := newRig(t, 2)
	o := r.options()
	first, err := start(context.Background(), r.work(1), o)
	check(t, err)
	o.Devices = []int{1}
	second, err := start(context.Background(), r.work(1), o)
	check(t, err)
	check(t, first.Close(), second.Close())
	if n := strings.Count(strings.Join(r.Calls(), " "), "aclInit"); n != 1 {
		t.Errorf("aclInit was called %d times", n)
	}
	r.clean(t)
}

func TestProbe(t *testing.T) {
	r := newRig(t, 3)
	m := Probe([]string{r.Dir()})
	if m.Problem != "" || m.Chip != "Ascend310P3" || len(m.Chips) != 3 || m.Chips[2] !=
		(Chip{Index: 2, Free: deviceBytes, Total: deviceBytes}) || m.AscendCL.Path != r.Dir()+"/"+aclFile {
		t.Errorf("%+v", m)
	}
	r.clean(t)
	r.configure(3, 0)
	r.Fault("aclrtSetDevice", 2, 507033)
	m = Probe([]string{r.Dir()})
	if m.Problem != "" || !strings.Contains(m.Chips[1].Problem, "aclrtSetDevice failed with code 507033, "+
		"the chip cannot be set up") ||
		m.Chips[2].Total != deviceBytes {
		t.Errorf("%+v", m)
	}
	r.clean(t)
	m = Probe([]string{"/nowhere"})
	if m.Problem == "" || len(m.AscendCL.Tried) != 1 || len(m.Chips) != 0 {
		t.Errorf("%+v", m)
	}
}
