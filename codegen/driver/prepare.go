package driver

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"moge/codegen"
	"moge/codegen/cpu"
	"moge/codegen/weights"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
	"moge/runtime/device"
	"moge/runtime/kv"
)

// Prepared is a job whose every choice is checked, up to the first byte it will write.
type Prepared struct {
	Graph  *ir.Graph // after all passes
	Plan   *codegen.Plan
	Report *passes.Report
	Files  []bundle.SmallFile // of the planner

	model    *Model
	settings Settings
}

// Prepare checks the settings, runs the passes and plans. Nothing is written and, unless a
// text has to be calibrated on, no weight is read.
func Prepare(ctx context.Context, m *Model, s Settings) (*Prepared, error) {
	if err := s.checkTarget(); err != nil {
		return nil, err
	}
	p, err := quantized(ctx, m, s)
	if err != nil {
		return nil, err
	}
	if err := p.plan(ctx); err != nil {
		return nil, err
	}
	_, err = p.settings.Execution.CheckMemory(p.Plan)
	return p, err
}

// Graph checks the settings and runs the passes, for a machine that the caller plans for
// itself; it returns the completed limits too.
func Graph(ctx context.Context, m *Model, s Settings) (*ir.Graph, codegen.Limits, error) {
	p, err := quantized(ctx, m, s)
	if err != nil {
		return nil, codegen.Limits{}, err
	}
	return p.Graph, p.settings.Limits, nil
}

// quantized runs the passes.
func quantized(ctx context.Context, m *Model, s Settings) (*Prepared, error) {
	if err := s.check(m); err != nil {
		return nil, err
	}
	context, err := strconv.ParseInt(meta(m.Graph, "context"), 10, 64)
	if err != nil {
		return nil, m.blame(fmt.Errorf("meta context is %q, want a number", meta(m.Graph, "context")))
	}
	s.Limits = DefaultLimits(s.Limits, context)
	if err := checkLimits(s.Limits, context); err != nil {
		return nil, err
	}
	entry := *m.Graph // its meta is this job's own
	entry.Meta = slices.Clone(entry.Meta)
	if m.Quantized {
		s.Passes.Off = append(optional(), s.Passes.Off...)
	} else {
		if err := s.calibrate(ctx, m, &entry); err != nil {
			return nil, err
		}
		s.record(&entry)
	}
	g, report, err := passes.Compile(&entry, s.Passes)
	if err != nil {
		return nil, err
	}
	return &Prepared{Graph: g, Report: report, model: m, settings: s}, nil
}

// optional lists the passes that can be left out: a quantized graph has them behind it, but for those
// that cut it for ranks.
func optional() []string {
	var names []string
	for _, p := range passes.List() {
		if !p.Required && !p.Ranks {
			names = append(names, p.Name)
		}
	}
	return names
}

func meta(g *ir.Graph, key string) string {
	value, _ := g.GetMeta(key)
	return value
}

func (p *Prepared) plan(ctx context.Context) error {
	var err error
	if planner := p.settings.Planner; planner != nil {
		p.Plan, p.Files, err = planner.Plan(ctx, p.Graph, p.settings.Limits)
	} else {
		p.Plan, err = cpu.Build(p.Graph, p.settings.Limits)
	}
	if err == nil {
		err = describe(p.Plan.Manifest, p.Graph, p.settings)
	}
	return p.model.blame(err)
}

// statistics are the calibration statistics behind static scales, nil without any.
func (p *Prepared) statistics() []byte {
	if p.settings.Passes.Stats != nil {
		return p.settings.Passes.Stats.Marshal()
	}
	return p.model.statistics
}

// source gives the weights' bytes, checked unless the settings allow anything.
func (p *Prepared) source() weights.Source {
	if p.settings.AllowNonFinite {
		return p.model
	}
	return weights.Finite{Source: p.model, TypeOf: p.model.TypeOf}
}

// Summary is what a user wants to know of a compilation; sizes are bytes.
type Summary struct {
	Manifest      *bundlepb.Manifest
	Report        *passes.Report
	WeightBytes   int64
	ArenaBytes    int64
	CacheBytes    int64 // of a cache for Seqs · Context positions
	MinimumMemory int64 // of the compilation
	Units         int
	Casts         []TensorCast // weights that lost values on the way to f16
}

// Summary describes the plan.
func (p *Prepared) Summary() *Summary {
	return &Summary{
		Manifest: p.Plan.Manifest, Report: p.Report,
		WeightBytes: bundle.WeightBytes(p.Plan.Manifest), ArenaBytes: ArenaBytes(p.Plan.Manifest),
		CacheBytes: CacheBytes(p.Plan.Manifest), MinimumMemory: p.Plan.MinimumMemory(), Units: len(p.Plan.Units),
	}
}

// ArenaBytes is the memory for activations of all ranks of a bundle.
func ArenaBytes(m *bundlepb.Manifest) int64 {
	return int64(m.Programs[0].ArenaBytes) * int64(len(m.Ranks))
}

// CacheBytes is the memory, on all ranks of a bundle, of a cache for as many positions as its limits
// allow; 0 for limits that make none.
func CacheBytes(m *bundlepb.Manifest) int64 {
	program := m.Programs[0]
	limits := program.Limits
	seqs := device.GroupsOf(m).Seqs(int(limits.MaxSeqs))
	c := kv.Config{MaxTokens: seqs * int(limits.Context), MaxSeqs: seqs, Context: int(limits.Context)}
	for _, s := range program.States {
		c.Slots = append(c.Slots, kv.Slot{Name: s.Name, Heads: int(s.Heads), Width: int(s.Width),
			Type: dtype.Type(s.Dtype)})
	}
	if c.Validate() != nil {
		return 0
	}
	return c.Bytes() * int64(len(m.Ranks))
}
