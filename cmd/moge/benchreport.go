package main

import (
	"fmt"
	"runtime"
	"strings"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/units"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/cpu"
	"moge/runtime/engine"
)

const benchSchema = "moge.bench/1"

// benchReport is the result of bench; sizes are bytes.
type benchReport struct {
	Schema      string      `json:"schema"`
	Bundle      string      `json:"bundle"`
	Model       modelFacts  `json:"model"`
	Weights     int64       `json:"weight_bytes"`
	Backend     string      `json:"backend"` // device and instruction set level
	Threads     int         `json:"threads"`
	Tests       []benchTest `json:"tests"`
	tokenWeight int64       // what one token reads
}

type benchTest struct {
	Test       string    `json:"test"`
	Mean       float64   `json:"tokens_per_second"`
	Deviation  float64   `json:"stddev"`
	Samples    []float64 `json:"samples"`
	TokenBytes int64     `json:"weight_bytes_per_token,omitempty"`
	Bandwidth  float64   `json:"weight_gb_per_second,omitempty"` // 10^9 bytes
}

func newBenchReport(dir string, e *engine.Engine, threads int) *benchReport {
	level, _ := cpu.Level() // an unknown one has kept the bundle from opening
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	m := e.Bundle().Manifest()
	return &benchReport{Schema: benchSchema, Bundle: dir, Model: factsOf(m.Model),
		Weights: m.Ranks[0].Size,
		Backend: e.Device() + " " + level.String(), Threads: threads, tokenWeight: tokenWeights(m)}
}

// tokenWeights is what a step of one token reads of the weights: one row of the embedding, of
// each stack of experts the share that a token uses, and all of every other section.
func tokenWeights(m *bundlepb.Manifest) (n int64) {
	sections := m.Ranks[0].Sections
	for _, p := range m.Programs {
		if p.Name != bundle.StepProgram {
			continue
		}
		for _, s := range p.Steps {
			for _, a := range s.Args {
				if at, ok := a.Kind.(*bundlepb.Operand_Section); ok {
					n += sectionShare(m.Model, computedBy(s), sections[at.Section])
				}
			}
		}
	}
	return n
}

// computedBy is the operation of a step; of a launch, what its place in the model says.
func computedBy(s *bundlepb.Step) bundlepb.OpCode {
	switch {
	case s.Op != bundlepb.OpCode_LAUNCH:
		return s.Op
	case s.Site == "embed":
		return bundlepb.OpCode_EMBED
	case strings.Contains(s.Site, ".mlp.experts."):
		return bundlepb.OpCode_QGROUPED_LINEAR
	}
	return s.Op
}

func sectionShare(m *bundlepb.Model, op bundlepb.OpCode, s *bundlepb.Section) int64 {
	switch op {
	case bundlepb.OpCode_EMBED:
		return s.Size / max(1, s.Shape[0])
	case bundlepb.OpCode_GROUPED_LINEAR, bundlepb.OpCode_QGROUPED_LINEAR,
		bundlepb.OpCode_W8GROUPED_LINEAR:
		return s.Size / max(1, m.Experts) * m.ExpertsPerToken
	}
	return s.Size
}

func (r *benchReport) add(name string, speeds []float64, generation bool) {
	t := benchTest{Test: name, Samples: speeds}
	t.Mean, t.Deviation = meanAndDeviation(speeds)
	if generation {
		t.TokenBytes, t.Bandwidth = r.tokenWeight, float64(r.tokenWeight)*t.Mean/1e9
	}
	r.Tests = append(r.Tests, t)
}

func (r *benchReport) write(app *cli.App, form string) error {
	if form == "json" {
		return app.JSON(r)
	}
	line := func(cells ...string) { fmt.Fprintf(app.Out, "| %s |\n", strings.Join(cells, " | ")) }
	line("model", "scheme", "size", "params", "backend", "threads", "test", "t/s", "weights/token",
		"GB/s")
	line("---", "---", "---:", "---:", "---", "---:", "---", "---:", "---:", "---:")
	for _, t := range r.Tests {
		line(r.Model.Name, r.Model.Scheme, units.Bytes(r.Weights), units.Count(r.Model.Total), r.Backend,
			fmt.Sprint(r.Threads), t.Test, fmt.Sprintf("%.2f ± %.2f", t.Mean, t.Deviation), t.tokenBytes(),
			t.bandwidth())
	}
	return nil
}

func (t benchTest) tokenBytes() string {
	if t.TokenBytes == 0 {
		return ""
	}
	return units.Bytes(t.TokenBytes)
}

func (t benchTest) bandwidth() string {
	if t.TokenBytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", t.Bandwidth)
}
