package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moge/ascend/cost"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/driver"
	"moge/formats/durable"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/passes"
)

const simulateLong = `Simulate predicts how long a step of a model takes on cards: a decode step
of --batch sequences at --context positions, and the prefill of one prompt of that
length for each data-parallel group of attention. DIR needs no more than config.json.
Weights are int8 (w8a8), the cache is in halves unless --kv says otherwise.

It tells what each op is bound by, the share of communication, the memory of a chip,
and the largest batch and context within a time limit. The constants of the model and
how far it is from published latencies are in ascend/cost/PAPER.md.

With --sweep it compares batches, numbers of chips or placements; with --search it
looks for the fastest models of a size, and says where DIR, or Pangu Pro MoE,
stands among them.`

// simulateFlags are those of simulate.
type simulateFlags struct {
	target    string
	devices   int
	batch     int64
	context   int64
	placement string
	kv        dtype.Type
	limit     time.Duration
	padding   float64 // percent
	unfused   bool
	sweep     []string
	trace     string
	json      *bool

	search searchFlags
}

const (
	simulateSchema = "moge.simulate/1"
	searchSchema   = "moge.simulate.search/1"
)

// bestPlacement is the word for the fastest one.
const bestPlacement = "best"

var sweeps = []string{"batch", "devices", "placement"}

func newSimulate(app *cli.App) *cobra.Command {
	f := &simulateFlags{}
	cmd := &cobra.Command{
		Use:   "simulate DIR --target CARD | simulate [DIR] --search --target CARD,...",
		Short: "Predict time and memory of a model on cards",
		Long:  simulateLong,
		Example: "  moge simulate checkpoint --target 300i-duo --devices 8 --batch 80\n" +
			"  moge simulate checkpoint --target 800i-a2 --sweep placement,batch\n" +
			"  moge simulate --search --params 60e9:80e9 --target 300i-duo,800i-a2 --plot search.svg",
		Args: cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "",
		"the card, with --search several: "+strings.Join(cost.MachineNames(), ", "))
	flags.IntVar(&f.devices, "devices", 0, "number of chips (default those of a server)")
	flags.Int64Var(&f.batch, "batch", 1, "sequences of a decode step")
	flags.Int64Var(&f.context, "context", 2048, "positions of each sequence")
	flags.StringVar(&f.placement, "placement", bestPlacement,
		"h2p, best, or degrees such as attn=dp2,tp4:experts=ep4,tp2:shared=tp8")
	addPadding(cmd, &f.padding)
	f.kv = dtype.F16
	flags.Var(dtypeValue{&f.kv, []string{"f16", "i8"}}, "kv", "elements of the cache")
	flags.DurationVar(&f.limit, "limit", 0,
		"time that a decode step may take (default 100ms on 300I Duo, 50ms on 800I A2)")
	flags.BoolVar(&f.unfused, "unfused", false,
		"launch every op by itself, as frameworks do, not this compiler's kernels")
	flags.StringSliceVar(&f.sweep, "sweep", nil, "compare: "+strings.Join(sweeps, ", ")+"; batches\n"+
		"double up to --batch, or to 1024, devices up to --devices")
	flags.StringVar(&f.trace, "trace", "",
		"write the decode step op by op to this file, for chrome://tracing or Perfetto")
	f.json = cli.JSONFlag(cmd, simulateSchema+", with --search "+searchSchema)
	f.search.add(cmd)
	must(cmd.MarkFlagRequired("target"))
	complete(cmd, map[string][]string{"target": cost.MachineNames(), "placement": placementWords(),
		"kv": {"f16", "i8"}, "sweep": sweeps})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(cmd, args); err != nil {
			return err
		}
		if f.search.on {
			return f.runSearch(cmd.Context(), app, args)
		}
		return f.run(app, args[0])
	}
	return cmd
}

func placementWords() []string {
	return []string{cli.CompleteWord(bestPlacement, "the fastest legal one"),
		cli.CompleteWord(placement.H2PName, "attention DP·TP4, experts EP·TP2, shared expert TP"),
		"attn=tp4:experts=ep4:shared=tp4", "attn=dp2,tp4:experts=ep4,tp2:shared=tp8"}
}

// check refuses what no model could make valid.
func (f *simulateFlags) check(cmd *cobra.Command, args []string) error {
	changed := cmd.Flags().Changed
	for _, name := range []string{"batch", "devices", "placement", "sweep", "trace", "limit", "max-padding"} {
		if f.search.on && changed(name) {
			return cli.Usage("--%s is not for --search: it takes whole servers and the largest batches", name)
		}
	}
	for _, name := range []string{"params", "plot"} {
		if !f.search.on && changed(name) {
			return cli.Usage("--%s is for --search", name)
		}
	}
	for _, word := range f.sweep {
		if !slices.Contains(sweeps, word) {
			return cli.Usage("--sweep %s: known are %s", word, strings.Join(sweeps, ", "))
		}
	}
	switch {
	case !f.search.on && len(args) == 0:
		return cli.Usage("DIR is missing")
	case f.batch < 1 || f.batch > 1<<16:
		return cli.Usage("--batch is %d, it must be 1 to 65536", f.batch)
	case f.context < 1 || f.context > 1<<20:
		return cli.Usage("--context is %d, it must be 1 to 1048576", f.context)
	case f.devices < 0 || f.devices > placement.MaxDevices:
		return cli.Usage("--devices is %d, it must be 1 to %d", f.devices, placement.MaxDevices)
	case f.limit < 0:
		return cli.Usage("--limit cannot be negative")
	}
	return checkPadding(f.padding)
}

func (f *simulateFlags) style() cost.Style {
	if f.unfused {
		return cost.Operators
	}
	return cost.Compiled
}

// machine is that of --target, with the limit that was asked for.
func (f *simulateFlags) machine() (*cost.Machine, error) {
	m, err := cost.Find(f.target)
	if err != nil {
		return nil, exit.With(exit.Input, err)
	}
	if f.limit > 0 {
		m.Limit = f.limit.Seconds()
	}
	return m, nil
}

// loadSizes reads the sizes of a model from its config.json.
func (f *simulateFlags) loadSizes(dir string) (*cost.Model, error) {
	if isBundle(dir) {
		return nil, cli.Usage("%s is a bundle: simulate reads the config.json of a checkpoint", dir)
	}
	cfg, err := hf.Load(dir)
	if err != nil {
		return nil, inputError(err)
	}
	g, _, err := models.Build(cfg, nil)
	if err != nil {
		return nil, inputError(err)
	}
	g, _, err = passes.Compile(g, passes.Options{Scheme: mustScheme(cardScheme), KV: dtype.F16,
		Float: dtype.F16, Activations: dtype.F16})
	if err != nil {
		return nil, inputError(err)
	}
	m, err := cost.ModelOf(g)
	if err != nil {
		return nil, inputError(err)
	}
	m.Cached = f.kv
	return m, nil
}

func (f *simulateFlags) run(app *cli.App, dir string) error {
	machine, err := f.machine()
	if err != nil {
		return err
	}
	if f.trace != "" {
		if err := checkPlace(app.FS, f.trace, true); err != nil {
			return err
		}
	}
	model, err := f.loadSizes(dir)
	if err != nil {
		return err
	}
	s := simulation{f, machine, model}
	r, err := s.report(dir)
	if err != nil {
		return err
	}
	if f.trace != "" {
		if err := s.writeTrace(app.FS); err != nil {
			return err
		}
	}
	if *f.json {
		return app.JSON(r)
	}
	r.print(app.Out)
	return nil
}

// simulation is one model on one machine.
type simulation struct {
	*simulateFlags
	machine *cost.Machine
	model   *cost.Model
}

func (s *simulation) chips() int {
	if s.devices > 0 {
		return s.devices
	}
	return s.machine.Chips
}

// plan is the placement that was asked for on a number of chips.
func (s *simulation) plan(chips int, text string, batch int64) (cost.Plan, error) {
	if text == bestPlacement {
		return s.best(chips, batch)
	}
	p, err := placement.Parse(text, chips)
	if err != nil {
		return cost.Plan{}, cli.Usage("%v", err)
	}
	if err := p.Check(s.model.Sizes(), s.machine.Rules(s.padding/100)); err != nil {
		return cost.Plan{}, exit.With(exit.Input,
			fmt.Errorf("%w; legal on %d chips: %s", err, chips, s.legal(chips)))
	}
	return cost.Plan{Placement: p, Style: s.style()}, nil
}

// legal names some of the placements that there are.
func (s *simulation) legal(chips int) string {
	return cmp.Or(fewOf(s.machine.Placements(s.model, chips, s.padding/100)), "none")
}

// best is the fastest plan for the decode step; where it fits in none, the one that needs the least.
// Replicas of all weights are looked at where nothing else is legal.
func (s *simulation) best(chips int, batch int64) (cost.Plan, error) {
	list := s.machine.Placements(s.model, chips, s.padding/100)
	if len(list) == 0 {
		list = s.machine.Legal(s.model, chips, s.padding/100)
	}
	var plans []cost.Plan
	for _, p := range list {
		plans = append(plans, cost.Plan{Placement: p, Style: s.style()})
	}
	if len(plans) == 0 {
		return cost.Plan{}, exit.With(exit.Input,
			fmt.Errorf("%s has no legal placement on %d chips", s.model.Name, chips))
	}
	step := cost.Decode(batch, s.context)
	if best, ok := s.machine.Best(s.model, plans, step); ok {
		return best.Plan, nil
	}
	need := func(p cost.Plan) int64 { return s.machine.Memory(s.model, p.Placement, step).Total() }
	return slices.MinFunc(plans, func(a, b cost.Plan) int { return int(need(a) - need(b)) }), nil
}

func (s *simulation) writeTrace(fsys durable.FS) error {
	p, err := s.plan(s.chips(), s.placement, s.batch)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	e := s.machine.Estimate(p.Ops(nil, s.model, cost.Decode(s.batch, s.context)), p.Style)
	err = errors.Join(e.WriteTrace(&out), durable.WriteFileAtomic(fsys, s.trace, out.Bytes()))
	if err != nil {
		return &driver.OutputError{Path: s.trace, Err: err}
	}
	return nil
}
