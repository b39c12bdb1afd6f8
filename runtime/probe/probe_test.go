package probe

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"moge/runtime/cpu"
	"moge/runtime/kernels"
)

// plausible is a rate that any machine of this century has, and none will have soon.
func plausible(t *testing.T, what string, rate, least, most float64) {
	t.Helper()
	if !(rate > least && rate < most) {
		t.Errorf("%s: %g a second", what, rate)
	}
}

func TestRunIsPlausible(t *testing.T) {
	for _, isa := range cpu.Available() {
		t.Run(isa.String(), func(t *testing.T) {
			use(t, isa)
			r, err := Run(context.Background(), 50*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if r.ISA != isa.String() {
				t.Errorf("level %s", r.ISA)
			}
			plausible(t, "bytes", r.Memory.Rate, 1e6, 1e14)
			plausible(t, "bytes of plain pages", r.Plain.Rate, 1e6, 1e14)
			plausible(t, "operations", r.Int8.Rate, 1e6, 1e16)
			if r.Plain.Rate > r.Memory.Rate {
				t.Errorf("plain pages %g are faster than the best of all %g", r.Plain.Rate, r.Memory.Rate)
			}
			if r.Plain.Huge || r.Memory.Threads < 1 || r.Memory.Streams < 1 || r.Int8.Threads < 1 {
				t.Errorf("%+v", r)
			}
			again, err := Again(context.Background(), r, time.Millisecond)
			if err != nil || again.Memory.Reading != r.Memory.Reading ||
				again.Int8.Threads != r.Int8.Threads {
				t.Errorf("%+v and again %+v, %v", r, again, err)
			}
			plausible(t, "bytes again", again.Memory.Rate, 1e6, 1e14)
		})
	}
}

func use(t *testing.T, isa cpu.ISA) {
	t.Helper()
	before := kernels.Active()
	if err := kernels.Use(isa); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kernels.Use(before); err != nil {
			t.Error(err)
		}
	})
}

// TestLevelsDiffer holds vector instructions to what they are for: each of the levels above the
// portable one does at least twice the multiply-adds of a Go loop, of which it does 32 and more at a time.
func TestLevelsDiffer(t *testing.T) {
	rate := map[cpu.ISA]float64{}
	for _, isa := range cpu.Available() {
		use(t, isa)
		r, err := bestInt8(context.Background(), []int{1}, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		rate[isa] = r.Rate
	}
	for isa, r := range rate {
		if isa > cpu.Generic && r < 2*rate[cpu.Generic] {
			t.Errorf("%v does %g operations a second, the portable code %g", isa, r, rate[cpu.Generic])
		}
	}
}

func TestCancelledProbe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestThreadCountsAreDistinct(t *testing.T) {
	got := threadCounts()
	if got[0] != runtime.GOMAXPROCS(0) || got[len(got)-1] != 1 {
		t.Errorf("%v", got)
	}
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(got) {
		t.Errorf("%v has equal numbers", got)
	}
}

func TestRegionIsWholePagesBeyondTheCaches(t *testing.T) {
	n := regionBytes()
	if n%page != 0 || n < minRegion || n > maxRegion {
		t.Errorf("%d bytes", n)
	}
}
