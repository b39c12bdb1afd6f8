package placement

import "fmt"

// Model is what of a model decides how it can lie. Sizes are elements.
type Model struct {
	Heads, KVHeads int
	Experts        int // routed, of a layer; 0 for a dense model
	Groups         int // that the router chooses within; 0 or 1 when it is not grouped
	PerToken       int // experts of a token
	ExpertWidth    int // inner width of a routed expert
	SharedWidth    int // inner width of the shared expert or the MLP; 0 when there is none
	Vocabulary     int
}

// Rules are what a machine asks of the parts.
type Rules struct {
	// Align is what inner widths of a rank's parts are padded to, elements: where a product's depth
	// or width must be whole blocks. 0 reads as 1.
	Align int
	// VocabAlign is the same for its part of the vocabulary.
	VocabAlign int
	// MaxPadding is the largest share of zeros, relative to what is real, in any part; 0 allows none.
	MaxPadding float64
	// EqualWidths asks for inner widths that ranks split into equal parts: where each part of a row is
	// quantized with a scale of its own.
	EqualWidths bool
	// EqualHead asks the same of the head's parts of the vocabulary: where one kernel serves all ranks.
	EqualHead bool
	// MaxRanks is how many ranks a collective can have; 0 is any number.
	MaxRanks int
}

// IllegalError says why a model cannot lie in a placement.
type IllegalError struct {
	Placement Placement
	Rules     Rules
	Reason    string
}

// Error gives the placement and the reason.
func (e *IllegalError) Error() string { return fmt.Sprintf("placement %v: %s", e.Placement, e.Reason) }

// Check tells whether a model can lie in p; the error is an *IllegalError.
func (p Placement) Check(m Model, r Rules) error {
	for _, check := range []func(Model, Rules) string{
		p.checkRanks, p.checkAttention, p.checkExperts, p.checkTables, p.checkNesting, p.checkPadding} {
		if reason := check(m, r); reason != "" {
			return &IllegalError{p, r, reason}
		}
	}
	return nil
}

func (p Placement) checkRanks(_ Model, r Rules) string {
	for _, part := range []struct {
		name string
		d    Degrees
	}{{"attention", p.Attn}, {"experts", p.Experts}, {"shared", p.Shared}} {
		if min(part.d.DP, part.d.EP, part.d.TP) < 1 || part.d.Ranks() != p.Devices {
			return fmt.Sprintf(
				"%s %v is for %d ranks, there are %d",
				part.name,
				part.d,
				part.d.Ranks(),
				p.Devices,
			)
		}
	}
	if r.MaxRanks > 0 && p.Devices > r.MaxRanks {
		return fmt.Sprintf("collectives of this machine join %d ranks at most", r.MaxRanks)
	}
	return ""
}

func (p Placement) checkAttention(m Model, _ Rules) string {
	if p.Attn.EP != 1 || p.Shared.EP != 1 {
		return "only routed experts have expert parallelism"
	}
	if m.Heads%p.Attn.TP != 0 || m.KVHeads%p.Attn.TP != 0 {
		return fmt.Sprintf(
			"attention tp%d does not divide %d heads and %d KV heads",
			p.Attn.TP,
			m.Heads,
			m.KVHeads,
		)
	}
	return ""
}

func (p Placement) checkExperts(m Model, _ Rules) string {
	switch ep := p.Experts.EP; {
	case m.Experts == 0 || ep == 1:
		return ""
	case m.Groups <= 1:
		return fmt.Sprintf(
			"ep%d: the router is not grouped, so that how many rows a rank's experts get is not known "+
				"before a step; use tp",
			ep,
		)
	case m.Groups%ep != 0:
		return fmt.Sprintf("ep%d does not divide %d groups of experts", ep, m.Groups)
	}
	return ""
}

func (p Placement) checkTables(Model, Rules) string {
	for _, t := range []struct {
		name string
		tp   int
	}{{"embed", p.EmbedTP}, {"head", p.HeadTP}} {
		if t.tp < 1 || p.Devices%t.tp != 0 {
			return fmt.Sprintf("%s tp%d does not divide %d ranks", t.name, t.tp, p.Devices)
		}
	}
	if p.EmbedTP > 1 && p.EmbedTP != p.Attn.TP {
		return fmt.Sprintf("embed tp%d is neither 1 nor the tp%d of attention, whose ranks see the same tokens",
			p.EmbedTP, p.Attn.TP)
	}
	return ""
}

// checkNesting: rows are gathered from and scattered to groups of ranks inside one another.
func (p Placement) checkNesting(m Model, _ Rules) string {
	sizes := []int{p.Attn.ModelGroup().Size}
	if m.Experts > 0 {
		sizes = append(sizes, p.Experts.ModelGroup().Size)
	}
	if m.SharedWidth > 0 {
		sizes = append(sizes, p.Shared.ModelGroup().Size)
	}
	for i, a := range sizes {
		for _, b := range sizes[:i] {
			if a%b != 0 && b%a != 0 {
				return fmt.Sprintf("groups of %d and of %d ranks do not lie inside one another", b, a)
			}
		}
	}
	return ""
}

func (p Placement) checkPadding(m Model, r Rules) string {
	for _, part := range p.Parts(m, r) {
		if part.Size == 0 {
			return fmt.Sprintf("%s of %d cannot be split %d ways", part.Name, part.Whole, part.Ways)
		}
		if part.equal && part.Whole%part.Ways != 0 {
			return fmt.Sprintf("%s of %d does not make %d equal parts, as this machine or scheme needs",
				part.Name, part.Whole, part.Ways)
		}
		if part.Waste() > r.MaxPadding {
			return fmt.Sprintf("%s: %d of %d pads to %d, %.1f %% more; --max-padding allows %.1f %%", part.Name,
				part.Size, part.Whole, part.Padded, 100*part.Waste(), 100*r.MaxPadding)
		}
	}
	return ""
}

// Part is a dimension that ranks split.
type Part struct {
	Name                      string
	Whole, Ways, Size, Padded int
	equal                     bool // whether all must have the same size
}

// Waste is padding relative to what is real.
func (p Part) Waste() float64 { return float64(p.Padded-p.Size) / float64(p.Size) }

// Parts lists the dimensions that are split and may be padded. A size of 0 is a dimension with fewer
// elements than ranks, or one that leaves a rank without any.
func (p Placement) Parts(m Model, r Rules) []Part {
	var parts []Part
	add := func(name string, whole, ways, align int, equal bool) {
		if whole == 0 || ways == 1 {
			return
		}
		size, padded := Block(whole, ways, align)
		parts = append(parts, Part{name, whole, ways, size, padded, equal})
	}
	add("expert width", m.ExpertWidth, p.Experts.TP, r.Align, r.EqualWidths)
	add("shared width", m.SharedWidth, p.Shared.TP, r.Align, r.EqualWidths)
	add("embedded vocabulary", m.Vocabulary, p.EmbedTP, r.VocabAlign, false)
	add("vocabulary of the head", m.Vocabulary, p.HeadTP, r.VocabAlign, r.EqualHead)
	return parts
}

// Block is the part of a dimension that each of so many ranks has, the last one maybe less, and what
// it is padded to. Both are 0 where a rank would have none.
func Block(whole, ways, align int) (size, padded int) {
	size = (whole + ways - 1) / ways
	if size*(ways-1) >= whole {
		return 0, 0
	}
	align = max(align, 1)
	return size, (size + align - 1) / align * align
}

// List gives every legal placement for a number of ranks, H2P first if it is legal, then by degrees.
// The tables are as in H2P: a whole embedding on each rank, the head over all, or whole where that is not
// legal.
func List(m Model, r Rules, devices int) []Placement {
	var list []Placement
	add := func(p Placement) {
		for _, have := range list {
			if have == p {
				return
			}
		}
		if p.Check(m, r) == nil {
			list = append(list, p)
		}
	}
	add(H2P(devices))
	experts, shared := []Degrees{{1, 1, devices}}, []Degrees{{1, 1, devices}}
	if m.Experts > 0 {
		experts = degrees(devices, true)
	}
	if m.SharedWidth > 0 {
		shared = degrees(devices, false)
	}
	for _, a := range degrees(devices, false) {
		for _, e := range experts {
			for _, s := range shared {
				p := Placement{devices, a, e, s, 1, devices}
				if p.Check(m, r) != nil {
					p.HeadTP = 1
				}
				add(p)
			}
		}
	}
	return list
}

// degrees lists the ways to split a number of ranks, tensors first.
func degrees(devices int, experts bool) []Degrees {
	var list []Degrees
	for dp := 1; dp <= devices; dp++ {
		for ep := 1; ep <= devices/dp; ep++ {
			if devices%(dp*ep) == 0 && (ep == 1 || experts) {
				list = append(list, Degrees{dp, ep, devices / (dp * ep)})
			}
		}
	}
	return list
}
