package seeding

import (
	"context"
	"fmt"

	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernels"
	"moge/ascend/soc"
)

// Row is what became of the mutants of one kernel.
type Row struct {
	Kernel   string
	Mutants  int
	Verifier int     // caught by the verifier
	Emulator int     // caught by executing them
	Left     []Fault // not caught, in the order of the kernel
}

// Fault is one that nothing noticed.
type Fault struct {
	What string // was taken away
	Why  string // it is harmless; empty if it is not known to be
}

// Caught is how many mutants were caught.
func (r *Row) Caught() int { return r.Verifier + r.Emulator }

// Options says which mutants are made and at what they are executed.
type Options struct {
	// Every takes one mutant of so many of each kernel; 0 takes all.
	Every int
	// Rounds are run one after another for what is left; what is known to be harmless takes part in
	// the first only, unless All.
	Rounds []Round
	All    bool
	// Progress, if not nil, is called after each kernel.
	Progress func(Row)
}

// Run seeds faults into the kernels of specs, a row each.
func Run(ctx context.Context, chip *soc.Chip, specs []kernels.Spec, o Options) ([]Row, error) {
	rows := make([]Row, len(specs))
	for i, s := range specs {
		var err error
		if rows[i], err = one(ctx, chip, s, o, i); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", s.KernelName(), err)
		}
		if o.Progress != nil {
			o.Progress(rows[i])
		}
	}
	return rows, nil
}

// one seeds faults into one kernel, number at.
func one(ctx context.Context, chip *soc.Chip, s kernels.Spec, o Options, at int) (Row, error) {
	row := Row{Kernel: s.KernelName()}
	k, err := s.Kernel()
	if err != nil {
		return row, err
	}
	p, err := lower.Lower(k, chip)
	if err != nil {
		return row, err
	}
	var left []device.Mutant
	for _, m := range sampled(device.Mutants(p), o.Every, at) {
		row.Mutants++
		if device.FirstBreach(m.Program) != nil {
			row.Verifier++
		} else {
			left = append(left, m)
		}
	}
	left, err = execute(ctx, chip, s, left, o)
	row.Emulator = row.Mutants - row.Verifier - len(left)
	for _, m := range left {
		why, _ := Harmless(s.Kind(), m.What, p.Peer != nil)
		row.Left = append(row.Left, Fault{m.What, why})
	}
	return row, err
}

// sampled is one of every few mutants, others for other kernels.
func sampled(all []device.Mutant, every, kernel int) []device.Mutant {
	if every <= 1 {
		return all
	}
	var out []device.Mutant
	for i := kernel % every; i < len(all); i += every {
		out = append(out, all[i])
	}
	return out
}
