package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/runcmd"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/cpu"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/kv"
	"moge/runtime/probe"
)

type benchFlags struct {
	prompt, generate         []int
	depth, parallel, threads []int
	repeat                   int
	probe                    bool
	output                   cli.Choice
	json                     *bool
}

const benchLong = `Bench measures speed as llama-bench defines it: ppN is the
processing of a prompt of N random tokens, tgN the generation of N tokens one by
one. --depth fills the context first, which is not timed (@ dN); --parallel works on
N sequences at once, each with tokens of its own, and all their tokens count (xN).
Each test is run once to warm up and then -r times; the result is the mean and the
sample standard deviation in tokens a second. Lists are separated by commas and make
a test for each combination.

For each test it says which share of the processors' time the host took away
(steal), and what a token must read and compute: the weights that it uses, those of
the experts that were chosen counted once a step, and the cached keys and values;
two operations for each multiply-add of linear layers and attention. A probe measures
first how fast the machine reads memory and multiplies int8, and the table gives
shares of that. --probe is the probe alone. With -o rate there is no probe, and the
output is the tokens a second of each test.`

func newBench(app *cli.App) *cobra.Command {
	f := benchFlags{output: cli.Choice{Value: "md", Words: []string{"md", "json", "rate"}}}
	cmd := &cobra.Command{
		Use: "bench NAME.moge", Short: "Measure the speed of prompt processing and generation",
		Long: benchLong,
		Example: "  moge bench model.moge -p 512 -n 128 -r 5\n" +
			"  moge bench model.moge -p 0 -n 64 --parallel 1,16 -t 1,2 --json\n" +
			"  moge bench model.moge -p 512 -n 64 --depth 8192\n  moge bench --probe",
		Args: func(cmd *cobra.Command, args []string) error {
			if f.probe {
				return cli.Args()(cmd, args)
			}
			return cli.Args("NAME.moge")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if *f.json {
				f.output.Value = "json"
			}
			if f.probe {
				return f.probeAlone(cmd.Context(), app)
			}
			return f.run(cmd.Context(), app, args[0])
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVarP(&f.prompt, "prompt", "p", []int{512}, "tokens of the prompt; 0 leaves the test out")
	flags.IntSliceVarP(&f.generate, "generate", "n", []int{128}, "tokens to generate; 0 leaves the test out")
	flags.IntSliceVarP(&f.depth, "depth", "d", []int{0}, "positions in the context before the test")
	flags.IntSliceVar(&f.parallel, "parallel", []int{1}, "sequences at once")
	flags.IntSliceVarP(&f.threads, "threads", "t", nil, "worker threads (default one a core)")
	flags.IntVarP(&f.repeat, "repetitions", "r", 5, "how often each test is run")
	flags.BoolVar(&f.probe, "probe", false, "measure the machine alone, without a bundle")
	flags.VarP(&f.output, "output", "o", "form of the result")
	f.json = cli.JSONFlag(cmd, benchSchema)
	cmd.MarkFlagsMutuallyExclusive("output", "json")
	cli.Complete(cmd, "output", f.output.Words...)
	return cmd
}

func (f *benchFlags) validate() error {
	for _, n := range slices.Concat(f.prompt, f.generate, f.depth, f.threads, f.parallel) {
		if n < 0 {
			return cli.Usage("-p, -n, -d, -t and --parallel cannot be negative")
		}
		if n > mostTokens {
			return cli.Usage("%d is more than any machine has", n)
		}
	}
	switch {
	case f.repeat < 1:
		return cli.Usage("-r is %d, it must be at least 1", f.repeat)
	case slices.Min(f.parallel) < 1:
		return cli.Usage("--parallel is 0, it must be at least 1")
	case f.most() == 0:
		return cli.Usage("-p and -n are both 0, there is nothing to measure")
	}
	if _, err := cpu.Level(); err != nil {
		return cli.Usage("%w", err)
	}
	return nil
}

// mostTokens bounds what flags ask for, so that sums do not overflow.
const mostTokens = 1 << 30

// most is how many positions the longest test takes beyond its depth.
func (f *benchFlags) most() int {
	most := 0
	for _, n := range slices.Concat(f.prompt, f.generate) {
		most = max(most, n)
	}
	return most
}

func (f *benchFlags) probeAlone(ctx context.Context, app *cli.App) error {
	if _, err := cpu.Level(); err != nil {
		return cli.Usage("%w", err)
	}
	m, err := probe.Run(ctx, 0)
	if err != nil {
		return err
	}
	if f.output.Value == "json" {
		return app.JSON(struct {
			Schema string `json:"schema"`
			CPU    string `json:"cpu"`
			probe.Result
		}{"moge.probe/1", cpu.Name(), m})
	}
	_, err = fmt.Fprintln(app.Out, machineLine(m))
	return err
}

func (f *benchFlags) run(ctx context.Context, app *cli.App, dir string) error {
	if err := f.validate(); err != nil {
		return err
	}
	load, err := f.capacity(dir)
	if err != nil {
		return inputError(err)
	}
	threads := f.threads
	if len(threads) == 0 {
		threads = []int{0}
	}
	var report *benchReport
	for _, load.Threads = range threads {
		e, err := runcmd.Open(ctx, app, dir, false, load)
		if err != nil {
			return err
		}
		if report == nil {
			if report, err = f.newReport(ctx, dir, e); err != nil {
				return closing(e, err)
			}
		}
		if err := closing(e, f.all(ctx, e, report, load.Threads)); err != nil {
			return inputError(err)
		}
	}
	return report.write(app, f.output.Value)
}

func closing(e *engine.Engine, err error) error {
	if closed := e.Close(); err == nil {
		return closed
	}
	return err
}

// capacity asks for as much cache as the largest test needs, and refuses what the bundle was not
// compiled for.
func (f *benchFlags) capacity(dir string) (device.Options, error) {
	b, err := bundle.Open(dir, bundle.OpenOptions{Ranks: []int{}})
	if err != nil {
		return device.Options{}, err
	}
	defer b.Close()
	limits := b.Program(bundle.StepProgram).Limits
	positions, sequences := slices.Max(f.depth)+f.most(), slices.Max(f.parallel)
	switch {
	case int64(positions) > limits.Context:
		return device.Options{}, &engine.ContextError{Tokens: positions, Context: int(limits.Context)}
	case int64(sequences) > limits.MaxSeqs:
		return device.Options{}, cli.Usage("--parallel %d is more than the %d sequences that %s was "+
			"compiled for; compile with a larger --max-seqs", sequences, limits.MaxSeqs, dir)
	}
	return device.Options{CacheRows: cacheRows(limits, positions, sequences)}, nil
}

// cacheRows are whole pages for each sequence, no more than the bundle's own limits ask for.
func cacheRows(l *bundlepb.Limits, positions, sequences int) int64 {
	pages := func(n int64) int64 {
		return (n + kv.DefaultPageTokens - 1) / kv.DefaultPageTokens * kv.DefaultPageTokens
	}
	return min(pages(int64(positions))*int64(sequences), pages(l.Context)*l.MaxSeqs)
}

// all runs the tests with one engine.
func (f *benchFlags) all(ctx context.Context, e *engine.Engine, report *benchReport, threads int) error {
	for _, depth := range f.depth {
		for _, parallel := range f.parallel {
			r, err := newBenchRun(ctx, e, report.work, depth, parallel)
			if err == nil {
				err = f.measure(ctx, r, report, threads)
				r.free()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs the tests of one depth and number of sequences.
func (f *benchFlags) measure(ctx context.Context, r *benchRun, report *benchReport, threads int) error {
	for _, c := range f.cases(r.depth, len(r.sequences)) {
		m, err := r.measure(ctx, c, f.repeat)
		if err != nil {
			return err
		}
		report.add(c, m, threads)
	}
	return nil
}

// benchCase is one test.
type benchCase struct {
	each            bool // tokens one by one
	n               int  // tokens of each sequence
	depth, parallel int
}

func (f *benchFlags) cases(depth, parallel int) (list []benchCase) {
	for _, n := range f.prompt {
		list = append(list, benchCase{false, n, depth, parallel})
	}
	for _, n := range f.generate {
		list = append(list, benchCase{true, n, depth, parallel})
	}
	return slices.DeleteFunc(list, func(c benchCase) bool { return c.n == 0 })
}

// String is the name of llama-bench, with the number of sequences behind it if there are several.
func (c benchCase) String() string {
	name := fmt.Sprintf("pp%d", c.n)
	if c.each {
		name = fmt.Sprintf("tg%d", c.n)
	}
	if c.parallel > 1 {
		name += fmt.Sprintf(" x%d", c.parallel)
	}
	if c.depth > 0 {
		name += fmt.Sprintf(" @ d%d", c.depth)
	}
	return name
}

func meanAndDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	if len(x) < 2 {
		return mean, 0
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(x)-1))
}
