package main

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"moge/ascend/cards"
	"moge/codegen/driver"
	"moge/formats/durable"
	"moge/quant"
)

// TestMain lets scripts run the program.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"moge-run": main}) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			return errors.Join(
				compile(t, filepath.Join(e.WorkDir, "tiny.moge"), driver.Settings{Target: "cpu"}),
				compile(t, filepath.Join(e.WorkDir, "card.moge"), forCard(t)))
		},
	})
}

// forCard is how a bundle for a card is made, without executing its kernels.
func forCard(t *testing.T) driver.Settings {
	scheme, err := quant.ParseScheme("w8a8-dynamic")
	if err != nil {
		t.Fatal(err)
	}
	s := driver.Settings{Target: "300i-duo", Planner: &cards.Planner{Product: "300i-duo"}}
	s.Passes.Scheme = scheme
	cards.Settings(&s)
	return s
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
