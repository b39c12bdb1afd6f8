package kernels_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/gate"
	"moge/ascend/kernels"
	"moge/ascend/soc"
)

// gated lowers specs for the 310P and has the gate execute them against their references, which
// must pass. Without a C++ compiler the test is skipped, loudly, and fails in CI.
func gated(t *testing.T, o gate.Options, specs ...kernels.Spec) {
	t.Helper()
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	chip := chip310P(t)
	_, ks, err := gate.Emit(chip, specs)
	if err != nil {
		t.Fatal(err)
	}
	report, err := gate.Run(context.Background(), chip, ks, o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", text.String())
	if !report.Passed() {
		t.Fail()
	}
}

func chip310P(t testing.TB) *soc.Chip {
	t.Helper()
	chip, err := soc.Find("Ascend310P3")
	if err != nil {
		t.Fatal(err)
	}
	return chip
}

// chosen is the tiling, or the spec with its tilings, that has the least predicted cost.
func chosen[T any](t testing.TB, of func(*soc.Chip) (T, error)) T {
	t.Helper()
	out, err := of(chip310P(t))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
