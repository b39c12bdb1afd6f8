package gate_test

import (
	"testing"

	"moge/ascend/gate"
	"moge/ascend/soc"
)

const tinyConfig = "../../tests/testdata/tiny-moge/config.json"

// All kernels of a small and of the published model become legal programs for cores that are split
// in a cube and a vector half, too.
func TestKernelsForSplitCores(t *testing.T) {
	for _, c := range []struct{ chip, config string }{
		{"Ascend910B1", tinyConfig}, {"Ascend910B1", publishedConfig}, {"Ascend910B4", publishedConfig},
	} {
		chip, err := soc.Find(c.chip)
		if err != nil {
			t.Fatal(err)
		}
		programs, _, err := gate.Emit(chip, specsOf(t, c.config, chip))
		if err != nil {
			t.Fatalf("%s: %s: %v", c.config, c.chip, err)
		}
		halves := 0
		for _, p := range programs {
			if p.Peer != nil {
				halves++
			}
		}
		if len(programs) != 22 || halves != 10 {
			t.Errorf("%s: %s: %d kernels, %d of them in two halves, want 22 and 10", c.config, c.chip,
				len(programs), halves)
		}
	}
}

// They give what their references say, as those for the 310P do.
func TestKernelsOnSplitCores(t *testing.T) {
	chip, err := soc.Find("Ascend910B4")
	if err != nil {
		t.Fatal(err)
	}
	gateOnce(t, chip, specsOf(t, tinyConfig, chip), gate.Default)
}
