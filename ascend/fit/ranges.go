package fit

import (
	"moge/ir"
	"moge/quant"
)

// Ranges is what calibrating a model, before all passes, could have measured: with it a static
// scheme can be assessed without running the model, for its shapes do not depend on the numbers.
func Ranges(g *ir.Graph) (*quant.Stats, error) {
	place, _ := g.GetMeta("gate_weight")
	s := &quant.Stats{Source: "none", Calibration: "none", GateWeight: quant.GateWeight(place)}
	one := quant.Range{AMax: 1, Tokens: 1}
	for _, n := range g.Nodes {
		site := quant.Site{Name: n.Site, Range: one}
		switch n.Op {
		case ir.OpGroupedLinear:
			for range n.Experts(2) { // behind rows and offsets
				site.Experts = append(site.Experts, one)
			}
			site.Tokens = int64(len(site.Experts))
		case ir.OpLinear:
		default:
			continue
		}
		if err := s.Add(site); err != nil {
			return nil, err
		}
	}
	return s, nil
}
