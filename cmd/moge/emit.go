package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"moge/ascend/cards"
	"moge/ascend/host"
	"moge/ascend/soc"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/driver"
	"moge/formats/durable"
)

// cardTargets are the machines that kernels are emitted for.
func cardTargets() []string {
	var names []string
	for _, p := range soc.Products() {
		names = append(names, p.Name)
	}
	return names
}

const emitSchema = "moge.emit/1"

// emission is the report of --emit-only.
type emission struct {
	Schema  string   `json:"schema"`
	Output  string   `json:"output"`
	Target  string   `json:"target"`
	Chip    string   `json:"chip"`
	Kernels []string `json:"kernels"`
	Bytes   int64    `json:"bytes"`
}

// emit writes the kernel project of a model: no weights are read.
func (f *compileFlags) emit(ctx context.Context, app *cli.App, m *driver.Model) error {
	g, limits, err := driver.Graph(ctx, m, f.settings)
	if err != nil {
		return explain(m, err)
	}
	e, err := cards.Emit(g, f.settings.Target, limits)
	if err != nil {
		return inputError(err)
	}
	r := &emission{Schema: emitSchema, Output: f.emitOnly, Target: f.settings.Target, Chip: e.Chip.Name()}
	for _, k := range e.Kernels {
		r.Kernels = append(r.Kernels, k.Name)
	}
	if err := writeProject(app.FS, f.emitOnly, e.Project); err != nil {
		return &driver.OutputError{Path: f.emitOnly, Err: err}
	}
	for _, file := range e.Project {
		r.Bytes += int64(len(file.Data))
	}
	return r.print(app, *f.json)
}

func (r *emission) print(app *cli.App, asJSON bool) error {
	if asJSON {
		return app.JSON(r)
	}
	fmt.Fprintf(app.Out, "wrote %s\n%-12s %d for %s\n", r.Output, "kernels", len(r.Kernels), r.Chip)
	for _, name := range r.Kernels {
		fmt.Fprintf(app.Out, "%-12s %s\n", "", name)
	}
	return nil
}

// writeProject makes the folder under its name only when every file is in it.
func writeProject(fsys durable.FS, out string, files []host.File) error {
	partial := out + ".partial"
	if err := fsys.RemoveAll(partial); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(partial, filepath.FromSlash(f.Path))
		if err := fsys.MkdirAll(filepath.Dir(path)); err != nil {
			return err
		}
		if err := durable.WriteFileSync(fsys, path, f.Data); err != nil {
			return err
		}
	}
	if err := fsys.RemoveAll(out); err != nil {
		return err
	}
	if err := fsys.Rename(partial, out); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(out))
}

// card reports whether the target is a card, not the CPU.
func (f *compileFlags) card() bool { return !slices.Contains(driver.Targets(), f.settings.Target) }

// checkTarget refuses unknown targets, and flags that only the other kind of target has.
func (f *compileFlags) checkTarget(cmd *cobra.Command) error {
	if !f.card() {
		for _, name := range []string{"emit-only", "no-gate", "gate-seed"} {
			if cmd.Flags().Changed(name) {
				return cli.Usage("--%s is for the kernels of a card: give --target, one of %s", name,
					strings.Join(cardTargets(), ", "))
			}
		}
		return nil
	}
	if !slices.Contains(cardTargets(), f.settings.Target) {
		return exit.With(exit.Input, fmt.Errorf("unknown target %q: known are %s", f.settings.Target,
			strings.Join(append(driver.Targets(), cardTargets()...), ", ")))
	}
	for _, name := range []string{"kv", "float"} {
		if cmd.Flags().Changed(name) && cmd.Flags().Lookup(name).Value.String() != "f16" {
			return exit.With(exit.Input, fmt.Errorf("--%s %s: the kernels of %s have f16 alone: leave it out "+
				"or give f16", name, cmd.Flags().Lookup(name).Value, f.settings.Target))
		}
	}
	cards.Settings(&f.settings)
	return nil
}
