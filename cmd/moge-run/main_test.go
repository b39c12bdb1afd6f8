package main

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"moge/ascend/cards"
	"moge/codegen/driver"
	"moge/formats/durable"
)

// TestMain lets scripts run the program.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"moge-run": main}) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			forCPU := driver.Settings{Target: "cpu"}
			forCard := driver.Settings{Target: "300i-duo", Planner: &cards.Planner{Product: "300i-duo"}}
			cards.Settings(&forCard)
			return errors.Join(compile(t, filepath.Join(e.WorkDir, "tiny.moge"), forCPU),
				compile(t, filepath.Join(e.WorkDir, "card.moge"), forCard))
		},
	})
}

// compile makes a bundle that scripts run; the program itself cannot.
func compile(t *testing.T, out string, s driver.Settings) error {
	m, err := driver.Open("../../tests/testdata/tiny-moge", false)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = driver.Compile(t.Context(), durable.OS(), m, out, s)
	return err
}
