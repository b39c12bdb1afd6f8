package models

import (
	"os"
	"path/filepath"
	"testing"

	"moge/formats/hf"
	"moge/ir"
)

// FuzzBuild checks that a config is refused or gives a graph that verifies, over the very tensors
// that it declares.
func FuzzBuild(f *testing.F) {
	for _, name := range goldenConfigs {
		data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(smallLlama))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := hf.ParseConfig("config.json", data)
		if err != nil || cfg.Layers > 20 || cfg.Experts > 100 {
			return
		}
		if _, err := Declared(cfg); err != nil {
			return
		}
		g, report, err := Build(cfg, declaredTensors(t, cfg))
		if err != nil {
			t.Fatal(err)
		}
		if err := ir.Verify(g); err != nil {
			t.Error(err)
		}
		if len(report.Missing)+len(report.Unknown) > 0 {
			t.Errorf("the report is %+v", report)
		}
	})
}
