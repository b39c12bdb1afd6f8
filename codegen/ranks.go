package codegen

import (
	"google.golang.org/protobuf/proto"

	"moge/codegen/weights"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/placement"
)

// ForRanks completes a plan whose first rank has its sections: each rank of a placement gets the same
// sections, and each piece of work units that give every rank its part. Ranks that have the same part
// share a unit, so that it is evaluated once.
func (p *Plan) ForRanks(work []Work, place placement.Placement) {
	first, ranks := p.Manifest.Ranks[0], place.Devices
	p.Manifest.Placement = manifestPlacement(place)
	for r := 1; r < ranks; r++ {
		next := proto.CloneOf(first)
		next.Index, next.File = uint32(r), bundle.RankFile(r)
		p.Manifest.Ranks = append(p.Manifest.Ranks, next)
	}
	for _, w := range work {
		for _, group := range alike(w.Eval, ranks) {
			p.Units = append(p.Units, w.unitsOf(group)...)
		}
	}
}

// alike are the ranks that have the same part of what an evaluator reads, in order.
func alike(e Evaluator, ranks int) [][]int {
	values := e.Values()
	var groups [][]int
	at := map[string]int{}
	for r := range ranks {
		part := weights.Part(values, r)
		i, ok := at[part]
		if !ok {
			i = len(groups)
			at[part], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// unitsOf cuts the work for ranks that have the same part.
func (w Work) unitsOf(ranks []int) []Unit {
	units := w.Units()
	if len(ranks) == 1 && ranks[0] == 0 {
		return units // rank 0 is what sources mean where nothing is said
	}
	for i := range units {
		u := &units[i]
		u.Eval = onRanks{u.Eval, ranks}
		one := u.Extents
		u.Extents = nil
		for _, r := range ranks {
			for _, e := range one {
				e.Rank = r
				u.Extents = append(u.Extents, e)
			}
		}
	}
	return units
}

// onRanks evaluates the part of ranks that have the same one.
type onRanks struct {
	Evaluator
	ranks []int
}

// Eval gives the extents of the first rank, and copies of them to the others.
func (o onRanks) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	each := len(out) / len(o.ranks)
	if err := o.Evaluator.Eval(weights.OnRank(src, o.ranks[0]), lo, hi, out[:each]); err != nil {
		return err
	}
	for i, part := range out[each:] {
		copy(part, out[i%each])
	}
	return nil
}

// manifestPlacement is a placement as a manifest has it; nil for one rank.
func manifestPlacement(p placement.Placement) *bundlepb.Placement {
	if p.Devices == 1 {
		return nil
	}
	degrees := func(d placement.Degrees) *bundlepb.Degrees {
		return &bundlepb.Degrees{Dp: uint32(d.DP), Ep: uint32(d.EP), Tp: uint32(d.TP)}
	}
	return &bundlepb.Placement{Devices: uint32(p.Devices), Attention: degrees(p.Attn),
		Experts: degrees(p.Experts), Shared: degrees(p.Shared), EmbedTp: uint32(p.EmbedTP),
		HeadTp: uint32(p.HeadTP)}
}
