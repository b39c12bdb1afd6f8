package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/units"
	"moge/runtime/cpu"
	"moge/runtime/engine"
	"moge/runtime/probe"
)

const benchSchema = "moge.bench/2"

// benchReport is the result of bench; sizes are bytes.
type benchReport struct {
	Schema  string        `json:"schema"`
	Bundle  string        `json:"bundle"`
	Model   modelFacts    `json:"model"`
	Weights int64         `json:"weight_bytes"`
	Backend string        `json:"backend"` // device and instruction set level
	CPU     string        `json:"cpu"`
	Machine *probe.Result `json:"machine,omitempty"`
	Tests   []benchTest   `json:"tests"`
	work    *workload
	experts int64
}

// benchTest is the result of a test. Shares are of what the probe measured, 0 to 1; what is not
// known is left out.
type benchTest struct {
	Test      string    `json:"test"`
	Threads   int       `json:"threads"`
	Tokens    int       `json:"tokens"` // of each sequence
	Depth     int       `json:"depth"`
	Parallel  int       `json:"parallel"`
	Mean      float64   `json:"tokens_per_second"`
	Deviation float64   `json:"stddev"`
	Samples   []float64 `json:"samples"`
	Steal     *float64  `json:"steal,omitempty"`

	Bytes       float64   `json:"bytes_per_token"`
	Bandwidth   float64   `json:"bytes_per_second"`
	MemoryShare float64   `json:"memory_share,omitempty"`
	Operations  float64   `json:"operations_per_token,omitempty"`
	Integer     float64   `json:"int8_operations_per_token,omitempty"`
	Speed       float64   `json:"operations_per_second,omitempty"`
	Int8Share   float64   `json:"int8_share,omitempty"`       // of the operations on int8
	Distinct    []float64 `json:"distinct_experts,omitempty"` // in a step, by layer with experts
}

// newReport probes the machine unless only rates are wanted.
func (f *benchFlags) newReport(ctx context.Context, dir string, e *engine.Engine) (*benchReport, error) {
	level, _ := cpu.Level() // an unknown one has kept the bundle from opening
	m := e.Bundle().Manifest()
	r := &benchReport{Schema: benchSchema, Bundle: dir, Model: factsOf(m.Model), CPU: cpu.Name(),
		Backend: e.Device() + " " + level.String(), work: newWorkload(m), experts: m.Model.Experts}
	for _, rank := range m.Ranks {
		r.Weights += rank.Size
	}
	if f.output.Value == "rate" {
		return r, nil
	}
	p, err := probe.Run(ctx, 0)
	r.Machine = &p
	return r, err
}

func (r *benchReport) add(c benchCase, m measurement, threads int) {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	t := benchTest{Test: c.String(), Threads: threads, Tokens: c.n, Depth: c.depth, Parallel: c.parallel,
		Samples: m.speeds}
	t.Mean, t.Deviation = meanAndDeviation(m.speeds)
	if m.stolen >= 0 {
		t.Steal = &m.stolen
	}
	tokens := float64(m.tokens)
	t.Bytes, t.Operations, t.Integer =
		float64(m.bytes)/tokens, float64(m.operations)/tokens, float64(m.integer)/tokens
	t.Bandwidth, t.Speed = t.Bytes*t.Mean, t.Operations*t.Mean
	if r.Machine != nil {
		t.MemoryShare = t.Bandwidth / r.Machine.Memory.Rate
		t.Int8Share = t.Integer * t.Mean / r.Machine.Int8.Rate
	}
	for _, n := range m.distinct {
		t.Distinct = append(t.Distinct, float64(n)/float64(m.steps))
	}
	r.Tests = append(r.Tests, t)
}

func (r *benchReport) write(app *cli.App, form string) error {
	switch form {
	case "json":
		return app.JSON(r)
	case "rate":
		for _, t := range r.Tests {
			fmt.Fprintf(app.Out, "%.4f\n", t.Mean)
		}
		return nil
	}
	line := func(cells ...string) { fmt.Fprintf(app.Out, "| %s |\n", strings.Join(cells, " | ")) }
	line("model", "scheme", "size", "params", "backend", "threads", "test", "t/s", "steal",
		"bytes/token", "GB/s", "of memory", "GOP/s", "of int8")
	line("---", "---", "---:", "---:", "---", "---:", "---", "---:", "---:",
		"---:", "---:", "---:", "---:", "---:")
	same := []string{r.Model.Name, r.Model.Scheme, units.Bytes(r.Weights), units.Count(r.Model.Total), r.Backend}
	for _, t := range r.Tests {
		line(slices.Concat(same, t.cells())...)
	}
	fmt.Fprintf(app.Out, "\n%s\n", machineLine(*r.Machine))
	for _, t := range r.Tests {
		if t.Parallel > 1 && len(t.Distinct) > 0 {
			fmt.Fprintln(app.Out, r.expertLine(t))
		}
	}
	return nil
}

// cells are those of the table that differ from test to test.
func (t benchTest) cells() []string {
	steal, speed := "", ""
	if t.Steal != nil {
		steal = percent(*t.Steal)
	}
	if t.Speed > 0 {
		speed = fmt.Sprintf("%.1f", t.Speed/1e9)
	}
	return []string{fmt.Sprint(t.Threads), t.Test, fmt.Sprintf("%.2f ± %.2f", t.Mean, t.Deviation), steal,
		units.Bytes(int64(t.Bytes)), fmt.Sprintf("%.2f", t.Bandwidth/1e9), percent(t.MemoryShare), speed,
		percent(t.Int8Share)}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// machineLine says what the probe found.
func machineLine(m probe.Result) string {
	way := m.Memory.Reading
	return fmt.Sprintf("machine: %s, memory %.1f GB/s (%s of %s, prefetch %s%s; %.1f GB/s in plain pages), "+
		"int8 %.0f GOP/s (%s)", m.ISA, m.Memory.Rate/1e9, plural(way.Threads, "thread"),
		plural(way.Streams, "stream"), units.Bytes(int64(way.Ahead)), hugeWord(way.Huge), m.Plain.Rate/1e9,
		m.Int8.Rate/1e9, plural(m.Int8.Threads, "thread"))
}

func hugeWord(huge bool) string {
	if huge {
		return ", huge pages"
	}
	return ""
}

// expertLine lists the mean number of distinct experts in a step, layer by layer.
func (r *benchReport) expertLine(t benchTest) string {
	var list strings.Builder
	for i, n := range t.Distinct {
		fmt.Fprintf(&list, " %d:%.1f", r.work.experts[i].layer, n)
	}
	return fmt.Sprintf("experts: %s, %s, chosen of %d in a step, by layer:%s", t.Test,
		plural(t.Threads, "thread"), r.experts, list.String())
}
