package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"moge/ascend/cards"
	"moge/ascend/gate"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/term"
	"moge/cmd/internal/units"
	"moge/codegen/balance"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/passes"
	"moge/quant"
	"moge/runtime/card"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
	"moge/runtime/ranks"
)

type verifyFlags struct {
	source        string
	ignoreUnknown bool
	kernels       kernelFlags
	json          *bool
}

// verifyReport says what was checked and found to be right.
type verifyReport struct {
	Schema   string `json:"schema"`
	Bundle   string `json:"bundle"`
	Sections int    `json:"sections"`
	Bytes    int64  `json:"bytes"`
	Source   string `json:"source,omitempty"`
	// Gate is what executing the kernels of a card's bundle gave.
	Gate *gate.Report `json:"gate,omitempty"`
}

const verifySchema = "moge.verify/1"

const verifyLong = `Verify reads all of a bundle: every hash, the bounds of every
section, and the plan, which is bound to the kernels as running it would. With
--source it derives the plan and the weights again from the checkpoint, by the
settings that the manifest records, and compares every byte; a difference is exit
code 4, a damaged bundle 3.

Of a bundle for a card every kernel is executed on an emulation of the chip and
compared with a reference, a row of the table each: cases, values that must be
equal, values that have a bound and the largest error among them, predicted time
at the chip's published rates. A kernel that fails is exit code 4. With --kernel
only those named are executed, as their files are now: edit one and see what
breaks. --no-gate leaves it out.`

func newVerify(app *cli.App) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify NAME.moge", Short: "Check a bundle, and compare it with its source",
		Long: verifyLong,
		Example: "  moge verify model.moge\n  moge verify model.moge --source checkpoint\n" +
			"  moge verify card.moge --kernel gate_5120_8of64 --shapes all --trace out.json",
		Args: cli.Args("NAME.moge"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, app, args[0])
		},
	}
	cmd.Flags().StringVar(&f.source, "source", "", "checkpoint that the bundle was compiled from")
	addIgnoreUnknown(cmd, &f.ignoreUnknown)
	f.kernels.add(cmd)
	f.json = cli.JSONFlag(cmd, verifySchema)
	must(cmd.MarkFlagDirname("source"))
	return cmd
}

func (f *verifyFlags) run(cmd *cobra.Command, app *cli.App, dir string) error {
	ctx := cmd.Context()
	if len(f.kernels.names) > 0 {
		return f.runKernels(cmd, app, dir)
	}
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := f.kernels.check(cmd, app, b); err != nil {
		return err
	}
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
	r, err := f.kernels.execute(ctx, app, b)
	if err != nil {
		return err
	}
	app.Term.Done()
	return f.report(app, b, r)
}

// runKernels executes kernels by name, edited ones too: nothing else is checked.
func (f *verifyFlags) runKernels(cmd *cobra.Command, app *cli.App, dir string) error {
	if f.source != "" {
		return cli.Usage("--kernel executes kernels as their files are now; --source compares a whole " +
			"bundle: use one of them")
	}
	b, err := bundle.Open(dir, bundle.OpenOptions{AsIs: cards.Folder})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := f.kernels.check(cmd, app, b); err != nil {
		return err
	}
	r, err := f.kernels.execute(cmd.Context(), app, b)
	if err != nil {
		return err
	}
	app.Term.Done()
	if *f.json {
		return errors.Join(app.JSON(verifyReport{Schema: verifySchema, Bundle: dir, Gate: r}), failed(r))
	}
	return errors.Join(r.WriteText(app.Out), failed(r))
}

// bindPrograms checks the plan as running it would, of every rank, and proves the balance certificate.
func bindPrograms(b *bundle.Bundle) error {
	m := b.Manifest()
	if err := balance.Check(m); err != nil {
		return err
	}
	for i := range m.Programs {
		if len(m.Kernels) > 0 {
			for rank := range m.Ranks {
				if err := card.Check(b, i, device.Options{CacheRows: 1, Rank: rank, Ranks: len(m.Ranks)}); err != nil {
					return err
				}
			}
			continue
		}
		r, err := ranks.New(cpudevice.Device{}).Load(b, i, device.Options{Threads: 1, CacheRows: 1})
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
		s.Passes = passes.Options{KV: s.Passes.KV, Scheme: quant.Scheme{}, Placement: s.Passes.Placement,
			PlacementRules: s.Passes.PlacementRules}
	}
	if len(b.Manifest().Kernels) > 0 {
		cards.Settings(&s)
		s.Planner = &cards.Planner{Product: s.Target}
		if s.Passes.PlacementRules, err = cards.Rules(s.Target, math.MaxFloat64); err != nil {
			return err
		}
	}
	s.Progress = stages(app.Term)
	return driver.VerifySource(ctx, b, m, s)
}

func (f *verifyFlags) report(app *cli.App, b *bundle.Bundle, g *gate.Report) error {
	m := b.Manifest()
	r := verifyReport{verifySchema, b.Dir(), len(m.Ranks[0].Sections), bundle.WeightBytes(m), f.source, g}
	if *f.json {
		return errors.Join(app.JSON(r), failed(g))
	}
	fmt.Fprintf(app.Out, "%s: %d sections, %s, all hashes and the plan are right\n", r.Bundle,
		r.Sections, units.Bytes(r.Bytes))
	if c := m.GetCertificate(); c != nil {
		fmt.Fprintf(app.Out, "%d ranks: %s\n", len(m.Ranks), c.Reason)
	}
	if f.source != "" {
		fmt.Fprintf(app.Out, "%s: gives the same plan and the same bytes\n", f.source)
	}
	if g == nil {
		return nil
	}
	fmt.Fprintln(app.Out)
	return errors.Join(g.WriteText(app.Out), failed(g))
}
