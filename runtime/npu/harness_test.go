package npu

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"moge/ascend/emu"
	emulated "moge/ascend/emu/acl"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/ir/dtype"
	"moge/runtime/card"
	"moge/runtime/npu/dl"
)

// scratch is a folder for all tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "npu-test-")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// rig is the emulated machine with a binary of one small kernel: add, which stores x + y of rows of 32
// halves.
type rig struct {
	*emulated.Machine
	binary  string
	connect time.Duration // how long a communicator waits for its members
	execute time.Duration // how long a collective does
}

var built = sync.OnceValues(func() (rig, error) {
	m, err := emulated.Load(context.Background())
	if err != nil {
		return rig{}, err
	}
	chip, err := soc.Find("Ascend310P3")
	if err != nil {
		return rig{}, err
	}
	k, err := kernels.Norm(kernels.NormSpec{Name: "add", Width: 32, MaxRows: 64, Add: true})
	if err != nil {
		return rig{}, err
	}
	p, err := lower.Lower(k, chip)
	if err != nil {
		return rig{}, err
	}
	lib, err := emu.Compile(context.Background(), chip, []emu.Source{{Name: "add",
		Text: string(device.Print(p, device.CANN8))}})
	if err != nil {
		return rig{}, err
	}
	path := filepath.Join(scratch, "add.o")
	return rig{m, path, 2 * time.Second, 2 * time.Second}, lib.WriteBinary(path)
})

// newRig gives the machine with so many devices, new. Without a C++ compiler the test is skipped,
// loudly, and fails in CI; a build without the loader skips it.
func newRig(t testing.TB, devices int) rig {
	t.Helper()
	if err := dl.Supported(); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	r, err := built()
	if err != nil {
		t.Fatal(err)
	}
	r.configure(devices, 0)
	return r
}

const deviceBytes = 64 << 20

func (r rig) configure(devices int, delay time.Duration) {
	c := configOf(deviceBytes)
	c.Devices, c.Connect, c.Execute, c.Delay = devices, r.connect, r.execute, delay
	r.Configure(c)
}

// configOf is one device with so many bytes.
func configOf(bytes int64) emulated.Config {
	return emulated.Config{Devices: 1, Chip: "Ascend310P3", Memory: bytes, Connect: time.Second,
		Execute: time.Second}
}

// clean fails the test if something was misused or leaked.
func (r rig) clean(t testing.TB) {
	t.Helper()
	if said := r.Report(); said != "" {
		t.Errorf("the emulated machine reports:\n%s", said)
	}
}

func (r rig) options() Options {
	return Options{Kernels: r.binary, Libraries: []string{r.Dir()}}
}

func (r rig) work(ranks int) work {
	return work{dir: "small.moge", ranks: ranks, chip: "ascend310p3", kernels: []string{"add"}}
}

// start brings up a system with a card on each rank.
func (r rig) start(ranks int) (*System, []*chip, error) {
	s, err := start(context.Background(), r.work(ranks), r.options())
	if err != nil {
		return nil, nil, err
	}
	cards := make([]*chip, ranks)
	for i := range cards {
		c, err := s.open(context.Background(), i, r.work(ranks), 1<<20)
		if err != nil {
			return nil, nil, errors.Join(err, s.Close())
		}
		cards[i] = c.(*chip)
	}
	return s, cards, nil
}

func (r rig) mustStart(t testing.TB, ranks int) []*chip {
	t.Helper()
	s, cards, err := r.start(ranks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		r.clean(t)
	})
	return cards
}

// within fails a test that takes longer than a time that nothing here comes near to, with the stacks.
func within(t testing.TB, limit time.Duration, what string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		stacks := make([]byte, 1<<16)
		t.Fatalf("%s hangs:\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

// together runs f on each card at once.
func together(t testing.TB, cards []*chip, f func(i int, c *chip) error) []error {
	t.Helper()
	errs := make([]error, len(cards))
	within(t, 30*time.Second, "a step", func() {
		var wg sync.WaitGroup
		for i, c := range cards {
			wg.Go(func() { errs[i] = f(i, c) })
		}
		wg.Wait()
	})
	return errs
}

func halves(n int, v func(i int) float32) []byte {
	values, b := make([]float32, n), make([]byte, 2*n)
	for i := range values {
		values[i] = v(i)
	}
	dtype.Encode(dtype.F16, b, values)
	return b
}

// addition is the launch of the kernel on rows of 32.
func addition(x, y, sum card.Addr, rows int) card.Launch {
	l := card.Launch{Kernel: "add", Blocks: 8, Scalars: []int32{int32(rows)}}
	for _, at := range []card.Addr{x, y, sum} {
		l.Tensors = append(l.Tensors, card.Tensor{At: at, Bytes: int64(rows) * 64})
	}
	return l
}

// want compares a whole error text.
func want(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Errorf("error %v\nwant  %s", err, text)
	}
}

// names reports whether an error text names one of the calls.
func names(err error, call string) bool { return err != nil && strings.Contains(err.Error(), call) }
