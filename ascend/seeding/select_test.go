package seeding

import (
	"os"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/kernels"
	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/passes"
	"moge/tests/fixture"
)

// Configurations of models.
const (
	tiny      = "../../tests/testdata/tiny-moge/config.json"
	published = "../../formats/models/testdata/pangu_published.json"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func chipNamed(t testing.TB, name string) *soc.Chip {
	t.Helper()
	chip, err := soc.Find(name)
	must(t, err)
	return chip
}

// selected is the kernels of a model for a chip.
func selected(t testing.TB, config string, chip *soc.Chip) []kernels.Spec {
	t.Helper()
	g := fixture.ForCard(t, fixture.Graph(t, config),
		passes.Options{Scheme: fixture.Scheme(t, "w8a8-dynamic")})
	specs, err := model.Select(g, chip, model.Limits{Tokens: 512, Sequences: 16, Rows: 64,
		Context: 1024})
	must(t, err)
	return specs
}

// needsCompiler skips without a C++ compiler, loudly, and fails in CI.
func needsCompiler(t testing.TB) {
	t.Helper()
	err := emu.Available()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
}
