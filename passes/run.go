package passes

import (
	"fmt"
	"slices"
	"time"

	"moge/ir"
	"moge/ir/shape"
)

// Compile runs the whole pipeline over g, which stays as it is. It fails on options that do
// not fit the graph: unknown or required passes in Off, override patterns that match
// nothing, static schemes without statistics of their sites.
func Compile(g *ir.Graph, opt Options) (*ir.Graph, *Report, error) {
	modes := compiling
	if opt.partitioned() {
		modes |= partitioning
	}
	return run(g, opt, modes)
}

// ForCalibration gives the graph that Compile would quantize, with an observe in front of
// every linear that has a scheme, and without outputs: what no observer needs is left out.
// The observe has the site of the linear; a fused one, such as layers.0.self_attn.q+k+v,
// speaks for all its members (ir.SiteMembers), and it is under their names that
// Options.Stats is read. Grouped linears pass their offsets too, so that ranges and tokens
// are known for each expert. g must be the whole model: what none of its outputs needs is
// dead before the observers come.
func ForCalibration(g *ir.Graph, opt Options) (*ir.Graph, error) {
	out, _, err := run(g, opt, calibrating)
	return out, err
}

func run(g *ir.Graph, opt Options, m mode) (*ir.Graph, *Report, error) {
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
	if err := ir.Verify(g); err != nil {
		return nil, nil, fmt.Errorf("graph %s is invalid: %w", g.Name, err)
	}
	c := &compilation{opt: opt, report: &Report{}}
	if err := c.dump(0, Entry, g); err != nil {
		return nil, nil, err
	}
	for i := range pipeline {
		p := &pipeline[i]
		if p.modes&m == 0 || slices.Contains(opt.Off, p.name) {
			continue
		}
		var err error
		if g, err = c.step(i, p, g); err != nil {
			return nil, nil, err
		}
		c.traffic(p, g)
	}
	mustVerify(g, "the pipeline")
	return g, c.report, nil
}

// step runs one pass with all that surrounds it.
func (c *compilation) step(i int, p *pass, g *ir.Graph) (*ir.Graph, error) {
	start := time.Now()
	out, err := c.guarded(p, g)
	if err != nil {
		return nil, err
	}
	if c.opt.Time != nil {
		c.opt.Time(p.name, time.Since(start))
	}
	if c.opt.Verify {
		mustVerify(out, "pass "+p.name)
	}
	return out, c.dump(i+1, p.name, out)
}

// guarded makes a panic name the pass and the graph.
func (c *compilation) guarded(p *pass, g *ir.Graph) (*ir.Graph, error) {
	defer func() {
		if cause := recover(); cause != nil {
			panic(fmt.Sprintf("BUG: pass %s on graph %s: %v", p.name, g.Name, cause))
		}
	}()
	return p.run(g, c)
}

func (c *compilation) dump(index int, name string, g *ir.Graph) error {
	if c.opt.Dump == nil {
		return nil
	}
	if err := c.opt.Dump(index, name, g); err != nil {
		return fmt.Errorf("dump of %s: %w", name, err)
	}
	return nil
}

// mustVerify panics: the graph was valid at entry, so a pass broke it.
func mustVerify(g *ir.Graph, who string) {
	if err := ir.Verify(g); err != nil {
		panic(fmt.Sprintf("BUG: %s left graph %s invalid: %v", who, g.Name, err))
	}
}

// traffic notes what ranks send after a pass, with one token a rank.
func (c *compilation) traffic(p *pass, g *ir.Graph) {
	if p.modes != partitioning || p.name == "BlockDynamicScales" {
		return
	}
	env := &shape.Env{shape.T: int64(c.opt.Placement.Attn.TP), shape.L: 1}
	t := MeasureTraffic(g, env)
	t.Pass = p.name
	c.report.Traffic = append(c.report.Traffic, t)
}
