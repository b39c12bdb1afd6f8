package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/runcmd"
	"moge/runtime/device"
	"moge/runtime/engine"
)

type benchFlags struct {
	prompt, generate, repeat int
	threads                  int
	output                   cli.Choice
}

const benchLong = `Bench measures speed as llama-bench defines it: ppN is the
processing of a prompt of N random tokens in an empty context, tgN the generation of
N tokens one by one from an empty context. Each is run once to warm up and then -r
times; the result is the mean and the sample standard deviation in tokens a second.
For tgN it also gives the bytes of weights that one token reads, and the bandwidth
that this implies.`

func newBench(app *cli.App) *cobra.Command {
	f := benchFlags{output: cli.Choice{Value: "md", Words: []string{"md", "json"}}}
	cmd := &cobra.Command{
		Use: "bench NAME.moge", Short: "Measure the speed of prompt processing and generation",
		Long:    benchLong,
		Example: "  moge bench model.moge -p 512 -n 64 -r 5\n  moge bench model.moge -n 0 -o json",
		Args:    cli.Args("NAME.moge"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), app, args[0])
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&f.prompt, "prompt", "p", 512, "tokens of the prompt; 0 leaves the test out")
	flags.IntVarP(&f.generate, "generate", "n", 64, "tokens to generate; 0 leaves the test out")
	flags.IntVarP(&f.repeat, "repetitions", "r", 5, "how often each test is run")
	flags.IntVarP(&f.threads, "threads", "t", 0, "worker threads (default one a core)")
	flags.VarP(&f.output, "output", "o", "form of the result")
	cli.Complete(cmd, "output", f.output.Words...)
	return cmd
}

func (f *benchFlags) validate() error {
	switch {
	case f.prompt < 0 || f.generate < 0 || f.threads < 0:
		return cli.Usage("-p, -n and -t cannot be negative")
	case f.repeat < 1:
		return cli.Usage("-r is %d, it must be at least 1", f.repeat)
	case f.prompt == 0 && f.generate == 0:
		return cli.Usage("-p and -n are both 0, there is nothing to measure")
	}
	return nil
}

func (f *benchFlags) run(ctx context.Context, app *cli.App, dir string) error {
	if err := f.validate(); err != nil {
		return err
	}
	e, err := runcmd.Open(ctx, app, dir, false, device.Options{Threads: f.threads})
	if err != nil {
		return err
	}
	defer e.Close()
	r := newBenchReport(dir, e, f.threads)
	for _, t := range []struct {
		name string
		n    int
		run  func(context.Context, *engine.Sequence, []int32) error
	}{{"pp", f.prompt, feedAll}, {"tg", f.generate, feedEach}} {
		if t.n == 0 {
			continue
		}
		speeds, err := f.measure(ctx, e, t.n, t.run)
		if err != nil {
			return inputError(err)
		}
		r.add(fmt.Sprintf("%s%d", t.name, t.n), speeds, t.name == "tg")
	}
	return r.write(app, f.output.Value)
}

// measure gives the speeds of the runs in tokens a second.
func (f *benchFlags) measure(ctx context.Context, e *engine.Engine, n int,
	run func(context.Context, *engine.Sequence, []int32) error) ([]float64, error) {
	s, err := e.NewSequence()
	if err != nil {
		return nil, err
	}
	defer s.Free()
	var speeds []float64
	random := rand.New(rand.NewPCG(1, 2))
	for i := range f.repeat + 1 {
		ids := randomIDs(random, n, e.Model().VocabSize)
		start := time.Now()
		if err := run(ctx, s, ids); err != nil {
			return nil, err
		}
		if i > 0 { // the first warms up
			speeds = append(speeds, float64(n)/time.Since(start).Seconds())
		}
		if err := s.Truncate(0); err != nil {
			return nil, err
		}
	}
	return speeds, nil
}

func randomIDs(random *rand.Rand, n int, vocab int64) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(random.Int64N(vocab))
	}
	return ids
}

func feedAll(ctx context.Context, s *engine.Sequence, ids []int32) error {
	_, err := s.Feed(ctx, ids)
	return err
}

func feedEach(ctx context.Context, s *engine.Sequence, ids []int32) error {
	for i := range ids {
		if _, err := s.Feed(ctx, ids[i:i+1]); err != nil {
			return err
		}
	}
	return nil
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
