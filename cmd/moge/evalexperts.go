package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/balance"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

// expertFlags say what eval tells of the experts that a text chooses.
type expertFlags struct {
	on        bool
	ep, batch int
}

func (f *expertFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "experts", false, "count what experts the tokens choose")
	flags.IntVar(&f.ep, "ep", 0, "ranks that the experts lie on, for the imbalance score\n"+
		"(default as many as the bundle is placed on, else as the router has groups,\nelse 8, 4, 2 or 1)")
	flags.IntVar(&f.batch, "score-batch", balance.DefaultBatch, "tokens of a batch of the imbalance score")
	cmd.MarkFlagsMutuallyExclusive("experts", "base")
}

// check refuses what flags alone can tell.
func (f *expertFlags) check(cmd *cobra.Command) error {
	for _, name := range []string{"ep", "score-batch"} {
		if !f.on && cmd.Flags().Changed(name) {
			return cli.Usage("--%s needs --experts", name)
		}
	}
	if f.ep < 0 || f.batch < 1 {
		return cli.Usage("--ep is %d and --score-batch %d, they must be at least 1", f.ep, f.batch)
	}
	return nil
}

func (f *expertFlags) measure(ctx context.Context, e *engine.Engine, windows [][]int32,
	progress eval.Progress) (*eval.Perplexity, *balance.ExpertLoad, error) {
	if e.Model().Experts == 0 {
		return nil, nil, eval.ErrNoExperts
	}
	load, err := balance.NewLoad(balance.RouterOf(e.Model()), f.ranks(e), f.batch)
	if err != nil {
		return nil, nil, exit.With(exit.Usage, fmt.Errorf("--experts: %w", err))
	}
	p, err := eval.MeasureExperts(ctx, e, windows, progress, load.Add)
	return p, load.Report(), err
}

// ranks is --ep, or what suits the bundle.
func (f *expertFlags) ranks(e *engine.Engine) int {
	m := e.Model()
	switch placed := balance.PlacementOf(e.Bundle().Manifest()).Experts.EP; {
	case f.ep > 0:
		return f.ep
	case placed > 1:
		return placed
	case m.Groups > 1 && m.Experts%m.Groups == 0:
		return int(m.Groups)
	}
	return evenRanks(m)
}

// evenRanks is 8 ranks, or half as many as often as it takes for the experts to lie on them evenly.
func evenRanks(m *bundlepb.Model) int {
	ranks := 8
	for m.Experts%int64(ranks) != 0 {
		ranks /= 2
	}
	return ranks
}

func printLoad(w io.Writer, l *balance.ExpertLoad) {
	row(w, "experts", "%d, %d a token; even would be %.3f %% of tokens for each", l.Experts, l.TopK,
		100*l.Ideal)
	row(w, "imbalance", "scores of batches of %d tokens, the experts on %d ranks", l.Batch, l.EP)
	for _, layer := range l.Layers {
		row(w, fmt.Sprintf("layer %d", layer.Layer), "busiest expert %d with %.3f %%, imbalance %s",
			layer.Busiest, 100*layer.BusiestShare, scoreText(layer.Imbalance))
		row(w, "", "together %s", pairText(layer.Pairs))
	}
}

func scoreText(i *balance.Imbalance) string {
	if i == nil {
		return "not known, the text is shorter than a batch"
	}
	return fmt.Sprintf("%.3f on average, %.3f at most", i.Mean, i.Most)
}

// pairText is the first few pairs.
func pairText(pairs []balance.Pair) string {
	var parts []string
	for _, p := range pairs[:min(len(pairs), 4)] {
		parts = append(parts, fmt.Sprintf("%d+%d %.3f %%", p.A, p.B, 100*p.Share))
	}
	if len(parts) == 0 {
		return "none: a token takes one expert"
	}
	return strings.Join(parts, ", ")
}
