package main

import (
	"math"
	"testing"

	"moge/ascend/cost"
	"moge/codegen/report"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// TestTimesOfOps compares with sums by hand from the machine's rates: one pipe each is the slowest, and
// a launch comes before it. The sums are of doubles in the same order, so they are equal but for a
// rounding or two.
func TestTimesOfOps(t *testing.T) {
	m, err := cost.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	timing := timingOf(&bundlepb.Manifest{Targets: []string{"300i-duo"}, Kernels: []*bundlepb.Kernel{{}}})
	for _, c := range []struct {
		name    string
		op      report.Op
		seconds float64
		bound   string
	}{
		{"weights", report.Op{Kernel: "k", Weights: 1 << 30}, (1 << 30) / (m.DRAM * m.WeightShare), "dram"},
		{"products", report.Op{Kernel: "k", MACs: 1 << 40, Int8: true}, (1 << 40) / (m.Int8 * m.CubeShare),
			"cube"},
		{"nothing much", report.Op{Kernel: "k", Weights: 1}, 1 / (m.DRAM * m.WeightShare), "launch"},
		{"collective", report.Op{Collective: &report.Collective{Kind: "ALL_GATHER", Size: 8, Stride: 1,
			Bytes: 1 << 30}}, (1 << 30) / m.Link, "link"},
	} {
		seconds, bound, ok := timing.Of(&c.op)
		if want := c.seconds + m.Launch; math.Abs(seconds-want) > 1e-12*want || bound != c.bound || !ok {
			t.Errorf("%s: %v, %s, want %v, %s", c.name, seconds, bound, want, c.bound)
		}
	}
	if _, _, ok := timing.Of(&report.Op{Op: "ROPE_TABLE"}); ok {
		t.Error("what is no launch has a time")
	}
	if costOf(&report.Op{}).DType != dtype.F16 {
		t.Error("products are not of halves")
	}
}

func TestNoTimesWithoutAModel(t *testing.T) {
	for _, m := range []*bundlepb.Manifest{{Targets: []string{"cpu"}},
		{Targets: []string{"unheard of"}, Kernels: []*bundlepb.Kernel{{}}}} {
		if timingOf(m) != nil || chipOf(m) != nil {
			t.Errorf("%s has times or a chip", m.Targets[0])
		}
	}
}
