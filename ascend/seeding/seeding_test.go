package seeding

import (
	"context"
	"os"
	"strings"
	"testing"

	"moge/ascend/gate"
)

// At least 95 of 100 faults in the kernels of a model are noticed, and what is not is harmless.
// MOGE_SEED_ALL=1 seeds all faults and executes all that the verifier lets pass at all shapes;
// without it one fault of a few is seeded, of which a share of 95 would say little.
func TestFaultsAreNoticed(t *testing.T) {
	needsCompiler(t)
	for _, c := range []struct {
		chip  string
		every int
	}{{"Ascend310P3", 5}, {"Ascend910B4", 24}} {
		t.Run(c.chip, func(t *testing.T) { faultsAreNoticed(t, c.chip, c.every) })
	}
}

func faultsAreNoticed(t *testing.T, name string, every int) {
	all := os.Getenv("MOGE_SEED_ALL") != ""
	o := Options{Every: every, All: all,
		Rounds: []Round{{gate.Default, 1}, {gate.Default, 2}, {gate.All, 1}}}
	if all {
		o.Every = 1
	}
	o.Progress = func(r Row) { t.Logf("%s: %d of %d", r.Kernel, r.Caught(), r.Mutants) }
	chip := chipNamed(t, name)
	rows, err := Run(context.Background(), chip, selected(t, tiny, chip), o)
	must(t, err)
	var text strings.Builder
	must(t, WriteTable(&text, rows))
	t.Logf("\n%s", text.String())
	total := Total(rows)
	for _, f := range total.Left {
		if f.Why == "" {
			t.Errorf("not noticed: %s", f.What)
		}
	}
	if all && 100*total.Caught() < 95*total.Mutants {
		t.Errorf("%d of %d faults are noticed", total.Caught(), total.Mutants)
	}
}

func TestTable(t *testing.T) {
	rows := []Row{
		{Kernel: "a", Mutants: 12, Verifier: 9, Emulator: 2, Left: []Fault{{"wait: removed", "why"}}},
		{Kernel: "long_name", Mutants: 8, Verifier: 8},
	}
	var text strings.Builder
	must(t, WriteTable(&text, rows))
	const want = `KERNEL     MUTANTS  VERIFIER  EMULATOR  LEFT  CAUGHT
a          12       9         2         1     91.7 %
long_name  8        8         0         0     100.0 %
all        20       17        2         1     95.0 %
a: wait: removed: why
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}

func TestHarmlessIsAboutKinds(t *testing.T) {
	const left = "let left2 = min(min(((end - base) - at), 8), ((lo + 8) - at)): only ((lo + 8) - at)"
	const height = "let height3 = min((rows - row3), 48): only 48"
	for _, c := range []struct {
		kind, what string
		split      bool
		want       bool
	}{
		{"linear", left, false, true},
		{"linear", left, true, true},
		{"linear", height, false, false},
		{"linear", height, true, true},
		{"norm", left, true, false},
		{"linear", "event leftFree removed", true, false},
		{"gate", "V.Duplicate(pick, float(0.0), 128): removed", false, false},
	} {
		if why, ok := Harmless(c.kind, c.what, c.split); ok != c.want {
			t.Errorf("%s, split %v: %s: harmless %v: %s", c.kind, c.split, c.what, ok, why)
		}
	}
}
