package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"moge/ascend/cards"
	"moge/ascend/fit"
	"moge/ascend/soc"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen"
	"moge/codegen/driver"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

const cardSchema = "moge.inspect.target/1"

// cardFlags ask whether a model runs on a card.
type cardFlags struct {
	target  string
	scheme  quant.Scheme
	limits  codegen.Limits
	reserve cli.Size
}

// cardOnly are the flags that say nothing without --target.
var cardOnly = []string{"scheme", "context", "max-batch-tokens", "max-seqs", "reserve"}

func (f *cardFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "",
		"tell whether the model runs on this card: "+strings.Join(cardTargets(), ", "))
	flags.Var(schemeValue{&f.scheme}, "scheme",
		"with --target: how linears are quantized (default w8a8-dynamic)")
	flags.Int64Var(&f.limits.Context, "context", 0,
		"with --target: positions that one sequence needs (default 4096, or what the model was made for)")
	flags.Int64Var(&f.limits.BatchTokens, "max-batch-tokens", 0,
		"with --target: tokens of one step (default 512)")
	flags.Int64Var(&f.limits.Seqs, "max-seqs", 0,
		"with --target: sequences of one step (default 16)")
	f.reserve = fit.Reserve
	flags.Var(&f.reserve, "reserve", "with --target: memory of a chip kept for driver and runtime")
	complete(cmd, map[string][]string{"target": cardTargets(), "scheme": schemeWords()})
}

// check refuses an unknown card, and flags that mean nothing without one.
func (f *cardFlags) check(cmd *cobra.Command) error {
	if f.target == "" {
		for _, name := range cardOnly {
			if cmd.Flags().Changed(name) {
				return cli.Usage("--%s is for the question whether a model runs on a card: "+
					"give --target, one of %s", name, strings.Join(cardTargets(), ", "))
			}
		}
		return nil
	}
	if !isCard(f.target) {
		return exit.With(exit.Input, fmt.Errorf("unknown card %q: known are %s", f.target,
			strings.Join(cardTargets(), ", ")))
	}
	return nil
}

func isCard(name string) bool {
	for _, p := range soc.Products() {
		if p.Name == name {
			return true
		}
	}
	return false
}

// inspectCard reports whether the model in dir runs on a card.
func inspectCard(ctx context.Context, app *cli.App, dir string, f *cardFlags, asJSON bool) error {
	if isBundle(dir) {
		return cli.Usage("--target is for checkpoints and quantized folders: "+
			"the bundle %s is compiled already", dir)
	}
	m, err := driver.Open(dir, false)
	if err != nil {
		return inputError(err)
	}
	defer m.Close()
	r, err := f.assess(ctx, m)
	if err != nil {
		return inputError(err)
	}
	if asJSON {
		return app.JSON(r)
	}
	r.print(app.Out)
	return nil
}

func (f *cardFlags) assess(ctx context.Context, m *driver.Model) (*cardReport, error) {
	product, err := soc.FindProduct(f.target)
	if err != nil {
		return nil, err
	}
	g, limits, err := f.graph(ctx, m)
	if err != nil {
		return nil, err
	}
	a, err := fit.Assess(g, fit.Request{Product: product, Limits: limits, Reserve: int64(f.reserve)})
	if err != nil {
		return nil, err
	}
	r := newCardReport(m, a, limits)
	r.Model.Scheme = f.scheme.Name
	if scheme, ok := g.GetMeta("config.scheme"); ok && m.Quantized {
		r.Model.Scheme = scheme
	}
	return r, nil
}

// graph is the model as the card would compute it. A static scheme needs numbers that only
// calibration has; the shapes are the same for any.
func (f *cardFlags) graph(ctx context.Context, m *driver.Model) (*ir.Graph, codegen.Limits, error) {
	s := driver.Settings{Target: f.target, Limits: f.limits}
	cards.Settings(&s)
	if m.Quantized {
		s.Passes.Float, s.Passes.Scheme = dtype.Invalid, f.scheme
		return driver.Graph(ctx, m, s)
	}
	if f.scheme.Name == "" {
		f.scheme = mustScheme(cardScheme)
	}
	s.Passes.Scheme = f.scheme
	if !f.scheme.NeedsStats() {
		return driver.Graph(ctx, m, s)
	}
	s.Passes.Scheme = mustScheme(cardScheme)
	_, limits, err := driver.Graph(ctx, m, s)
	if err != nil {
		return nil, limits, err
	}
	s.Passes.Scheme = f.scheme
	if s.Passes.Stats, err = fit.Ranges(m.Graph); err != nil {
		return nil, limits, err
	}
	g, _, err := passes.Compile(m.Graph, s.Passes)
	return g, limits, exit.With(exit.Input, err)
}

func mustScheme(name string) quant.Scheme {
	s, err := quant.ParseScheme(name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return s
}
