package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"moge/ascend/cost"
	"moge/cmd/internal/units"
)

// simulateReport is what simulate says; times are seconds, sizes bytes of one chip.
type simulateReport struct {
	Schema    string          `json:"schema"`
	Path      string          `json:"path"`
	Model     string          `json:"model"`
	Total     int64           `json:"parameters_total"`
	Active    int64           `json:"parameters_active"`
	Target    string          `json:"target"`
	Product   string          `json:"product"`
	Devices   int             `json:"devices"`
	Placement string          `json:"placement"`
	Unfused   bool            `json:"unfused"`
	KV        string          `json:"kv"`
	Memory    simulatedMemory `json:"memory"`
	Limit     float64         `json:"limit_seconds"`
	Batch     int64           `json:"largest_batch"`   // within the limit, at the context
	Context   int64           `json:"largest_context"` // within the limit, at the batch
	Decode    simulatedStep   `json:"decode"`
	Prefill   simulatedStep   `json:"prefill"`
	Sweep     []simulatedRow  `json:"sweep,omitempty"`
}

type simulatedMemory struct {
	Chip    int64 `json:"chip_bytes"`
	Weights int64 `json:"weight_bytes"`
	Cache   int64 `json:"cache_bytes"`
	Arena   int64 `json:"arena_bytes"`
	Reserve int64 `json:"reserve_bytes"`
	Total   int64 `json:"total_bytes"`
	Fits    bool  `json:"fits"`
}

type simulatedStep struct {
	Sequences     int64              `json:"sequences"`
	Fresh         int64              `json:"new_tokens"` // of each
	Context       int64              `json:"context"`
	Seconds       float64            `json:"seconds"`
	TokensPerChip float64            `json:"tokens_per_second_and_chip"`
	Communication float64            `json:"communication_share"`
	Pipes         map[string]float64 `json:"pipe_shares"`
	Ops           []simulatedOp      `json:"ops"`
}

type simulatedOp struct {
	Site    string  `json:"site"` // N stands for the number of a layer
	Kind    string  `json:"kind"`
	Times   int64   `json:"times"`
	Rows    int64   `json:"rows"`
	N       int64   `json:"n"`
	K       int64   `json:"k"`
	Weights int64   `json:"weight_bytes"`
	Cache   int64   `json:"cache_bytes"`
	Sent    int64   `json:"sent_bytes"`
	MACs    int64   `json:"multiply_adds"`
	Seconds float64 `json:"seconds"` // all times together
	Share   float64 `json:"share"`
	Bound   string  `json:"bound"`
}

// simulatedRow is one line of a sweep.
type simulatedRow struct {
	Devices       int     `json:"devices"`
	Placement     string  `json:"placement"`
	Batch         int64   `json:"batch"`
	Fits          bool    `json:"fits"`
	Memory        int64   `json:"total_bytes"`
	Padding       float64 `json:"padding"` // largest share of zeros in a part, of what is real
	Seconds       float64 `json:"seconds"`
	TokensPerChip float64 `json:"tokens_per_second_and_chip"`
	Communication float64 `json:"communication_share"`
}

func (s *simulation) report(dir string) (*simulateReport, error) {
	p, err := s.plan(s.chips(), s.placement, s.batch)
	if err != nil {
		return nil, err
	}
	m := s.machine
	step := cost.Decode(s.batch, s.context)
	memory := m.Memory(s.model, p.Placement, step)
	r := &simulateReport{
		Schema:    simulateSchema,
		Path:      dir,
		Model:     s.model.Name,
		Target:    m.Name,
		Product:   m.Title,
		Devices:   s.chips(),
		Placement: p.Placement.String(),
		Unfused:   s.unfused,
		KV:        s.kv.String(),
		Limit:     m.Limit,
		Memory: simulatedMemory{Chip: memory.Chip, Weights: memory.Weights, Cache: memory.Cache,
			Arena: memory.Arena, Reserve: memory.Reserve, Total: memory.Total(), Fits: memory.Fits()},
		Batch:   m.LargestBatch(s.model, p, s.context, m.Limit),
		Context: m.LargestContext(s.model, p, s.batch, m.Limit),
		Decode:  s.step(p, step),
		Prefill: s.step(p, cost.Prefill(int64(p.Placement.Attn.DP), s.context)),
	}
	r.Total, r.Active = s.model.Parameters()
	r.Sweep, err = s.rows()
	return r, err
}

func (s *simulation) step(p cost.Plan, step cost.Step) simulatedStep {
	e := s.machine.Estimate(p.Ops(nil, s.model, step), p.Style)
	r := simulatedStep{Sequences: step.Sequences, Fresh: step.Fresh, Context: step.Context,
		Seconds:       e.Seconds,
		TokensPerChip: float64(step.Sequences*step.Fresh) / e.Seconds / float64(p.Placement.Devices),
		Communication: e.Communication(), Pipes: map[string]float64{}}
	for pipe, share := range e.Parts() {
		r.Pipes[cost.Pipe(pipe).String()] = share
	}
	for i := range e.Lines {
		l := &e.Lines[i]
		r.Ops = append(r.Ops, simulatedOp{Site: l.Site, Kind: string(l.Kind), Times: l.Repeat,
			Rows: l.Rows, N: l.N, K: l.K, Weights: l.Weights, Cache: l.Cache, Sent: l.Sent, MACs: l.MACs,
			Seconds: l.Total(), Share: l.Total() / e.Seconds, Bound: l.Bound.String()})
	}
	return r
}

// rows are those of --sweep, in the order of devices, placements, batches.
func (s *simulation) rows() ([]simulatedRow, error) {
	var list []simulatedRow
	if len(s.sweep) == 0 {
		return nil, nil
	}
	for _, chips := range s.sweptDevices() {
		for _, text := range s.sweptPlacements(chips) {
			for _, batch := range s.sweptBatches() {
				row, err := s.row(chips, text, batch)
				if err != nil {
					return nil, err
				}
				list = append(list, row)
			}
		}
	}
	return list, nil
}

func (s *simulation) swept(what string) bool { return slices.Contains(s.sweep, what) }

func (s *simulation) sweptDevices() []int {
	if !s.swept("devices") {
		return []int{s.chips()}
	}
	var list []int
	for n := 1; n <= s.chips(); n *= 2 {
		list = append(list, n)
	}
	return list
}

func (s *simulation) sweptPlacements(chips int) []string {
	if !s.swept("placement") {
		return []string{s.placement}
	}
	var list []string
	for _, p := range s.machine.Legal(s.model, chips, s.padding/100) {
		list = append(list, p.String())
	}
	return list
}

// sweptBatches doubles up to --batch, or to 1024 when that is 1, which it is unless given.
func (s *simulation) sweptBatches() []int64 {
	if !s.swept("batch") {
		return []int64{s.batch}
	}
	most := s.batch
	if most == 1 {
		most = 1024
	}
	var list []int64
	for n := int64(1); n < most; n *= 2 {
		list = append(list, n)
	}
	return append(list, most)
}

func (s *simulation) row(chips int, text string, batch int64) (simulatedRow, error) {
	p, err := s.plan(chips, text, batch)
	if err != nil {
		return simulatedRow{}, err
	}
	step := cost.Decode(batch, s.context)
	memory := s.machine.Memory(s.model, p.Placement, step)
	e := s.machine.Estimate(p.Ops(nil, s.model, step), p.Style)
	return simulatedRow{Devices: chips, Placement: p.Placement.String(), Batch: batch,
		Fits: memory.Fits(), Memory: memory.Total(), Padding: s.machine.Padding(s.model, p.Placement),
		Seconds: e.Seconds, Communication: e.Communication(),
		TokensPerChip: float64(batch) / e.Seconds / float64(chips)}, nil
}

func (r *simulateReport) print(w io.Writer) {
	row(w, "model", "%s, %s parameters, %s of them for a token", r.Model, units.Count(r.Total),
		units.Count(r.Active))
	row(w, "target", "%s (%s), %d chips", r.Target, r.Product, r.Devices)
	row(w, "placement", "%s", r.Placement)
	if r.Unfused {
		row(w, "launches", "one for every op, as frameworks run them")
	} else {
		row(w, "launches", "one for each kernel of this compiler")
	}
	r.Memory.print(w)
	row(w, "within", "%.0f ms: batch %d at context %d, context %d at batch %d", 1000*r.Limit, r.Batch,
		r.Decode.Context, r.Context, r.Decode.Sequences)
	r.Decode.print(w, "decode")
	r.Prefill.print(w, "prefill")
	if len(r.Sweep) > 0 {
		r.table(w)
		return
	}
	r.Decode.table(w)
}

func (m *simulatedMemory) print(w io.Writer) {
	verdict := "fits"
	if !m.Fits {
		verdict = "does not fit"
	}
	row(w, "memory", "%s of %s a chip: %s", units.Bytes(m.Total), units.Bytes(m.Chip), verdict)
	row(w, "", "weights %s, cache %s, activations %s, kept free %s", units.Bytes(m.Weights),
		units.Bytes(m.Cache), units.Bytes(m.Arena), units.Bytes(m.Reserve))
}

func (s *simulatedStep) print(w io.Writer, name string) {
	what := fmt.Sprintf("batch %d at position %d", s.Sequences, s.Context)
	if name == "prefill" {
		what = fmt.Sprintf("batch %d of %d tokens each", s.Sequences, s.Fresh)
	}
	row(w, name, "%.2f ms for %s, %.1f tokens/s and chip", 1000*s.Seconds, what, s.TokensPerChip)
	var parts []string
	for p := cost.DRAM; p <= cost.Launch; p++ {
		if share := s.Pipes[p.String()]; share >= 0.005 {
			parts = append(parts, fmt.Sprintf("%v %.0f %%", p, 100*share))
		}
	}
	row(w, "", "%s; collectives take %.0f %%", strings.Join(parts, ", "), 100*s.Communication)
}

func (s *simulatedStep) table(w io.Writer) {
	fmt.Fprintf(w, "\n%-36s %-15s %5s %6s %8s %6s  %s\n", "op of the decode step", "kind", "times",
		"rows", "ms", "share", "bound")
	for _, o := range s.Ops {
		fmt.Fprintf(w, "%-36s %-15s %5d %6d %8.3f %5.1f%%  %s\n", o.Site, o.Kind, o.Times, o.Rows,
			1000*o.Seconds, 100*o.Share, o.Bound)
	}
}

func (r *simulateReport) table(w io.Writer) {
	fmt.Fprintf(w, "\n%7s %6s %10s %12s %8s %10s %8s  %s\n", "devices", "batch", "ms", "tokens/s·chip",
		"links", "memory", "padding", "placement")
	for _, x := range r.Sweep {
		memory := units.Bytes(x.Memory)
		if !x.Fits {
			memory = "too much"
		}
		fmt.Fprintf(w, "%7d %6d %10.2f %12.1f %7.1f%% %10s %7.1f%%  %s\n", x.Devices, x.Batch, 1000*x.Seconds,
			x.TokensPerChip, 100*x.Communication, memory, 100*x.Padding, x.Placement)
	}
}
