package seeding

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"moge/ascend/emu"
	"moge/ascend/gate"
	"moge/ascend/kernel/device"
	"moge/ascend/kernels"
	"moge/ascend/soc"
)

// Round is cases to execute mutants at: those of a gate with these shapes and seed.
type Round struct {
	Shapes gate.Shapes
	Seed   uint64
}

// caseTime bounds one execution: a mutant that never ends is caught by that.
const caseTime = time.Minute

// execute runs mutants of the kernel of a spec and returns those that gave what the kernel must
// give, without a finding, in every case of every round.
func execute(ctx context.Context, chip *soc.Chip, s kernels.Spec, ms []device.Mutant,
	o Options) ([]device.Mutant, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	programs := named(ms)
	lib, err := compile(ctx, chip, programs)
	if err != nil {
		return nil, err
	}
	defer lib.Close()
	caught := make([]bool, len(ms))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range programs {
		group.Go(func() error {
			var err error
			rounds := o.Rounds
			if _, known := Harmless(s.Kind(), ms[i].What, p.Peer != nil); known && !o.All {
				rounds = rounds[:min(1, len(rounds))]
			}
			caught[i], err = noticed(ctx, lib, s, p, rounds)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var left []device.Mutant
	for i, m := range ms {
		if !caught[i] {
			left = append(left, m)
		}
	}
	return left, nil
}

// named gives each mutant a name of its own, so that all compile together.
func named(ms []device.Mutant) []*device.Program {
	out := make([]*device.Program, len(ms))
	for i, m := range ms {
		p := *m.Program
		p.Name = fmt.Sprintf("%s_mutant%d", p.Name, i)
		out[i] = &p
	}
	return out
}

func compile(ctx context.Context, chip *soc.Chip, ps []*device.Program) (*emu.Library, error) {
	sources := make([]emu.Source, len(ps))
	for i, p := range ps {
		sources[i] = emu.Source{Name: p.Name, Text: string(device.Print(p, device.CANN8))}
	}
	return emu.Compile(ctx, chip, sources)
}

// noticed reports whether some case fails on a mutant.
func noticed(ctx context.Context, lib *emu.Library, s kernels.Spec, p *device.Program,
	rounds []Round) (bool, error) {
	for _, r := range rounds {
		number := uint64(0)
		for c := range gate.Cases(s, r.Shapes, r.Seed) {
			number++
			failed, err := fails(ctx, lib, p, c, r.Seed*1000+number)
			if err != nil || failed {
				return failed, err
			}
		}
	}
	return false, nil
}

// fails executes one case. A mutant that crashes or never ends fails too.
func fails(ctx context.Context, lib *emu.Library, p *device.Program, c *gate.Case, seed uint64) (
	bool, error) {
	size, err := gate.MemoryOf(p, c)
	if err != nil {
		return false, err
	}
	dev, err := lib.Start(ctx, size)
	if err != nil {
		return false, err
	}
	defer dev.Close()
	limited, cancel := context.WithTimeout(ctx, caseTime)
	defer cancel()
	r, err := gate.Launch(limited, dev, p, c, gate.LaunchOptions{Seed: seed})
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%s, %s: %w", p.Name, c.Name, err)
	}
	return r.Failure() != "", nil
}
