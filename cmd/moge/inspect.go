package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/formats/tokenizer"
)

const inspectLong = `Inspect reads the headers of the checkpoint, the quantized
folder or the bundle in DIR, never its weights, and reports the family, sizes,
parameters, element types, the memory it will need, and what is missing or unknown.
Whatever can be told is told; if the checkpoint could not be converted the exit code
is 3.

With --target it answers whether the model runs on one chip of a card, why not and
what to do instead, what the memory of the chip holds, and how long sequences can be.
Yes and no are both answers: the exit code is 0.`

func newInspect(app *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "inspect DIR", Short: "Report what a checkpoint or bundle is and what it needs",
		Long: inspectLong,
		Example: "  moge inspect checkpoint\n  moge inspect model.moge --json\n" +
			"  moge inspect checkpoint --target 300i-duo --scheme w8a8-dynamic --context 8192",
		Args: cli.Args("DIR"),
	}
	asJSON := cli.JSONFlag(cmd, inspectSchema+", with --target "+cardSchema)
	card := &cardFlags{}
	card.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := card.check(cmd); err != nil {
			return err
		}
		if card.target != "" {
			return inspectCard(cmd.Context(), app, args[0], card, *asJSON)
		}
		return inspect(cmd.Context(), app, args[0], *asJSON)
	}
	return cmd
}

func inspect(ctx context.Context, app *cli.App, dir string, asJSON bool) error {
	r, err := inspectAny(ctx, dir)
	if r == nil {
		return inputError(err)
	}
	if asJSON {
		err = errors.Join(err, app.JSON(r))
	} else {
		r.print(app)
	}
	return inputError(err)
}

// inspectAny gives a report and what keeps the model from being compiled, or no report if
// there is nothing to tell.
func inspectAny(ctx context.Context, dir string) (*inspection, error) {
	switch {
	case isBundle(dir):
		return inspectBundle(dir)
	case exists(filepath.Join(dir, driver.GraphFile)):
		return inspectQuantized(ctx, dir)
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	return inspectCheckpoint(ctx, dir)
}

func isBundle(dir string) bool { return exists(filepath.Join(dir, bundle.ManifestName)) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func inspectBundle(dir string) (*inspection, error) {
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	r := newInspection(dir, "bundle")
	r.addManifest(b.Manifest())
	return r, nil
}

func inspectQuantized(ctx context.Context, dir string) (*inspection, error) {
	m, err := driver.Open(dir, false)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	r := newInspection(dir, "quantized checkpoint")
	r.addConfig(m.Config)
	r.addTensors(m.Tensors)
	r.addTokenizer(m.Tokenizer)
	r.addGraph(m.Graph)
	return r, r.addMemory(ctx, m)
}

// inspectCheckpoint goes as far as each part of the checkpoint allows and collects all errors.
func inspectCheckpoint(ctx context.Context, dir string) (*inspection, error) {
	r, m := newInspection(dir, "checkpoint"), &driver.Model{Dir: dir}
	var errs [4]error
	if m.Config, errs[0] = hf.Load(dir); errs[0] == nil {
		r.addConfig(m.Config)
	}
	if m.Tensors, errs[1] = safetensors.Open(dir); errs[1] == nil {
		defer m.Tensors.Close()
		r.addTensors(m.Tensors)
	}
	m.Tokenizer, errs[2] = inspectTokenizer(dir, m.Config)
	r.addTokenizer(m.Tokenizer)
	if m.Config == nil && m.Tensors == nil {
		return nil, errors.Join(errs[:]...)
	}
	if m.Config != nil && m.Tensors != nil {
		errs[3] = r.build(m)
	}
	err := errors.Join(errs[:]...)
	if err == nil {
		err = r.addMemory(ctx, m)
	}
	r.Convertible = err == nil
	return r, err
}

// inspectTokenizer loads the tokenizer; having none is no defect.
func inspectTokenizer(dir string, cfg *hf.Config) (*tokenizer.Tokenizer, error) {
	t, err := tokenizer.Load(dir)
	if errors.Is(err, tokenizer.ErrNoTokenizer) {
		return nil, nil
	}
	if err != nil || cfg == nil {
		return t, err
	}
	return t, exit.With(exit.Input, t.CheckVocab(cfg.VocabSize))
}

// build makes the graph and lists what the checkpoint has too little or too much of.
func (r *inspection) build(m *driver.Model) error {
	g, report, err := models.Build(m.Config, models.FromCheckpoint(m.Tensors))
	r.Missing, r.Unknown, r.Dropped = orEmpty(report.Missing), orEmpty(report.Unknown),
		orEmpty(report.Dropped)
	if err != nil {
		return err
	}
	m.Graph = g
	r.addGraph(g)
	return nil
}

// orEmpty makes a list that is an empty one in JSON.
func orEmpty(list []string) []string { return append([]string{}, list...) }
