package driver

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"moge/codegen/calibrate"
	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

var familyNames = []string{"llama", "mixtral", "pangu_pro_moe", "qwen3", "qwen3_moe"}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// familyCopy is a checkpoint of a family that a test may damage.
func familyCopy(t testing.TB, family string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), family)
	copyTree(t, filepath.Join(families, family), dir)
	return dir
}

// staticSettings are settings for a checkpoint without tokenizer: a scheme that needs
// statistics gets those of a few made up sequences.
func staticSettings(m *Model, name string, opt passes.Options) (Settings, error) {
	scheme, err := quant.ParseScheme(name)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Target: "cpu", Passes: opt}
	s.Passes.Scheme, s.Passes.MinExpertTokens = scheme, 1
	if s.Passes.KV == dtype.Invalid {
		s.Passes.KV = dtype.F16
	}
	if s.needsStats() {
		s.Passes.Stats, err = measure(m, s.Passes)
	}
	return s, err
}

// measure runs the model over token ids instead of a text.
func measure(m *Model, opt passes.Options) (*quant.Stats, error) {
	g, err := passes.ForCalibration(m.Graph, opt)
	if err != nil {
		return nil, err
	}
	var windows [][]int32
	stats := &quant.Stats{Source: m.identity(), Calibration: "sha256:00",
		GateWeight: quant.GateWeight(meta(m.Graph, "gate_weight"))}
	for w := range int32(4) {
		var window []int32
		for i := range int32(24) {
			window = append(window, (w*97+i*i*31+i*7)%512)
		}
		windows = append(windows, window)
		stats.Tokens += int64(len(window))
	}
	sites, err := calibrate.Run(context.Background(), g, m, windows, calibrate.Options{Workers: 2})
	if err != nil {
		return nil, err
	}
	for _, site := range sites {
		if err := stats.Add(site); err != nil {
			return nil, err
		}
	}
	return stats, nil
}

func settingsFor(t testing.TB, m *Model, scheme string, opt passes.Options) Settings {
	t.Helper()
	s, err := staticSettings(m, scheme, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compileTo compiles onto the real disk.
func compileTo(t testing.TB, m *Model, out string, s Settings) *Summary {
	t.Helper()
	summary, err := Compile(context.Background(), durable.OS(), m, out, s)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

func openBundle(t testing.TB, dir string) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// wantError compares the whole text.
func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
