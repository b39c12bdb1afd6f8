package codegen_test

import (
	"errors"
	"testing"

	"moge/codegen"
)

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1025: "1.1 KiB", 1536: "1.5 KiB",
		64 << 20: "64.0 MiB", 64<<20 + 1: "64.1 MiB", 1<<30 - 1: "1.0 GiB", 1 << 30: "1.0 GiB",
		144e9: "134.2 GiB", 5 << 40: "5.0 TiB", 5 << 50: "5120.0 TiB",
	} {
		if got := codegen.FormatBytes(n); got != want {
			t.Errorf("%d bytes print as %s, want %s", n, got, want)
		}
	}
}

func unitsOf(sizes ...int64) *codegen.Plan {
	p := &codegen.Plan{}
	for _, n := range sizes {
		p.Units = append(p.Units, codegen.Unit{Extents: []codegen.Extent{{Size: n - 1},
			{Section: 1, Size: 1}}, Scratch: n})
	}
	return p
}

func TestCheckMemory(t *testing.T) {
	const base, worker = 40 << 20, 4 * (5 << 20) // twice the largest unit with its scratch
	p := unitsOf(1<<20, 5<<20, 3<<20)
	p.Nodes = 2048 // 2 KiB each, on top of 36 MiB
	if got := p.MinimumMemory(); got != base+worker {
		t.Fatalf("minimum is %d, want %d", got, base+worker)
	}
	for _, c := range []struct {
		workers int
		bound   int64
		want    int
	}{
		{8, 0, 8}, {0, 0, 1}, {-3, 0, 1}, {8, base + worker, 1}, {8, base + 2*worker - 1, 1},
		{8, base + 2*worker, 2}, {8, base + 100*worker, 8}, {0, base + worker, 1},
	} {
		got, err := codegen.Execution{Workers: c.workers, MaxMemory: c.bound}.CheckMemory(p)
		if err != nil || got.Workers != c.want {
			t.Errorf("%d workers within %d: got %d, %v; want %d", c.workers, c.bound, got.Workers, err, c.want)
		}
	}
	if _, err := (codegen.Execution{MaxMemory: base + worker - 1}).CheckMemory(p); err == nil {
		t.Error("one byte less than the minimum is enough")
	}
	_, err := codegen.Execution{MaxMemory: 50 << 20}.CheckMemory(p)
	want := "--max-memory 50.0 MiB is too small: this model needs at least 60.0 MiB"
	var small *codegen.MemoryError
	if !errors.As(err, &small) || err.Error() != want || small.Minimum != base+worker {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A plan without weights needs no worker's memory.
func TestCheckMemoryOfAnEmptyPlan(t *testing.T) {
	p := unitsOf()
	e, err := codegen.Execution{Workers: 3, MaxMemory: p.MinimumMemory() + 100}.CheckMemory(p)
	if err != nil || e.Workers != 3 {
		t.Errorf("got %d workers, %v", e.Workers, err)
	}
}
