package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/codegen/driver"
)

const (
	demoModel  = "tests/testdata/tiny-moge"
	demoPrompt = "Once upon a time"
)

const demoLong = `Demo takes the checkpoint that comes with the source through all
steps: inspect, convert, quantize to int8, compile, verify, run. It prints each
command as you would type it, and what it gives. Run it from the root of a clone, or
name a checkpoint with --model.`

func newDemo(app *cli.App) *cobra.Command {
	var model, keep string
	cmd := &cobra.Command{
		Use: "demo", Short: "Take the shipped checkpoint through all steps", Long: demoLong,
		Example: "  moge demo\n  moge demo --model checkpoint --keep results", Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), app, model, keep) },
	}
	cmd.Flags().StringVar(&model, "model", demoModel, "checkpoint to use, with a tokenizer")
	cmd.Flags().StringVar(&keep, "keep", "",
		"write what the steps make into this new folder and keep it")
	must(cmd.MarkFlagDirname("model"))
	return cmd
}

func demo(ctx context.Context, app *cli.App, model, keep string) error {
	if _, err := os.Stat(filepath.Join(model, "config.json")); err != nil {
		return &driver.InputError{Path: model, Reason: "no checkpoint is there",
			Hint: "run moge demo from the root of a clone, or name a checkpoint with --model"}
	}
	dir, clean, err := demoFolder(app, keep)
	if err != nil {
		return err
	}
	err = demoSteps(ctx, app, model, dir)
	return errors.Join(err, clean())
}

// demoFolder makes the folder for what the steps write, and says how to tidy it up.
func demoFolder(app *cli.App, keep string) (dir string, clean func() error, err error) {
	if keep == "" {
		dir, err = os.MkdirTemp("", "moge-demo-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if err := app.FS.Mkdir(keep); err != nil {
		return "", nil, &driver.OutputError{Path: keep, Err: err}
	}
	return keep, func() error { return nil }, nil
}

func demoSteps(ctx context.Context, app *cli.App, model, dir string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	start := time.Now()
	for _, s := range []struct {
		what string
		args []string
	}{
		{"what is this checkpoint?", []string{"inspect", model}},
		{"its graph as text", []string{"convert", model, "-o", in("model.ir")}},
		{"its linears in int8, activations scaled for each token",
			[]string{"quantize", model, "--scheme", "w8a8-dynamic", "-o", in("quantized")}},
		{"a bundle for this machine", []string{"compile", in("quantized"), "-o", in("demo.moge")}},
		{"is the bundle what the checkpoint gives?",
			[]string{"verify", in("demo.moge"), "--source", model}},
		{"and now it writes", []string{"run", in("demo.moge"), "-p", demoPrompt, "-n", "48"}},
	} {
		fmt.Fprintf(app.Out, "# %s\n$ moge %s\n", s.what, commandLine(s.args))
		if err := runStep(ctx, app, s.args); err != nil {
			return fmt.Errorf("moge %s: %w", s.args[0], err)
		}
		fmt.Fprintln(app.Out)
	}
	_, err := fmt.Fprintf(app.Out, "all steps took %.1f s\n", time.Since(start).Seconds())
	return err
}

// runStep runs a command in this process.
func runStep(ctx context.Context, app *cli.App, args []string) error {
	root := newRoot(app)
	app.Prepare(root)
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// commandLine is how a user would type the arguments.
func commandLine(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = shellQuote(a)
	}
	return strings.Join(words, " ")
}
