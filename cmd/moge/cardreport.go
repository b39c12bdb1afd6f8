package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"moge/ascend/fit"
	"moge/cmd/internal/units"
	"moge/codegen"
	"moge/codegen/driver"
)

// cardReport is the report of inspect --target. Sizes are bytes of one chip.
type cardReport struct {
	Schema   string        `json:"schema"`
	Path     string        `json:"path"`
	Target   string        `json:"target"`
	Product  string        `json:"product"`
	Chip     string        `json:"chip"`
	Runs     bool          `json:"runs"` // on one chip
	Findings []cardFinding `json:"findings"`
	Model    modelFacts    `json:"model"`
	Memory   cardMemory    `json:"memory"`
	Contexts []cardContext `json:"contexts"` // what is left, shared out evenly
	Chips    int           `json:"chips_for_weights"`
}

type cardFinding struct {
	Blocks  bool   `json:"blocks"`
	Rule    string `json:"rule"`
	Where   string `json:"where,omitempty"`
	Why     string `json:"why"`
	Instead string `json:"instead,omitempty"`
}

type cardMemory struct {
	Chip        int64        `json:"chip_bytes"`
	Source      string       `json:"chip_bytes_source"`
	Reserve     int64        `json:"reserve_bytes"` // an assumption
	Weights     int64        `json:"weight_bytes"`
	Parts       []cardWeight `json:"weights"`
	Arena       int64        `json:"arena_bytes"` // 0 when kernels are missing
	KVPosition  int64        `json:"kv_bytes_per_token"`
	KVPage      int64        `json:"kv_page_bytes"`
	BatchTokens int64        `json:"max_batch_tokens"`
	Seqs        int64        `json:"max_seqs"`
	Context     int64        `json:"context"` // asked for
}

type cardWeight struct {
	Kind    string `json:"kind"`
	DType   string `json:"dtype"`
	Bytes   int64  `json:"bytes"`
	Padding int64  `json:"padding_bytes"`
}

type cardContext struct {
	Sequences int64 `json:"sequences"`
	Positions int64 `json:"positions"`
}

func newCardReport(m *driver.Model, a *fit.Assessment, l codegen.Limits) *cardReport {
	source := string(a.Product.MemoryBytes.Source)
	if note := a.Product.MemoryBytes.Note; note != "" {
		source += ": " + note
	}
	r := &cardReport{Schema: cardSchema, Path: m.Dir, Target: a.Product.Name, Product: a.Product.Title,
		Chip: a.Chip.Name(), Runs: a.Runs(), Findings: []cardFinding{}, Contexts: []cardContext{},
		Model: modelFacts{Name: m.Graph.Name, Architecture: m.Config.Architecture}, Chips: a.Chips,
		Memory: cardMemory{Chip: a.Memory, Source: source, Reserve: a.Reserve, Weights: a.WeightBytes(),
			Parts: []cardWeight{}, Arena: a.Arena, KVPosition: a.Cache.Position, KVPage: a.Cache.Page,
			BatchTokens: l.BatchTokens, Seqs: l.Seqs, Context: l.Context}}
	r.Model.Total = metaNumber(m.Graph, "parameters_total")
	r.Model.Active = metaNumber(m.Graph, "parameters_active")
	for _, f := range a.Findings {
		r.Findings = append(r.Findings, cardFinding(f))
	}
	for _, p := range a.Weights {
		r.Memory.Parts = append(r.Memory.Parts, cardWeight{p.Kind, p.DType.String(), p.Bytes, p.Padding})
	}
	for _, c := range a.Contexts {
		r.Contexts = append(r.Contexts, cardContext(c))
	}
	return r
}

func (r *cardReport) print(w io.Writer) {
	answer := "no"
	if r.Runs {
		answer = "yes"
	}
	fmt.Fprintf(w, "%s on one chip of %s: %s\n", r.Path, r.Target, answer)
	row(w, "card", "%s, chip %s", r.Product, r.Chip)
	row(w, "model", "%s (%s), %s parameters, scheme %s", r.Model.Name, r.Model.Architecture,
		units.Count(r.Model.Total), r.Model.Scheme)
	r.printFindings(w)
	r.printMemory(w)
}

func (r *cardReport) printFindings(w io.Writer) {
	for _, f := range r.Findings {
		word, where := "note", ""
		if f.Blocks {
			word = "no"
		}
		if f.Where != "" {
			where = " (" + f.Where + ")"
		}
		row(w, word, "%s: %s%s", f.Rule, f.Why, where)
		if f.Instead != "" {
			row(w, "", "→ %s", f.Instead)
		}
	}
}

func (r *cardReport) printMemory(w io.Writer) {
	m := r.Memory
	row(w, "memory", "%s a chip, %s of them kept for driver and runtime (assumed)", units.Bytes(m.Chip),
		units.Bytes(m.Reserve))
	row(w, "weights", "%s as the card stores them", units.Bytes(m.Weights))
	for part := range slices.Chunk(r.parts(), 4) {
		row(w, "", "%s", strings.Join(part, ", "))
	}
	if m.Arena > 0 {
		row(w, "arena", "%s for %d tokens a step", units.Bytes(m.Arena), m.BatchTokens)
	} else {
		row(w, "arena", "not known while kernels are missing")
	}
	row(w, "cache", "%s for 1024 positions in f16", units.Bytes(1024*m.KVPosition))
	if len(r.Contexts) > 0 {
		row(w, "context", "%s", r.contexts())
	}
	if r.Chips > 1 {
		row(w, "chips", "%d for the weights alone (estimate)", r.Chips)
	}
}

func (r *cardReport) parts() []string {
	var list []string
	for _, p := range r.Memory.Parts {
		list = append(list, fmt.Sprintf("%s %s %s", p.Kind, p.DType, units.Bytes(p.Bytes)))
	}
	return list
}

// contexts has batches with the same context together.
func (r *cardReport) contexts() string {
	var list []string
	for i := 0; i < len(r.Contexts); {
		c := r.Contexts[i]
		var batches []string
		for ; i < len(r.Contexts) && r.Contexts[i].Positions == c.Positions; i++ {
			batches = append(batches, strconv.FormatInt(r.Contexts[i].Sequences, 10))
		}
		list = append(list, fmt.Sprintf("%d with %s", c.Positions, strings.Join(batches, "/")))
	}
	return "at most " + strings.Join(list, ", ") + " sequences"
}
