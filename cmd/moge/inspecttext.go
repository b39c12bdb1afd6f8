package main

import (
	"fmt"
	"io"
	"strings"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/units"
)

func (r *inspection) print(app *cli.App) {
	w := app.Out
	fmt.Fprintf(w, "%s: %s\n", r.Path, r.Kind)
	r.printModel(w)
	r.printFiles(w)
	r.printMemory(w)
	r.printMachine(w)
	list(app, w, "missing", r.Missing)
	list(app, w, "unknown", r.Unknown)
	list(app, w, "dropped", r.Dropped)
}

func (r *inspection) printModel(w io.Writer) {
	if r.Model == nil {
		return
	}
	name := r.Model.Architecture
	if r.Model.Name != "" {
		name = fmt.Sprintf("%s (%s)", r.Model.Name, r.Model.Architecture)
	}
	row(w, "model", "%s", name)
	if r.Model.Total > 0 {
		row(w, "parameters", "%s, %s active", units.Count(r.Model.Total), units.Count(r.Model.Active))
	}
	s := r.Sizes
	row(w, "sizes", "%d layers, hidden %d, vocabulary %d, context %d", s.Layers, s.Hidden, s.Vocab,
		s.Context)
	if s.Heads > 0 {
		row(w, "attention", "%d heads of %d, %d of keys and values", s.Heads, s.HeadDim, s.KVHeads)
	}
	if s.Experts > 0 {
		row(w, "experts", "%d a layer, %d a token%s", s.Experts, s.ExpertsPerToken, s.groups())
	}
}

// printMachine is what a bundle is made for.
func (r *inspection) printMachine(w io.Writer) {
	if len(r.Targets) > 0 {
		row(w, "target", "%s", strings.Join(r.Targets, ", "))
	}
	if r.Placement != "" {
		row(w, "ranks", "%d, %s", r.Shards, r.Placement)
	}
	if r.Gate != nil {
		row(w, "gate", "%s", r.Gate)
	}
}

func (s *modelSizes) groups() string {
	if s.Groups < 2 {
		return ""
	}
	return fmt.Sprintf(", one of each of %d groups", s.Groups)
}

func (r *inspection) printFiles(w io.Writer) {
	var parts []string
	for _, t := range r.Tensors {
		parts = append(parts, fmt.Sprintf("%d %s %s", t.Count, t.Kind, units.Bytes(t.Bytes)))
	}
	if len(parts) > 0 {
		row(w, "tensors", "%s in %s", strings.Join(parts, ", "), plural(r.Shards, "file"))
	}
	switch {
	case r.Tokenizer != nil:
		row(w, "tokenizer", "%d pieces, %d of them special", r.Tokenizer.Size, r.Tokenizer.Specials)
	case r.Kind != "bundle":
		row(w, "tokenizer", "none: only token ids can be given to the model")
	}
}

func (r *inspection) printMemory(w io.Writer) {
	for _, s := range r.Weights {
		row(w, "weights", "%s with scheme %s", units.Bytes(s.Bytes), s.Scheme)
	}
	if t := r.RunTime; t != nil {
		row(w, "arena", "%s for %d tokens a step", units.Bytes(t.Arena), t.BatchTokens)
		row(w, "cache", "%s for %d sequences of %d positions in %s", units.Bytes(t.Cache), t.Seqs,
			t.Context, t.KV)
	}
	var parts []string
	for _, t := range r.KVPerToken {
		parts = append(parts, fmt.Sprintf("%s in %s", units.Bytes(t.Bytes), t.Kind))
	}
	if len(parts) > 0 {
		row(w, "a position", "%s", strings.Join(parts, ", "))
	}
}
