package main

import (
	"fmt"
	"io"
	"strings"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/units"
)

// shown is how many lines of a list are printed without --verbose.
const shown = 5

// row prints a label and what belongs to it.
func row(w io.Writer, label, format string, args ...any) {
	fmt.Fprintf(w, "%-12s %s\n", label, fmt.Sprintf(format, args...))
}

func (r *jobReport) print(app *cli.App) {
	w := app.Out
	switch {
	case r.DryRun && r.Output == "":
		fmt.Fprintln(w, "nothing was written: dry run")
	case r.DryRun:
		fmt.Fprintf(w, "nothing was written: dry run for %s\n", r.Output)
	default:
		fmt.Fprintf(w, "wrote %s\n", r.Output)
	}
	row(w, "model", "%s, %s parameters, %s active", r.Model.Name, units.Count(r.Model.Total),
		units.Count(r.Model.Active))
	row(w, "linears", "%s", r.linears())
	row(w, "sections", "%s", r.sections())
	row(w, "output", "%s", r.output())
	if t := r.RunTime; t != nil {
		row(w, "run time", "weights %s, arena %s, cache %s (%d sequences of %d positions, %s)",
			units.Bytes(t.Weights), units.Bytes(t.Arena), units.Bytes(t.Cache), t.Seqs, t.Context, t.KV)
	}
	if g := r.Gate; g != nil {
		row(w, "gate", "%s", g)
	}
	r.Ranks.print(w)
	row(w, "memory", "%s at least to compile", units.Bytes(r.Memory))
	list(app, w, "warning", r.Warnings)
	list(app, w, "cast", r.castLines())
}

// print tells how the model lies over ranks, and what the passes saved between them.
func (r *rankFacts) print(w io.Writer) {
	if r == nil {
		return
	}
	row(w, "ranks", "%d of %s each, %s", r.Count, units.Bytes(r.Weights), r.Placement)
	if r.Balance != "" {
		row(w, "balance", "%s", r.Balance)
	}
	first, last := r.Traffic[0], r.Traffic[len(r.Traffic)-1]
	row(w, "traffic", "%d collectives a step; with a token a rank each rank sends %s, %s as first cut",
		last.Collectives, units.Bytes(last.Bytes), units.Bytes(first.Bytes))
}

func (r *jobReport) linears() string {
	var parts []string
	for _, t := range r.Linears {
		parts = append(parts, fmt.Sprintf("%d %s", t.Count, t.Kind))
	}
	if len(parts) == 0 {
		return "as quantized, " + r.Model.Scheme
	}
	return strings.Join(parts, ", ")
}

func (r *jobReport) sections() string {
	var parts []string
	for _, t := range r.Sections {
		parts = append(parts, fmt.Sprintf("%d %s %s", t.Count, t.Kind, units.Bytes(t.Bytes)))
	}
	return strings.Join(parts, ", ")
}

func (r *jobReport) output() string {
	if r.FreeBytes == nil {
		return units.Bytes(r.OutputBytes)
	}
	return fmt.Sprintf("%s, %s are free", units.Bytes(r.OutputBytes), units.Bytes(*r.FreeBytes))
}

func (r *jobReport) castLines() []string {
	var lines []string
	for _, c := range r.Casts {
		lines = append(lines, c.Tensor+": "+c.report.String())
	}
	return lines
}

// list prints the first few lines, all with --verbose.
func list(app *cli.App, w io.Writer, label string, lines []string) {
	for i, line := range lines {
		if i == shown && !app.Term.Verbose && len(lines) > shown+1 {
			row(w, "", "and %d more, -v shows them", len(lines)-shown)
			return
		}
		row(w, label, "%s", line)
	}
}
