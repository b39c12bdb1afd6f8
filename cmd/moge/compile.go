package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/driver"
	"moge/ir/dtype"
)

type compileFlags struct {
	jobFlags
	ranks  placementFlags
	dryRun bool
	// emitOnly is the folder for the kernels of a card, instead of a bundle.
	emitOnly string
	noGate   bool
	gateSeed uint64
	json     *bool
}

const compileLong = `Compile turns the checkpoint in DIR, or what quantize wrote,
into the bundle NAME.moge.

Everything that can be refused is refused before the first byte is written. The
bundle appears under its name when it is complete; until then it is
NAME.moge.partial. An interrupted job goes on with --resume, which recomputes
nothing that is finished and gives the same bytes. The bytes depend on the source
and on the flags up to --pass, not on the machine or on -j.

For a card (--target 300i-duo and others) the bundle has its kernels as Ascend C
sources, with the project that builds them. Before anything is written each of
them is compiled against an emulation of the chip, executed, and compared with a
reference: one that fails is exit code 4. This needs g++ or clang++.`

func newCompile(app *cli.App) *cobra.Command {
	f := &compileFlags{}
	cmd := &cobra.Command{
		Use: "compile DIR -o NAME.moge", Short: "Compile a checkpoint into a bundle", Long: compileLong,
		Example: "  moge compile checkpoint --scheme w8a8-dynamic -o model.moge\n" +
			"  moge compile checkpoint --target 300i-duo --devices 8 -o model.moge\n" +
			"  moge compile checkpoint --scheme w8a8 --calib text.txt --head w8a16 -o model.moge\n" +
			"  moge compile checkpoint --max-memory 1GiB --dry-run",
		Args: cli.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, app, args[0]) },
	}
	f.add(cmd)
	f.addLimits(cmd)
	f.ranks.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.settings.Resume, "resume", false, "go on with what an interrupted job left")
	flags.BoolVar(&f.dryRun, "dry-run", false,
		"check everything and report what would be written, write nothing")
	flags.StringVar(&f.emitOnly, "emit-only", "",
		"write just the kernel project for a card into this folder; reads no weights")
	flags.BoolVar(&f.noGate, "no-gate", false,
		"do not execute the kernels of a card first; the bundle then says that it is ungated")
	flags.Uint64Var(&f.gateSeed, "gate-seed", 1, "seed of the gate's inputs and orders")
	f.json = cli.JSONFlag(cmd, compileSchema)
	return cmd
}

// addLimits declares what compile decides beyond quantize.
func (f *compileFlags) addLimits(cmd *cobra.Command) {
	s, flags := &f.settings, cmd.Flags()
	s.Passes.KV = dtype.F16
	flags.StringVar(&s.Target, "target", "cpu",
		"machine to compile for: "+strings.Join(append(driver.Targets(), cardTargets()...), ", "))
	flags.Var(dtypeValue{&s.Passes.KV, []string{"f32", "f16", "i8"}}, "kv",
		"element type of the KV cache")
	flags.Int64Var(&s.Limits.BatchTokens, "max-batch-tokens", 0, "tokens of one step (default 512)")
	flags.Int64Var(&s.Limits.Seqs, "max-seqs", 0, "sequences of one step (default 16)")
	flags.Int64Var(&s.Limits.Context, "context", 0,
		"positions of one sequence (default 4096, or what the model was made for if that is less)")
	complete(cmd, map[string][]string{"target": append(driver.Targets(), cardTargets()...),
		"kv": {"f32", "f16", "i8"}})
}

func (f *compileFlags) run(cmd *cobra.Command, app *cli.App, dir string) error {
	ctx := cmd.Context()
	if err := f.checkTarget(cmd); err != nil {
		return err
	}
	if err := f.ranks.set(cmd, &f.settings); err != nil {
		return err
	}
	if f.out == "" && !f.dryRun && f.emitOnly == "" {
		return cli.Usage("-o NAME.moge is missing; see moge compile --help")
	}
	if err := f.prepare(app); err != nil {
		return err
	}
	if f.out != "" {
		f.out = filepath.Clean(f.out)
		// A complete output is no error for --resume if this very job made it.
		if err := checkPlace(app.FS, f.out, f.settings.Force || f.settings.Resume); err != nil {
			return err
		}
	}
	if f.emitOnly != "" {
		f.emitOnly = filepath.Clean(f.emitOnly)
		if err := checkPlace(app.FS, f.emitOnly, f.settings.Force); err != nil {
			return err
		}
	}
	m, err := f.open(dir)
	if err != nil {
		return err
	}
	defer m.Close()
	switch {
	case !f.card():
	case m.Quantized:
		f.settings.Passes.Float = dtype.Invalid // decided when it was quantized
	case !cmd.Flags().Changed("scheme"):
		f.settings.Passes.Scheme = mustScheme(cardScheme)
	}
	switch {
	case f.emitOnly != "":
		return f.emit(ctx, app, m)
	case f.dryRun:
		return f.plan(ctx, app, m)
	}
	return f.compile(ctx, app, m)
}

func (f *compileFlags) compile(ctx context.Context, app *cli.App, m *driver.Model) error {
	if f.card() {
		if err := f.planCard(app, true); err != nil {
			return err
		}
	}
	summary, err := driver.Compile(ctx, app.FS, m, f.out, f.settings)
	app.Term.Done()
	f.reportTimes(app)
	if errors.Is(err, context.Canceled) {
		return interrupted(f.out)
	}
	if err != nil {
		return explain(m, err)
	}
	return f.report(app, f.summary(compileSchema, m, summary), *f.json)
}

// dryRunMemory is what planning the largest models stays within, bytes: their weights are not read, and the
// collector can keep up.
const dryRunMemory = 288 << 20

// plan is the dry run.
func (f *compileFlags) plan(ctx context.Context, app *cli.App, m *driver.Model) error {
	defer driver.LimitHeap(dryRunMemory)()
	if f.card() {
		if err := f.planCard(app, false); err != nil {
			return err
		}
	}
	p, err := driver.Prepare(ctx, m, f.settings)
	app.Term.Done()
	f.reportTimes(app)
	if err != nil {
		return explain(m, err)
	}
	r := f.summary(compileSchema, m, p.Summary())
	r.DryRun, r.OutputBytes = true, r.RunTime.Weights
	for _, file := range m.Files {
		r.OutputBytes += int64(len(file.Data))
	}
	if f.out != "" {
		free, err := checkSpace(app.FS, f.out, r.OutputBytes,
			"free some space or use another file system")
		if err != nil {
			return err
		}
		r.FreeBytes = &free
	}
	return f.report(app, r, *f.json)
}

// interrupted says how to go on.
func interrupted(out string) error {
	if _, err := os.Stat(out + ".partial"); err != nil {
		return exit.With(exit.Interrupted, errors.New("interrupted, nothing was written"))
	}
	return exit.With(exit.Interrupted,
		fmt.Errorf("interrupted; %s.partial keeps what is finished, go on with: %s",
			out, resumeCommand(os.Args)))
}

// resumeCommand is the command line of this program with --resume.
func resumeCommand(args []string) string {
	words := []string{filepath.Base(args[0])}
	for _, a := range args[1:] {
		if a != "--resume" {
			words = append(words, shellQuote(a))
		}
	}
	return strings.Join(append(words, "--resume"), " ")
}

// shellQuote makes one word for a POSIX shell.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./=:,+@", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
