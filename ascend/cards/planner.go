package cards

import (
	"context"
	"fmt"
	"strings"

	"moge/ascend/gate"
	"moge/ascend/host"
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/codegen"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// Folder holds the kernel project in a bundle.
const Folder = "kernels/"

// Planner plans for a card; it is a driver.Planner.
type Planner struct {
	Product string
	// Gate says how kernels are executed before anything is written; nil leaves it out, and the
	// bundle then says so.
	Gate *gate.Options
}

var _ driver.Planner = (*Planner)(nil)

// Settings fits the settings of a job to a card: activations, float weights and the cache are halves.
func Settings(s *driver.Settings) {
	s.Passes.Activations, s.Passes.Float, s.Passes.KV = dtype.F16, dtype.F16, dtype.F16
}

// Rules are what a card asks of a placement: inner widths are whole blocks of int8, parts of the
// vocabulary whole fractals and those of the head equal, and its collectives join so many ranks.
func Rules(product string, maxPadding float64) (placement.Rules, error) {
	chip, err := soc.Find(product)
	if err != nil {
		return placement.Rules{}, err
	}
	r := placement.Rules{Align: kernel.Block, VocabAlign: kernel.FractalRows, MaxPadding: maxPadding,
		EqualHead: true}
	for _, op := range []string{"AllGather", "ReduceScatter"} {
		if c, ok := chip.Collective(op); ok && c.MaxRanks > 0 && (r.MaxRanks == 0 || c.MaxRanks < r.MaxRanks) {
			r.MaxRanks = c.MaxRanks
		}
	}
	return r, nil
}

// Emission is the kernels of a model, printed, with the project around them.
type Emission struct {
	Chip     *soc.Chip
	Kernels  []gate.Kernel
	Project  []host.File
	programs []*device.Program
	model    *model.Model
}

// Emit selects, lowers and prints the kernels of a graph after all passes.
func Emit(g *ir.Graph, product string, l codegen.Limits) (*Emission, error) {
	chip, err := soc.Find(product)
	if err != nil {
		return nil, err
	}
	e := &Emission{Chip: chip}
	e.model, err = model.New(g, chip, model.Limits{Tokens: int(l.BatchTokens), Sequences: int(l.Seqs),
		Rows: int(l.LogitsRows), Context: int(l.Context)})
	if err != nil {
		return nil, err
	}
	if e.programs, e.Kernels, err = gate.Emit(chip, e.model.Specs()); err != nil {
		return nil, err
	}
	e.Project, err = host.Project(chip, e.programs)
	return e, err
}

// source is where a bundle has the text of a kernel that the gate executes.
func source(kernel string) string { return Folder + "cann8/" + kernel + ".cpp" }

// Plan emits kernels, executes them, and plans their launches. *FailedError is a gate not passed.
func (p *Planner) Plan(ctx context.Context, g *ir.Graph, l codegen.Limits) (
	*codegen.Plan, []bundle.SmallFile, error) {
	e, err := Emit(g, p.Product, l)
	if err != nil {
		return nil, nil, err
	}
	plan, err := e.model.Plan(e.programs, source)
	if err != nil {
		return nil, nil, err
	}
	plan.Manifest.Targets = []string{p.Product}
	if err := checkMemory(p.Product, plan.Manifest); err != nil {
		return nil, nil, err
	}
	if plan.Manifest.Gate, err = p.judge(ctx, e); err != nil {
		return nil, nil, err
	}
	var files []bundle.SmallFile
	for _, f := range e.Project {
		files = append(files, bundle.SmallFile{Path: Folder + f.Path, Data: f.Data})
	}
	return plan, files, nil
}

func (p *Planner) judge(ctx context.Context, e *Emission) (*bundlepb.Gate, error) {
	if p.Gate == nil {
		return &bundlepb.Gate{}, nil
	}
	r, err := gate.Run(ctx, e.Chip, e.Kernels, *p.Gate)
	if err != nil {
		return nil, err
	}
	if !r.Passed() {
		return nil, &FailedError{r}
	}
	record := &bundlepb.Gate{Passed: true, Seed: r.Seed}
	for _, row := range r.Rows {
		share := 0.0
		if row.Bound > 0 {
			share = row.Error / row.Bound
		}
		record.Rows = append(record.Rows, &bundlepb.GateRow{Kernel: row.Kernel, Cases: int64(row.Cases),
			Error: share, Cycles: int64(row.Cycles)})
	}
	return record, nil
}

// FailedError says that kernels did not give what they must.
type FailedError struct{ Report *gate.Report }

// Error names each kernel that failed, and why.
func (e *FailedError) Error() string {
	var list []string
	for _, row := range e.Report.Rows {
		if !row.Passed {
			list = append(list, fmt.Sprintf("kernel %s: %s", row.Kernel, row.Reason))
		}
	}
	return strings.Join(list, "; ")
}
