package gate_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/gate"
	"moge/ascend/kernels"
	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/passes"
	"moge/tests/fixture"
)

const publishedConfig = "../../formats/models/testdata/pangu_published.json"

// specsOf are the kernels of the model with a configuration on one chip.
func specsOf(t testing.TB, config string, chip *soc.Chip) []kernels.Spec {
	t.Helper()
	return specsWithin(t, config, chip, model.Limits{Tokens: 512, Sequences: 16, Rows: 64, Context: 1024})
}

// specsWithin are those for other limits.
func specsWithin(t testing.TB, config string, chip *soc.Chip, l model.Limits) []kernels.Spec {
	t.Helper()
	g := fixture.ForCard(t, fixture.Graph(t, config),
		passes.Options{Scheme: fixture.Scheme(t, "w8a8-dynamic")})
	specs, err := model.Select(g, chip, l)
	if err != nil {
		t.Fatal(err)
	}
	return specs
}

// BenchmarkPublishedModel is what the gate adds to the compilation of the published model: below
// three minutes on two cores.
func BenchmarkPublishedModel(b *testing.B) {
	chip := chip310P(b)
	benchGate(b, chip, specsOf(b, publishedConfig, chip), gate.Default)
}

// BenchmarkPublishedModelEveryShape executes its kernels at every edge of token counts up to 1025 and
// of contexts up to 17 pages: about ten minutes.
func BenchmarkPublishedModelEveryShape(b *testing.B) {
	chip := chip310P(b)
	l := model.Limits{Tokens: 1280, Sequences: 16, Rows: 64, Context: 4352}
	benchGate(b, chip, specsWithin(b, publishedConfig, chip, l), gate.All)
}

func chip310P(b testing.TB) *soc.Chip {
	b.Helper()
	chip, err := soc.Find("Ascend310P3")
	if err != nil {
		b.Fatal(err)
	}
	return chip
}

func benchGate(b *testing.B, chip *soc.Chip, specs []kernels.Spec, shapes gate.Shapes) {
	for b.Loop() {
		gateOnce(b, chip, specs, shapes)
	}
}

// gateOnce emits kernels and executes them, which all must pass. Without a C++ compiler it skips, loudly, and
// fails in CI.
func gateOnce(t testing.TB, chip *soc.Chip, specs []kernels.Spec, shapes gate.Shapes) {
	t.Helper()
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	_, ks, err := gate.Emit(chip, specs)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gate.Run(context.Background(), chip, ks, gate.Options{Seed: 1, Shapes: shapes})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", text.String())
	if !r.Passed() {
		t.Fail()
	}
}
