package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/term"
	"moge/cmd/internal/units"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/passes"
	"moge/quant"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

type verifyFlags struct {
	source        string
	ignoreUnknown bool
	json          *bool
}

// verifyReport says what was checked and found to be right.
type verifyReport struct {
	Schema   string `json:"schema"`
	Bundle   string `json:"bundle"`
	Sections int    `json:"sections"`
	Bytes    int64  `json:"bytes"`
	Source   string `json:"source,omitempty"`
}

const verifySchema = "moge.verify/1"

const verifyLong = `Verify reads all of a bundle: every hash, the bounds of every
section, and the plan, which is bound to the kernels as running it would. With
--source it derives the plan and the weights again from the checkpoint, by the
settings that the manifest records, and compares every byte; a difference is exit
code 4, a damaged bundle 3.`

func newVerify(app *cli.App) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify NAME.moge", Short: "Check a bundle, and compare it with its source",
		Long:    verifyLong,
		Example: "  moge verify model.moge\n  moge verify model.moge --source checkpoint",
		Args:    cli.Args("NAME.moge"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), app, args[0])
		},
	}
	cmd.Flags().StringVar(&f.source, "source", "", "checkpoint that the bundle was compiled from")
	addIgnoreUnknown(cmd, &f.ignoreUnknown)
	f.json = cli.JSONFlag(cmd, verifySchema)
	must(cmd.MarkFlagDirname("source"))
	return cmd
}

func (f *verifyFlags) run(ctx context.Context, app *cli.App, dir string) error {
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Check(ctx, app.Term.Progress("check", term.Bytes)); err != nil {
		return err
	}
	if err := bindPrograms(b); err != nil {
		return inputError(err)
	}
	if f.source != "" {
		if err := f.compare(ctx, app, b); err != nil {
			return inputError(err)
		}
	}
	app.Term.Done()
	return f.report(app, b)
}

// bindPrograms checks the plan as running it would.
func bindPrograms(b *bundle.Bundle) error {
	for i := range b.Manifest().Programs {
		r, err := cpudevice.Device{}.Load(b, i, device.Options{Threads: 1, CacheRows: 1})
		if err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (f *verifyFlags) compare(ctx context.Context, app *cli.App, b *bundle.Bundle) error {
	m, err := driver.Open(f.source, f.ignoreUnknown)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := driver.SettingsOf(b)
	if err != nil {
		return err
	}
	if m.Quantized { // what was decided then is in its graph
		s.Passes = passes.Options{KV: s.Passes.KV, Scheme: quant.Scheme{}}
	}
	s.Progress = stages(app.Term)
	return driver.VerifySource(ctx, b, m, s)
}

func (f *verifyFlags) report(app *cli.App, b *bundle.Bundle) error {
	rank := b.Manifest().Ranks[0]
	r := verifyReport{verifySchema, b.Dir(), len(rank.Sections), rank.Size, f.source}
	if *f.json {
		return app.JSON(r)
	}
	fmt.Fprintf(app.Out, "%s: %d sections, %s, all hashes and the plan are right\n", r.Bundle,
		r.Sections, units.Bytes(r.Bytes))
	if f.source != "" {
		fmt.Fprintf(app.Out, "%s: gives the same plan and the same bytes\n", f.source)
	}
	return nil
}
