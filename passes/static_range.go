package passes

import (
	"fmt"

	"moge/ir"
)

// staticRange is the magnitude that the static scale of n must cover: the largest over the
// places that n fuses and over their experts, for one scale serves all rows.
func (c *compilation) staticRange(g *ir.Graph, n *ir.Node) (float32, error) {
	if c.opt.Stats == nil {
		return 0, fmt.Errorf("%s: scheme %s needs calibration statistics; run with --calib",
			n.Site, schemeOf(n))
	}
	if err := c.checkConvention(g); err != nil {
		return 0, err
	}
	amax := float32(0)
	for _, site := range ir.SiteMembers(n.Site) {
		own, err := c.siteRange(n, site)
		if err != nil {
			return 0, fmt.Errorf("run with --calib to measure this model: %w", err)
		}
		amax = max(amax, own)
	}
	return amax, nil
}

// checkConvention refuses statistics that saw the inputs of down projections otherwise than
// the model computes them.
func (c *compilation) checkConvention(g *ir.Graph) error {
	place, stated := g.GetMeta("gate_weight")
	if !stated || string(c.opt.Stats.GateWeight) == place {
		return nil
	}
	return fmt.Errorf("run with --calib to measure this model: "+
		"the statistics have the gate weight %s, the model %s", c.opt.Stats.GateWeight, place)
}

func (c *compilation) siteRange(n *ir.Node, site string) (float32, error) {
	if n.Op == ir.OpLinear {
		amax, _, err := c.opt.Stats.Range(site, -1, c.opt.MinExpertTokens)
		return amax, err
	}
	experts := n.Experts(firstWeight(n))
	if s, ok := c.opt.Stats.Site(site); ok && int64(len(s.Experts)) != experts {
		return 0, fmt.Errorf("the statistics hold %d experts for site %s, the model has %d",
			len(s.Experts), site, experts)
	}
	amax := float32(0)
	for e := range int(experts) {
		own, fallback, err := c.opt.Stats.Range(site, e, c.opt.MinExpertTokens)
		if err != nil {
			return 0, err
		}
		if fallback != "" {
			c.report.Warnings = append(c.report.Warnings, fallback)
		}
		amax = max(amax, own)
	}
	return amax, nil
}
