package runcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
	"moge/formats/bundle"
	"moge/runtime/cpu"
	"moge/runtime/device"
	"moge/runtime/engine"
)

func (f *flags) run(cmd *cobra.Command, app *cli.App, args []string) error {
	if err := f.validate(cmd, len(args) == 2); err != nil {
		return err
	}
	e, err := f.open(cmd.Context(), app, args[0])
	if err != nil {
		return err
	}
	defer e.Close()
	if f.tokens != "" {
		return f.runTokens(cmd.Context(), app, e)
	}
	prompt, err := f.readPrompt(app, len(args) == 2)
	if err != nil {
		return err
	}
	return f.generate(cmd.Context(), app, e, prompt)
}

// validate checks what flags alone can tell.
func (f *flags) validate(cmd *cobra.Command, stdin bool) error {
	given := 0
	for _, name := range []string{"prompt", "file", "tokens"} {
		if cmd.Flags().Changed(name) {
			given++
		}
	}
	if stdin {
		given++
	}
	if given != 1 {
		return cli.Usage("give one of -p TEXT, -f FILE, - and --tokens FILE; see %s --help",
			cmd.CommandPath())
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"-n", f.max}, {"--ctx", f.context}, {"-t", f.threads}} {
		if n.value < 0 {
			return cli.Usage("%s is %d, it cannot be negative", n.flag, n.value)
		}
	}
	if _, err := cpu.Level(); err != nil {
		return cli.Usage("%w", err)
	}
	return exit.With(exit.Usage, f.params.Validate())
}

// readPrompt reads the text that is to be continued; a file is taken without the newline that
// ends its last line.
func (f *flags) readPrompt(app *cli.App, stdin bool) (string, error) {
	var text []byte
	var err error
	switch {
	case stdin || f.file == "-":
		text, err = io.ReadAll(app.In)
	case f.file != "":
		text, err = os.ReadFile(f.file)
	default:
		return f.prompt, nil
	}
	return strings.TrimSuffix(string(text), "\n"), err
}

// open opens the bundle for one sequence, or for as many as it was compiled for.
func (f *flags) open(ctx context.Context, app *cli.App, dir string) (*engine.Engine, error) {
	load := device.Options{Threads: f.threads, Context: int64(f.context)}
	on := f.chosen()
	compiled, err := contextOf(dir, on)
	if err != nil {
		return nil, err
	}
	if load.Context > compiled {
		return nil, cli.Usage("--ctx %d is more than the %d positions that %s was compiled for",
			f.context, compiled, dir)
	}
	if f.tokens == "" {
		load.CacheRows = compiled
		if load.Context > 0 {
			load.CacheRows = load.Context
		}
	}
	d, err := on.Make(ctx, app)
	if err != nil {
		return nil, err
	}
	return open(ctx, app, dir, engine.Options{Device: d, FullCheck: f.check.Value == "full", Load: load})
}

// contextOf is how many positions a bundle was compiled for; one that the device does not run is an
// error. No weights are opened.
func contextOf(dir string, on Device) (int64, error) {
	b, err := bundle.Open(dir, bundle.OpenOptions{Ranks: []int{}})
	if err != nil {
		return 0, err
	}
	defer b.Close()
	if on.Card {
		if err := device.CheckTarget(b, true); err != nil {
			return 0, err
		}
	}
	return b.Program(bundle.StepProgram).Limits.Context, nil
}

// Open opens a bundle for the CPU and shows the progress of a full check.
func Open(ctx context.Context, app *cli.App, dir string, full bool,
	load device.Options) (*engine.Engine, error) {
	return open(ctx, app, dir, engine.Options{FullCheck: full, Load: load})
}

func open(ctx context.Context, app *cli.App, dir string, opt engine.Options) (*engine.Engine, error) {
	opt.Progress = app.Term.Progress("check", term.Bytes)
	e, err := engine.Open(ctx, dir, opt)
	app.Term.Done()
	return e, blame(err)
}

// blame makes the input responsible for an error that has no type of its own: an engine
// refuses only what it was given.
func blame(err error) error {
	if err == nil {
		return nil
	}
	if _, known := exit.Find(err); known {
		return err
	}
	return exit.With(exit.Input, err)
}

// errEmpty says that there is nothing to continue.
var errEmpty = errors.New(
	"the prompt is empty and the model has no token to begin with; give a prompt")

// statistics is one line about a generation.
func statistics(r *engine.Result) string {
	return fmt.Sprintf("prompt: %d tokens, %s; generated: %d tokens, %s; end: %s", r.PromptTokens,
		rate(r.PromptTokens, r.PromptTime), r.Generated, rate(r.Generated, r.DecodeTime), r.Reason)
}
