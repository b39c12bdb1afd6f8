package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"moge/ascend/host"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/cmd/internal/cli"
	"moge/codegen/driver"
	"moge/formats/durable"
	"moge/ir/dtype"
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
	chip, err := soc.Find(f.settings.Target)
	if err != nil {
		return cli.Usage("%v", err)
	}
	s := f.settings
	s.Passes.Activations, s.Passes.Float, s.Passes.KV = dtype.F16, dtype.F16, dtype.F16
	g, limits, err := driver.Graph(ctx, m, s)
	if err != nil {
		return explain(m, err)
	}
	kernels, err := model.Select(
		g,
		chip,
		model.Limits{Tokens: int(limits.BatchTokens), Sequences: int(limits.Seqs),
			Rows: int(limits.LogitsRows), Context: int(limits.Context)},
	)
	if err != nil {
		return inputError(err)
	}
	r := &emission{Schema: emitSchema, Output: f.emitOnly, Target: s.Target, Chip: chip.Name()}
	programs := make([]*device.Program, len(kernels))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, k := range kernels {
		r.Kernels = append(r.Kernels, k.Name)
		group.Go(func() (err error) {
			programs[i], err = lower.Lower(k, chip)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return inputError(err)
	}
	files, err := host.Project(chip, programs)
	if err != nil {
		return err
	}
	if err := writeProject(app.FS, f.emitOnly, files); err != nil {
		return &driver.OutputError{Path: f.emitOnly, Err: err}
	}
	for _, file := range files {
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

// checkTarget refuses a card without --emit-only, and --emit-only without a card.
func (f *compileFlags) checkTarget() error {
	card := !slices.Contains(driver.Targets(), f.settings.Target)
	switch {
	case f.emitOnly == "" && card:
		if _, err := soc.Find(f.settings.Target); err != nil {
			return cli.Usage("unknown target %q: known are %s", f.settings.Target,
				strings.Join(append(driver.Targets(), cardTargets()...), ", "))
		}
		return cli.Usage(
			"bundles are made for cpu; for %s --emit-only DIR writes the kernels",
			f.settings.Target,
		)
	case f.emitOnly != "" && !card:
		return cli.Usage(
			"--emit-only writes kernels for a card: give --target, one of %s",
			strings.Join(cardTargets(), ", "),
		)
	}
	return nil
}
