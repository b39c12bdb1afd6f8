package passes

import (
	"fmt"

	"moge/ir"
)

// staticRange is the magnitude that the static scale of n must cover: the largest over the
// places that n fuses and over their experts, for one scale serves all rows.
func (c *compilation) staticRange(n *ir.Node) (float32, error) {
	if c.opt.Stats == nil {
		return 0, fmt.Errorf("%s: scheme %s needs calibration statistics; run with --calib",
			n.Site, schemeOf(n))
	}
	amax := float32(0)
	for _, site := range ir.SiteMembers(n.Site) {
		own, err := c.siteRange(n, site)
		if err != nil {
			return 0, fmt.Errorf("%s: %w; run with --calib to measure this model", site, err)
		}
		amax = max(amax, own)
	}
	return amax, nil
}

func (c *compilation) siteRange(n *ir.Node, site string) (float32, error) {
	if n.Op == ir.OpLinear {
		amax, _, err := c.opt.Stats.Range(site, -1, c.opt.MinExpertTokens)
		return amax, err
	}
	experts := n.Experts(firstWeight(n))
	if s, ok := c.opt.Stats.Site(site); ok && int64(len(s.Experts)) != experts {
		return 0, fmt.Errorf("the statistics hold %d experts, the model has %d",
			len(s.Experts), experts)
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
