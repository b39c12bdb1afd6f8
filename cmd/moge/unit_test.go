package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
	"moge/codegen"
	"moge/codegen/driver"
	"moge/codegen/weights"
	"moge/formats/durable"
	"moge/formats/models"
	"moge/quant"
)

func TestCodesOfTheCompilersErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{&driver.UsageError{}, exit.Usage},
		{&codegen.MemoryError{}, exit.Resources},
		{&driver.MismatchError{}, exit.Gate},
		{&driver.InputError{}, exit.Input},
		{&driver.OutputError{Err: errors.New("x")}, exit.Input},
		{&driver.OutputError{Err: diskFull()}, exit.Resources},
		{&models.Error{}, exit.Input},
		{&weights.NonFiniteError{}, exit.Input},
		{&quant.NonFiniteError{}, exit.Input},
		{errors.New("unknown"), exit.Failed},
		{inputError(errors.New("unknown")), exit.Input},
		{inputError(fmt.Errorf("x: %w", &driver.UsageError{})), exit.Usage},
		{inputError(nil), exit.OK},
	} {
		if got := exit.Code(c.err, rows...); got != c.want {
			t.Errorf("%T %v: code %d, want %d", c.err, c.err, got, c.want)
		}
	}
}

func TestResumeCommandIsWhatAShellTakes(t *testing.T) {
	got := resumeCommand([]string{"/usr/bin/moge", "compile", "a b", "--resume", "-o", "it's.moge", "",
		"--override=x.*=none"})
	if want := `moge compile 'a b' -o 'it'\''s.moge' '' '--override=x.*=none' --resume`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInterruptedSynthLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	app := &cli.App{FS: durable.OS(), Term: term.New(&out), Out: cli.NewOutput(&out)}
	dir := t.TempDir()
	f := synthFlags{config: "../../tests/testdata/tiny-moge/config.json"}
	f.out = filepath.Join(dir, "random")
	err := f.run(ctx, app)
	if got := exit.Code(err, rows...); got != exit.Interrupted ||
		err.Error() != "interrupted, nothing was written" {
		t.Errorf("code %d, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
