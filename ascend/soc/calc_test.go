package soc

import (
	"math"
	"testing"
)

// TestCalculatedFacts repeats the arithmetic of every row whose source is calc; a row without
// arithmetic here fails.
func TestCalculatedFacts(t *testing.T) {
	for _, c := range Chips() {
		m, n := c.At(CubeM), c.At(CubeN)
		want := map[Param]int64{
			CubeUnits:       c.At(AICores),
			VectorUnits:     c.At(AICores) * c.At(VectorsPerCube),
			VectorsPerCube:  1,
			MACHalf:         m * n * c.At(CubeKHalf),
			MACInt8:         m * n * c.At(CubeKInt8),
			MACInt8Peak:     m * n * c.At(CubeKInt8),
			MACInt4:         m * n * c.At(CubeKInt4),
			LanesFloat:      c.At(RepeatBytes) / 4,
			DRAMRateOfCores: c.At(AICores) * c.At(DDRRate) * c.At(CubeClock),
		}
		for _, r := range c.Rows() {
			if r.Fact.Source != Calc {
				continue
			}
			if value, ok := want[r.Param]; !ok || value != r.Fact.Value {
				t.Errorf("%s %s: the row says %d, the arithmetic %d (there is some: %v)",
					c.Name(), r.Param, r.Fact.Value, value, ok)
			}
		}
		if c.At(LanesHalf)*2 != c.At(RepeatBytes) || c.At(RepeatBytes) != 8*c.At(BlockBytes) {
			t.Errorf("%s: lanes, repeats and blocks do not fit", c.Name())
		}
	}
}

// TestPeaks recomputes the peaks. The tolerance of 310P rows is 1 %: published figures have
// two or three digits. Those of the 910B imply a clock of 1.7 to 1.9 GHz where the ini says
// 1.5 to 1.85, hence 15 %.
func TestPeaks(t *testing.T) {
	for _, x := range []struct {
		chip      string
		half      float64 // TFLOPS, computed
		tolerance float64 // of the published figures
	}{
		{"Ascend310P3", 69.5, 0.01}, {"Ascend910B1", 363.7, 0.15}, {"Ascend910B2", 353.9, 0.15},
		{"Ascend910B3", 294.9, 0.15}, {"Ascend910B4", 245.8, 0.15},
	} {
		c := chip(t, x.chip)
		half, integer := float64(c.PeakOps(Half, Half, Float)), float64(c.PeakOps(Int8, Int8, Int32))
		if math.Abs(half/1e12-x.half) > 0.05 {
			t.Errorf("%s: %.2f TFLOPS, want %.1f", x.chip, half/1e12, x.half)
		}
		if integer != 2*half {
			t.Errorf("%s: int8 is not twice half", x.chip)
		}
		for p, got := range map[Param]float64{PublishedHalf: half, PublishedInt8: integer} {
			f := c.Fact(p)
			if f.Known() && math.Abs(got/float64(f.Value)-1) > x.tolerance {
				t.Errorf("%s: %s is %d, computed %.4g: more than %g off", x.chip, p, f.Value, got, x.tolerance)
			}
		}
	}
	if got := chip(t, "300i-duo").PeakOps(Float, Float, Float); got != 0 {
		t.Errorf("310P multiplies float at %d op/s, which it cannot", got)
	}
}

func TestVectorPeak(t *testing.T) {
	// 48 · 128 · 1.8 GHz = 11.06 T/s is the figure of the catlass documentation.
	if got := chip(t, "Ascend910B2").PeakVectorOps(Half); got != 48*128*1_800_000_000 {
		t.Errorf("910B2: got %d", got)
	}
	if got := chip(t, "Ascend310P3").PeakVectorOps(Float); got != 8*64*1_060_000_000 {
		t.Errorf("310P3: got %d", got)
	}
}

// TestMemoryRates: 144 GB/s is what the AI cores of a 310P draw, with the extra cores it is
// within 2 % of the 204 GB/s of the chip, and the cores alone cannot reach those.
func TestMemoryRates(t *testing.T) {
	c := chip(t, "Ascend310P3")
	cores, all := c.At(DRAMRateOfCores), c.At(DRAMRate)
	if cores != 144_160_000_000 || all != 204_000_000_000 {
		t.Errorf("got %d and %d", cores, all)
	}
	if both := float64(cores + c.ExtraDRAMRate()); math.Abs(both/float64(all)-1) > 0.02 {
		t.Errorf("all cores draw %.4g, the chip delivers %d", both, all)
	}
	if b4 := chip(t, "Ascend910B4"); b4.At(DRAMRateOfCores) <= b4.At(DRAMRate) {
		t.Error("910B4: its cores must be able to draw all that memory delivers")
	}
}
