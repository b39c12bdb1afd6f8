package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"moge/ascend/cards"
	"moge/ascend/emu"
	"moge/ascend/gate"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
)

// planCard makes the settings' planner; with execute, kernels are executed before a byte is written.
func (f *compileFlags) planCard(app *cli.App, execute bool) error {
	p := &cards.Planner{Product: f.settings.Target}
	f.settings.Planner = p
	if !execute || f.noGate {
		return nil
	}
	if err := canExecute(); err != nil {
		return err
	}
	p.Gate = &gate.Options{Seed: f.gateSeed, Progress: gateProgress(app)}
	return nil
}

// canExecute fails where kernels cannot be compiled for the host.
func canExecute() error {
	if err := emu.Available(); err != nil {
		return exit.With(exit.Failed,
			fmt.Errorf("%w; or leave the execution of the kernels out with --no-gate", err))
	}
	return nil
}

// gateProgress shows which kernels have been executed.
func gateProgress(app *cli.App) func(done, total int, row gate.Row) {
	bar := app.Term.Progress("gate", "kernels")
	return func(done, total int, row gate.Row) { bar(int64(done), int64(total)) }
}

// kernelFlags say how verify executes the kernels of a card's bundle.
type kernelFlags struct {
	names  []string
	shapes cli.Choice
	seed   uint64
	trace  string
	off    bool
}

func (f *kernelFlags) add(cmd *cobra.Command) {
	f.shapes = cli.Choice{Value: "default", Words: []string{"default", "all"}}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.names, "kernel", nil,
		"execute this kernel alone, as its file is now; repeatable")
	flags.Var(&f.shapes, "shapes", "default, or all: every edge of token counts and lengths")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the inputs and of the order that cores take turns in")
	flags.StringVar(&f.trace, "trace", "",
		"write the predicted timelines to this file, for chrome://tracing or Perfetto")
	flags.BoolVar(&f.off, "no-gate", false, "do not execute kernels")
	cmd.MarkFlagsMutuallyExclusive("no-gate", "kernel")
	cmd.MarkFlagsMutuallyExclusive("no-gate", "trace")
	cli.Complete(cmd, "shapes", f.shapes.Words...)
}

// check refuses what cannot be done with a bundle's kernels, before anything that takes time.
func (f *kernelFlags) check(cmd *cobra.Command, app *cli.App, b *bundle.Bundle) error {
	has := b.Manifest().Kernels
	if len(has) == 0 {
		for _, name := range []string{"kernel", "shapes", "seed", "trace", "no-gate"} {
			if cmd.Flags().Changed(name) {
				return cli.Usage("--%s is for bundles with kernels; this one is for %s", name,
					b.Manifest().Targets[0])
			}
		}
		return nil
	}
	for _, name := range f.names {
		if !slices.ContainsFunc(has, func(k *bundlepb.Kernel) bool { return k.Name == name }) {
			return cli.Usage("--kernel %s: the bundle has no such kernel; it has %s", name, kernelNames(b))
		}
	}
	if f.trace != "" {
		if err := checkPlace(app.FS, f.trace, true); err != nil {
			return err
		}
	}
	if f.off {
		return nil
	}
	return canExecute()
}

// execute runs the gate on what is in the bundle; nil where there is nothing to run.
func (f *kernelFlags) execute(ctx context.Context, app *cli.App, b *bundle.Bundle) (*gate.Report, error) {
	if f.off || len(b.Manifest().Kernels) == 0 {
		return nil, nil
	}
	o := gate.Options{Seed: f.seed, Only: f.names, Progress: gateProgress(app)}
	if f.shapes.Value == "all" {
		o.Shapes = gate.All
	}
	var t emu.Trace
	if f.trace != "" {
		o.Trace = func(kernel string, line *emu.Timeline) error {
			t.Add(kernel, line)
			return nil
		}
	}
	r, err := cards.Verify(ctx, b, o)
	if err != nil || f.trace == "" {
		return r, err
	}
	var out bytes.Buffer
	if err := t.Write(&out); err != nil {
		return nil, err
	}
	if err := durable.WriteFileAtomic(app.FS, f.trace, out.Bytes()); err != nil {
		return nil, &driver.OutputError{Path: f.trace, Err: err}
	}
	return r, nil
}

func kernelNames(b *bundle.Bundle) string {
	var names []string
	for _, k := range b.Manifest().Kernels {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// failed is the error of a gate that is not passed; nil of one that is, and of none.
func failed(r *gate.Report) error {
	if r == nil || r.Passed() {
		return nil
	}
	return &cards.FailedError{Report: r}
}

// gateFacts is what came of the kernels of a bundle for a card.
type gateFacts struct {
	Kernels  int    `json:"kernels"`
	Target   string `json:"target"`
	Executed bool   `json:"executed"` // and all gave what they must, else there is no bundle
	Seed     uint64 `json:"seed"`
}

// gateOf is nil for a bundle without kernels.
func gateOf(m *bundlepb.Manifest) *gateFacts {
	if len(m.Kernels) == 0 {
		return nil
	}
	return &gateFacts{len(m.Kernels), m.Targets[0], m.Gate.GetPassed(), m.Gate.GetSeed()}
}

// String is the line of the report.
func (g *gateFacts) String() string {
	if !g.Executed {
		return fmt.Sprintf("none: %d kernels were not executed", g.Kernels)
	}
	return fmt.Sprintf(
		"%d kernels executed on an emulated %s, all as their references",
		g.Kernels,
		g.Target,
	)
}
