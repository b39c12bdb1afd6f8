package gate_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/gate"
	"moge/ascend/soc"
)

const tinyConfig = "../../tests/testdata/tiny-moge/config.json"

// All kernels of a small and of the published model become legal programs for cores that are split
// in a cube and a vector half, too.
func TestKernelsForSplitCores(t *testing.T) {
	for _, name := range []string{"Ascend910B1", "Ascend910B4"} {
		chip, err := soc.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, config := range []string{tinyConfig, publishedConfig} {
			programs, _, err := gate.Emit(chip, specsOf(t, config, chip))
			if err != nil {
				t.Fatalf("%s: %s: %v", config, name, err)
			}
			halves := 0
			for _, p := range programs {
				if p.Peer != nil {
					halves++
				}
			}
			if len(programs) != 22 || halves != 10 {
				t.Errorf("%s: %s: %d kernels, %d of them in two halves, want 22 and 10", config, name,
					len(programs), halves)
			}
		}
	}
}

// They give what their references say, as those for the 310P do.
func TestKernelsOnSplitCores(t *testing.T) {
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	chip, err := soc.Find("Ascend910B4")
	if err != nil {
		t.Fatal(err)
	}
	_, ks, err := gate.Emit(chip, specsOf(t, tinyConfig, chip))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gate.Run(context.Background(), chip, ks, gate.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if t.Logf("\n%s", text.String()); !r.Passed() {
		t.Fail()
	}
}
