package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"moge/ascend/cost"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/units"
	"moge/codegen/driver"
	"moge/formats/durable"
	"moge/ir/dtype"
)

// searchFlags are those of simulate --search.
type searchFlags struct {
	on     bool
	params paramRange
	plot   string
}

func (f *searchFlags) add(cmd *cobra.Command) {
	f.params = paramRange{60e9, 80e9}
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "search", false, "search hidden 4096 to 8192, layers 40 to 64, experts 32 to 64,\n"+
		"query heads 32 to 64, heads of keys 8 to 16,\nfor the most tokens a second within the time limit")
	flags.Var(&f.params, "params", "with --search: parameters of the models, such as 60e9:80e9")
	flags.StringVar(&f.plot, "plot", "", "with --search: write a scatter plot to this SVG file")
	must(cmd.MarkFlagFilename("plot", "svg"))
}

// paramRange is a flag of two numbers.
type paramRange struct{ lo, hi int64 }

// String is the spelling that Set reads.
func (r *paramRange) String() string {
	return fmt.Sprintf("%.4ge9:%.4ge9", float64(r.lo)/1e9, float64(r.hi)/1e9)
}

// Set reads LO:HI.
func (r *paramRange) Set(text string) error {
	lo, hi, ok := strings.Cut(text, ":")
	a, errA := strconv.ParseFloat(lo, 64)
	b, errB := strconv.ParseFloat(hi, 64)
	if !ok || errA != nil || errB != nil || !(1e9 <= a && a <= b && b <= 1e12) {
		return fmt.Errorf("want two numbers from 1e9 to 1e12, such as 60e9:80e9")
	}
	r.lo, r.hi = int64(a), int64(b)
	return nil
}

// Type is the name in help texts.
func (r *paramRange) Type() string { return "LO:HI" }

// searchReport is what simulate --search says.
type searchReport struct {
	Schema     string           `json:"schema"`
	Candidates int              `json:"candidates"`
	Params     [2]int64         `json:"parameters"`
	Context    int64            `json:"context"`
	Unfused    bool             `json:"unfused"`
	Targets    []searchedTarget `json:"targets"`
}

type searchedTarget struct {
	Target    string          `json:"target"`
	Chips     int             `json:"chips"`
	Limit     float64         `json:"limit_seconds"`
	Reference searchedModel   `json:"reference"`
	Rank      int             `json:"rank"`                // of the reference, 1 is the best
	Better    float64         `json:"percentile"`          // of the candidates are not faster
	Larger    [2]int          `json:"rank_among_as_large"` // and how many have as many parameters
	Best      []searchedModel `json:"best"`
}

type searchedModel struct {
	Name          string  `json:"name,omitempty"`
	Hidden        int64   `json:"hidden_size"`
	Layers        int64   `json:"layers"`
	Heads         int64   `json:"heads"`
	KVHeads       int64   `json:"kv_heads"`
	Experts       int64   `json:"experts"`
	ExpertWidth   int64   `json:"expert_width"`
	Total         int64   `json:"parameters_total"`
	Active        int64   `json:"parameters_active"`
	Placement     string  `json:"placement,omitempty"`
	Batch         int64   `json:"batch"`
	Seconds       float64 `json:"seconds"`
	TokensPerChip float64 `json:"tokens_per_second_and_chip"`
}

// shownBest is how many of the best are in the report.
const shownBest = 5

func (f *simulateFlags) runSearch(ctx context.Context, app *cli.App, args []string) error {
	var machines []*cost.Machine
	for _, name := range strings.Split(f.target, ",") {
		m, err := cost.Find(name)
		if err != nil {
			return exit.With(exit.Input, err)
		}
		machines = append(machines, m)
	}
	if f.search.plot != "" {
		if err := checkPlace(app.FS, f.search.plot, true); err != nil {
			return err
		}
	}
	reference := cost.PanguProMoE()
	reference.Cached = f.kv
	if len(args) > 0 {
		var err error
		if reference, err = f.loadSizes(args[0]); err != nil {
			return err
		}
	}
	space := f.search.models(f.kv)
	if len(space) == 0 {
		return cli.Usage("--params %v: no model of the space has so many", &f.search.params)
	}
	found := cost.Evaluate(reference, machines, f.context, f.style())
	if err := f.search.checkPlot(found, machines); err != nil {
		return err
	}
	bar := app.Term.Progress("search", "models")
	list, err := cost.Search(ctx, space, machines, f.context, f.style(),
		func(done, total int) { bar(int64(done), int64(total)) })
	app.Term.Done()
	if err != nil {
		return err
	}
	return f.writeSearch(app, list, found, machines)
}

// checkPlot refuses a plot relative to a reference that has no rate.
func (f *searchFlags) checkPlot(reference cost.Candidate, machines []*cost.Machine) error {
	for i, m := range machines {
		if f.plot != "" && reference.Results[i].Batch == 0 {
			return exit.With(exit.Input, fmt.Errorf("--plot is relative to %s, which does not meet the limit of %s "+
				"with one sequence", reference.Model.Name, m.Name))
		}
	}
	return nil
}

func (f *searchFlags) models(kv dtype.Type) []*cost.Model {
	list := cost.PaperSpace(f.params.lo, f.params.hi).Models()
	for _, m := range list {
		m.Cached = kv
	}
	return list
}

func (f *simulateFlags) writeSearch(app *cli.App, list []cost.Candidate, reference cost.Candidate,
	machines []*cost.Machine) error {
	if f.search.plot != "" {
		var out bytes.Buffer
		if err := cost.Plot(&out, list, reference, machines); err != nil {
			return err
		}
		if err := durable.WriteFileAtomic(app.FS, f.search.plot, out.Bytes()); err != nil {
			return &driver.OutputError{Path: f.search.plot, Err: err}
		}
	}
	r := &searchReport{Schema: searchSchema, Candidates: len(list),
		Params: [2]int64{f.search.params.lo, f.search.params.hi}, Context: f.context, Unfused: f.unfused}
	for i, m := range machines {
		r.Targets = append(r.Targets, newSearched(list, reference, i, m))
	}
	if *f.json {
		return app.JSON(r)
	}
	r.print(app.Out)
	return nil
}

func newSearched(list []cost.Candidate, reference cost.Candidate, i int, m *cost.Machine) searchedTarget {
	rate := reference.Results[i].PerChip
	t := searchedTarget{Target: m.Name, Chips: m.Chips, Limit: m.Limit,
		Reference: searchedOf(&reference, i), Rank: cost.Rank(list, i, rate)}
	t.Reference.Name = reference.Model.Name
	t.Better = 100 * float64(len(list)-t.Rank+1) / float64(len(list))
	var larger []cost.Candidate
	for _, c := range list {
		if c.Total >= reference.Total {
			larger = append(larger, c)
		}
	}
	t.Larger = [2]int{cost.Rank(larger, i, rate), len(larger)}
	sorted := cost.Sorted(list, i)
	for j := range sorted[:min(shownBest, len(sorted))] {
		t.Best = append(t.Best, searchedOf(&sorted[j], i))
	}
	return t
}

func searchedOf(c *cost.Candidate, i int) searchedModel {
	m, r := c.Model, c.Results[i]
	s := searchedModel{Hidden: m.Hidden, Layers: m.Layers, Heads: m.Heads, KVHeads: m.KVHeads,
		Experts: m.Experts, ExpertWidth: m.ExpertWidth, Total: c.Total, Active: c.Active, Batch: r.Batch,
		Seconds: r.Seconds, TokensPerChip: r.PerChip}
	if r.Batch > 0 {
		s.Placement = r.Plan.Placement.String()
	}
	return s
}

func (r *searchReport) print(w io.Writer) {
	row(w, "searched", "%d models of %s to %s parameters, context %d", r.Candidates,
		units.Count(r.Params[0]), units.Count(r.Params[1]), r.Context)
	for i := range r.Targets {
		r.Targets[i].print(w, r.Candidates)
	}
}

func (t *searchedTarget) print(w io.Writer, candidates int) {
	fmt.Fprintf(w, "\n%s, %d chips, at most %.0f ms a token\n", t.Target, t.Chips, 1000*t.Limit)
	fmt.Fprintf(w, "%8s %6s %7s %6s %3s %8s %6s %7s %7s %6s  %s\n", "tok/s·chip", "hidden", "layers",
		"heads", "kv", "experts", "width", "total", "active", "batch", "placement")
	for i := range t.Best {
		t.Best[i].print(w)
	}
	t.Reference.print(w)
	if t.Reference.Batch == 0 {
		row(w, t.Reference.Name, "does not meet the limit with one sequence")
		return
	}
	row(w, "rank", "%s is number %d of %d: at least as fast as %.1f %% of them", t.Reference.Name, t.Rank,
		candidates, t.Better)
	row(w, "", "number %d of the %d with as many parameters or more", t.Larger[0], t.Larger[1])
}

func (m *searchedModel) print(w io.Writer) {
	fmt.Fprintf(w, "%10.1f %6d %7d %6d %3d %8d %6d %7s %7s %6d  %s\n", m.TokensPerChip, m.Hidden,
		m.Layers, m.Heads, m.KVHeads, m.Experts, m.ExpertWidth, units.Count(m.Total), units.Count(m.Active),
		m.Batch, m.Placement)
}
