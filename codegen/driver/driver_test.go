package driver

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

const (
	tiny     = "../../tests/testdata/tiny-moge"
	families = "../../tests/testdata/families"
)

func openModel(t testing.TB, dir string) *Model {
	t.Helper()
	m, err := Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func settings(t testing.TB, scheme string) Settings {
	t.Helper()
	s, err := quant.ParseScheme(scheme)
	if err != nil {
		t.Fatal(err)
	}
	set := Settings{Target: "cpu", Passes: passes.Options{Scheme: s, KV: dtype.F16, Verify: true,
		MinExpertTokens: 1}}
	set.Execution.Workers = 2
	if s.NeedsStats() {
		set.Calibration, set.CalibrationTokens = filepath.Join(tiny, "calib.txt"), 1024
	}
	return set
}

// readTree gives all files below a directory.
func readTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sameTree(t testing.TB, a, b string) {
	t.Helper()
	x, y := readTree(t, a), readTree(t, b)
	for name := range x {
		if x[name] != y[name] {
			t.Errorf("%s differs between %s and %s (%d and %d bytes)", name, a, b, len(x[name]), len(y[name]))
		}
	}
	if len(x) != len(y) {
		t.Errorf("%d files in %s, %d in %s", len(x), a, len(y), b)
	}
}

func TestOneStepAndTwoGiveTheSameBytes(t *testing.T) {
	for _, scheme := range []string{"none", "w8a16", "w8a8-dynamic", "w8a8"} {
		t.Run(scheme, func(t *testing.T) {
			kv := map[string]dtype.Type{"w8a16": dtype.F32, "w8a8": dtype.I8}[scheme]
			ctx, dir := context.Background(), t.TempDir()
			one, mid, two := filepath.Join(dir, "one.moge"), filepath.Join(dir, "mid"), filepath.Join(dir, "two.moge")
			s := settings(t, scheme)
			s.Passes.KV = kv
			if _, err := Compile(ctx, durable.OS(), openModel(t, tiny), one, s); err != nil {
				t.Fatal(err)
			}
			s.Passes.KV = dtype.Invalid // the cache is the second step's business
			if _, err := Quantize(ctx, durable.OS(), openModel(t, tiny), mid, s); err != nil {
				t.Fatal(err)
			}
			second := settings(t, "none")
			second.Execution.Workers, second.Passes.KV = 1, kv
			if _, err := Compile(ctx, durable.OS(), openModel(t, mid), two, second); err != nil {
				t.Fatal(err)
			}
			sameTree(t, one, two)
			b, err := bundle.Open(one, bundle.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if err := b.Check(ctx, nil); err != nil {
				t.Error(err)
			}
			recovered, err := SettingsOf(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifySource(ctx, b, openModel(t, tiny), recovered); err != nil {
				t.Error(err)
			}
		})
	}
}
