package report

import (
	"encoding/hex"
	"fmt"

	"moge/codegen/balance"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/placement"
)

// Options is what a report has beside the manifest. The zero value is a step of as many sequences
// as the program takes, at the end of their context.
type Options struct {
	Sequences, Context int64 // of the step; 0 takes the limit
	Chip               *Chip // that the bundle is for
	Timing             *Timing
	Schedules          []Schedule // collectives of earlier stages, such as before the passes
	Load               *balance.ExpertLoad
}

// Chip is what a report tells of the machine.
type Chip struct {
	Name    string `json:"name"`
	Memory  int64  `json:"memory"`  // bytes
	Reserve int64  `json:"reserve"` // of them, kept free of the model
	Source  string `json:"source"`  // of the numbers
	ClockHz int64  `json:"clock_hz"`
}

// Timing predicts how long ops take.
type Timing struct {
	What   string // one line: what predicts
	OfStep bool   // for the step of the report, not for a shape of its own
	// Of predicts an op from its bytes and multiply-adds: seconds, and what it waits for longest, which
	// may be empty. ok is false where nothing is known.
	Of func(o *Op) (seconds float64, bound string, ok bool)
}

// Bounds of a program that a report is made of: ten times those of a large model.
const (
	maxSteps    = 1 << 15
	maxOperands = 1 << 17
)

// bounded refuses a program that would take minutes to follow.
func bounded(p *bundlepb.Program) error {
	operands := len(p.Inputs) + len(p.Outputs)
	for _, s := range p.Steps {
		operands += len(s.Args) + len(s.Results)
	}
	if len(p.Steps) > maxSteps || operands > maxOperands {
		return fmt.Errorf("the program has %d steps with %d operands, a report is made of at most %d with %d",
			len(p.Steps), operands, maxSteps, maxOperands)
	}
	return nil
}

// New makes the report of a valid manifest; name is that of the bundle, for the title. Its errors
// are of the options: a step beyond the program's limits, a load of another model.
func New(m *bundlepb.Manifest, name string, o Options) (*Report, error) {
	p := stepProgram(m)
	if err := bounded(p); err != nil {
		return nil, err
	}
	placed := balance.PlacementOf(m)
	step, err := stepOf(p, placed, o)
	if err != nil {
		return nil, err
	}
	if o.Load != nil && (o.Load.Experts != m.Model.Experts || o.Load.TopK != m.Model.ExpertsPerToken) {
		return nil, fmt.Errorf("the expert load is of %d of %d experts, the bundle's model takes %d of %d",
			o.Load.TopK, o.Load.Experts, m.Model.ExpertsPerToken, m.Model.Experts)
	}
	r := &Report{Schema: Schema, Bundle: name, Model: modelOf(m.Model), Targets: m.Targets,
		Limits: Limits{p.Limits.MaxBatchTokens, p.Limits.MaxSeqs, p.Limits.Context}, Step: step,
		Placement: placementOf(placed), Load: o.Load, Provenance: provenanceOf(m)}
	w := newWalk(m, p, placed, step)
	r.Memory = w.memory(o.Chip)
	timing := timingOf(m, o)
	r.Blocks, r.Totals = w.blocks(timing)
	if timing != nil {
		r.Timing = &Source{timing.What, timing.OfStep}
	}
	own := w.schedule(r.Blocks)
	r.Schedules = append(append(w.naive(&own), o.Schedules...), own)
	r.Gate, r.Kernels = kernelsOf(m, p, o.Chip)
	if m.Model.Experts > 0 {
		r.Balance = balanceOf(m, placed, w.worldRows())
	}
	return r, nil
}

func stepProgram(m *bundlepb.Manifest) *bundlepb.Program {
	for _, p := range m.Programs {
		if p.Name == bundle.StepProgram {
			return p
		}
	}
	panic("BUG: a valid manifest without a program step")
}

func stepOf(p *bundlepb.Program, placed placement.Placement, o Options) (Step, error) {
	l := p.Limits
	s := Step{Sequences: o.Sequences, Context: o.Context}
	if s.Sequences == 0 {
		s.Sequences = min(l.MaxSeqs, l.MaxBatchTokens)
	}
	if s.Context == 0 {
		s.Context = l.Context
	}
	if s.Sequences < 1 || s.Sequences > min(l.MaxSeqs, l.MaxBatchTokens) {
		return s, fmt.Errorf("a step of %d sequences: the program takes 1 to %d", s.Sequences,
			min(l.MaxSeqs, l.MaxBatchTokens))
	}
	if s.Context < 1 || s.Context > l.Context {
		return s, fmt.Errorf("a context of %d positions: the program takes 1 to %d", s.Context, l.Context)
	}
	s.PerGroup = ceilDiv(s.Sequences, int64(placed.Attn.DP))
	return s, nil
}

func ceilDiv(a, b int64) int64 { return (a-1)/b + 1 }

func modelOf(m *bundlepb.Model) Model {
	r := Model{Name: m.Name, Architecture: m.Architecture, Scheme: m.Scheme, Total: m.ParametersTotal,
		Active: m.ParametersActive, Layers: m.Layers, Hidden: m.HiddenSize, Vocab: m.VocabSize,
		Context: m.Context, Experts: m.Experts, TopK: m.ExpertsPerToken, Groups: m.Groups}
	if t := bundle.DType(m.KvDtype); t.Valid() {
		r.KV = t.String()
	}
	return r
}

func placementOf(p placement.Placement) Placement {
	return Placement{p.String(), p.Devices, Degrees(p.Attn), Degrees(p.Experts), Degrees(p.Shared),
		p.EmbedTP, p.HeadTP}
}

func provenanceOf(m *bundlepb.Manifest) Provenance {
	p := Provenance{Tool: m.Provenance.ToolVersion, Format: m.FormatVersion, Sources: []File{},
		JobKey:      hex.EncodeToString(m.Provenance.JobKey),
		Calibration: hex.EncodeToString(m.Provenance.CalibrationSha256), Config: []Entry{}}
	for _, f := range m.Provenance.Sources {
		p.Sources = append(p.Sources, File{f.Path, f.Size, hex.EncodeToString(f.Sha256)})
	}
	for _, kv := range m.Config {
		p.Config = append(p.Config, Entry{kv.Key, kv.Value})
	}
	return p
}

// draws is how many batches are simulated; the paper does not say how many its figure has.
const draws = 20000

func balanceOf(m *bundlepb.Manifest, placed placement.Placement, rows int64) *Balance {
	c := balance.Certify(balance.RouterOf(m.Model), placed)
	b := &Balance{Exact: c.Exact, EP: c.EP, GroupsPerRank: c.GroupsPerRank, PicksPerGroup: c.PicksPerGroup,
		Rows: fmt.Sprint(c.RowsNumerator), StepRows: c.Rows(rows), StepTokens: rows, Reason: c.Reason,
		InManifest: m.Certificate != nil}
	if c.RowsDenominator > 1 {
		b.Rows += fmt.Sprintf("/%d", c.RowsDenominator)
	}
	if err := balance.Check(m); err != nil {
		b.Problem = err.Error()
	}
	b.Random = randomOf(c)
	return b
}

// randomOf is nil where the simulation's conditions are not met.
func randomOf(c balance.Certificate) *Random {
	r := &Random{Devices: 8}
	if c.EP > 1 {
		r.Devices = int(c.EP)
	}
	s := balance.Simulation{Experts: int(c.Router.Experts), TopK: int(c.Router.TopK), Devices: r.Devices,
		Batch: balance.DefaultBatch, Draws: draws, Seed: 1}
	var err error
	if r.Ungrouped, err = s.Run(); err != nil {
		return nil
	}
	s.Groups = int(c.Router.Groups)
	if r.Model, err = s.Run(); err != nil {
		return nil
	}
	return r
}
