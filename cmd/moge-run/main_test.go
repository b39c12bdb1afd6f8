package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"moge/codegen/driver"
	"moge/formats/durable"
)

// TestMain lets scripts run the program.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"moge-run": main}) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error { return compile(t, filepath.Join(e.WorkDir, "tiny.moge")) },
	})
}

// compile makes the bundle that scripts run; the program itself cannot.
func compile(t *testing.T, out string) error {
	m, err := driver.Open("../../tests/testdata/tiny-moge", false)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = driver.Compile(t.Context(), durable.OS(), m, out, driver.Settings{Target: "cpu"})
	return err
}
