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
		groups := alike(w.Eval, ranks)
		if len(groups) > 1 && weights.CutsColumns(w.Eval.Values()) {
			p.Units = append(p.Units, w.together(groups)...)
			continue
		}
		for _, group := range groups {
			p.Units = append(p.Units, w.unitsOf(group)...)
		}
	}
}

// together cuts the work for all groups of ranks at once, where each takes its columns of the same rows:
// a unit has fewer items, for every group, and the rows are quantized once.
func (w Work) together(groups [][]int) []Unit {
	step := max(1, w.Step/int64(len(groups)))
	for w.Step%step != 0 {
		step--
	}
	w.Step = step
	w.Scratch += UnitBytes // the whole rows, about
	units := w.Units()
	for i := range units {
		u := &units[i]
		one := u.Extents
		u.Eval, u.Extents = inGroups{u.Eval, groups}, nil
		for _, ranks := range groups {
			u.Extents = append(u.Extents, extentsOf(one, ranks)...)
		}
	}
	return units
}

// extentsOf are the extents of ranks that have the same part.
func extentsOf(one []Extent, ranks []int) []Extent {
	var list []Extent
	for _, r := range ranks {
		for _, e := range one {
			e.Rank = r
			list = append(list, e)
		}
	}
	return list
}

// inGroups evaluates the parts of groups of ranks, one after the other.
type inGroups struct {
	Evaluator
	groups [][]int
}

// Eval gives the extents of each group.
func (g inGroups) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	src = weights.Remember(src)
	count := 0
	for _, ranks := range g.groups {
		count += len(ranks)
	}
	each := len(out) / count
	for _, ranks := range g.groups {
		n := each * len(ranks)
		if err := (onRanks{g.Evaluator, ranks}).Eval(src, lo, hi, out[:n]); err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
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
		u.Eval, u.Extents = onRanks{u.Eval, ranks}, extentsOf(u.Extents, ranks)
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
