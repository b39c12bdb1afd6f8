package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/runcmd"
	"moge/codegen/balance"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

type evalFlags struct {
	text, base      string
	maxKL, maxRise  float64
	gateKL, gatePPL bool // the gates were given
	threads         int
	experts         expertFlags
	json            *bool
}

// evalReport is one of two: a perplexity, or a comparison with a base.
type evalReport struct {
	Schema string `json:"schema"`
	Bundle string `json:"bundle"`
	Text   string `json:"text"`
	*eval.Perplexity
	BaseBundle string           `json:"base_bundle,omitempty"`
	Comparison *eval.Comparison `json:"comparison,omitempty"`
	Increase   *float64         `json:"perplexity_increase,omitempty"` // share of the base's
	// Experts is what experts the scored tokens chose, with --experts.
	Experts *balance.ExpertLoad `json:"experts,omitempty"`
}

const evalSchema = balance.LoadSchema

const evalLong = `Eval measures how well the model predicts a text: the text is
split at blank lines, each passage gets its beginning and end of sequence and is cut
into windows of 256 tokens, and each window is scored alone; the first token of a
window is not scored.

With --base it compares the bundle with another one of the same model, usually the
float one: perplexities, mean KL divergence of the base's prediction to the bundle's
in nats, the share of tokens with the same likeliest continuation, and the share of
equal expert choices by layer. A gate that is not met is exit code 4.

With --experts it counts what experts the scored tokens choose in each layer: the
busiest one, which are chosen together most often, and the imbalance score, which is
the most expert computations of a rank less the fewest, for each token of a batch,
if the experts lie on --ep ranks. The tables of all experts are in the report with
--json, which moge report shows with --load.`

func newEval(app *cli.App) *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use: "eval NAME.moge --text FILE", Short: "Measure perplexity, and compare with another bundle",
		Long: evalLong,
		Example: "  moge eval model.moge --text eval.txt\n" +
			"  moge eval int8.moge --base float.moge --text eval.txt --max-ppl-increase 0.01\n" +
			"  moge eval model.moge --text eval.txt --experts --json > load.json",
		Args: cli.Args("NAME.moge"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.gateKL, f.gatePPL = cmd.Flags().Changed("max-kl"), cmd.Flags().Changed("max-ppl-increase")
			if err := f.experts.check(cmd); err != nil {
				return err
			}
			return f.run(cmd.Context(), app, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.text, "text", "", "the text to score")
	flags.StringVar(&f.base, "base", "", "bundle to compare with")
	flags.Float64Var(&f.maxKL, "max-kl", 0, "fail above this mean KL divergence from the base, nats")
	flags.Float64Var(&f.maxRise, "max-ppl-increase", 0,
		"fail if perplexity is above the base's by more than this share, such as 0.01")
	flags.IntVarP(&f.threads, "threads", "t", 0, "worker threads (default one a core)")
	f.experts.add(cmd)
	f.json = cli.JSONFlag(cmd, evalSchema)
	must(cmd.MarkFlagRequired("text"))
	must(cmd.MarkFlagFilename("text"))
	return cmd
}

func (f *evalFlags) run(ctx context.Context, app *cli.App, dir string) error {
	if f.base == "" && (f.gateKL || f.gatePPL) {
		return cli.Usage("--max-kl and --max-ppl-increase need --base")
	}
	if f.threads < 0 {
		return cli.Usage("-t is %d, it cannot be negative", f.threads)
	}
	text, err := os.ReadFile(f.text)
	if err != nil {
		return inputError(err)
	}
	e, err := f.open(ctx, app, dir)
	if err != nil {
		return err
	}
	defer e.Close()
	windows, err := eval.TextWindows(e, string(text), min(eval.DefaultWindow, e.Limits().Context))
	if err != nil {
		return inputError(err)
	}
	r := &evalReport{Schema: evalSchema, Bundle: dir, Text: f.text}
	if err := f.measure(ctx, app, r, e, windows); err != nil {
		return inputError(err)
	}
	if err := r.write(app, *f.json); err != nil {
		return err
	}
	return f.gate(r)
}

func (f *evalFlags) open(ctx context.Context, app *cli.App, dir string) (*engine.Engine, error) {
	return runcmd.Open(ctx, app, dir, false, device.Options{Threads: f.threads})
}

func (f *evalFlags) measure(ctx context.Context, app *cli.App, r *evalReport, e *engine.Engine,
	windows [][]int32) (err error) {
	progress := func(done, total int) {
		app.Term.Advance("score", "tokens", int64(done), int64(total))
	}
	defer app.Term.Done()
	if f.experts.on {
		r.Perplexity, r.Experts, err = f.experts.measure(ctx, e, windows, progress)
		return err
	}
	if f.base == "" {
		r.Perplexity, err = eval.MeasurePerplexity(ctx, e, windows, progress)
		return err
	}
	base, err := f.open(ctx, app, f.base)
	if err != nil {
		return err
	}
	defer base.Close()
	if r.Comparison, err = eval.Compare(ctx, base, e, windows, progress); err != nil {
		return err
	}
	r.Perplexity, r.BaseBundle = r.Comparison.Model, f.base
	increase := r.Comparison.Model.Perplexity/r.Comparison.Base.Perplexity - 1
	r.Increase = &increase
	return nil
}

// gate compares with what the user demands; a value that is no number fails.
func (f *evalFlags) gate(r *evalReport) error {
	if f.gateKL && !(r.Comparison.KL <= f.maxKL) {
		return exit.With(exit.Gate,
			fmt.Errorf("mean KL %.6f is above --max-kl %g", r.Comparison.KL, f.maxKL))
	}
	if f.gatePPL && !(*r.Increase <= f.maxRise) {
		return exit.With(exit.Gate,
			fmt.Errorf("perplexity is %.4f %% above the base's, --max-ppl-increase allows %g %%",
				100**r.Increase, 100*f.maxRise))
	}
	return nil
}

func (r *evalReport) write(app *cli.App, asJSON bool) error {
	if asJSON {
		return app.JSON(r)
	}
	w, c := app.Out, r.Comparison
	row(w, "perplexity", "%.4f over %d tokens in %d windows", r.Perplexity.Perplexity, r.Tokens,
		r.Windows)
	if r.Experts != nil {
		printLoad(w, r.Experts)
	}
	if c == nil {
		return nil
	}
	row(w, "base", "%.4f, so that of %s is %+.4f %%", c.Base.Perplexity, r.Bundle, 100**r.Increase)
	row(w, "mean KL", "%.6f nats", c.KL)
	row(w, "same top-1", "%.3f %%", 100*c.SameTop1)
	if c.SameExperts != nil {
		row(w, "experts", "%.3f %% equal choices", 100**c.SameExperts)
	}
	for _, l := range c.Layers {
		row(w, "", "layer %d: %.3f %%", l.Layer, 100*l.SameExperts)
	}
	return nil
}
