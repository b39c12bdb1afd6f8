package cost

import (
	"moge/ascend/kernel"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// Model is what of a model decides how long its steps take. Sizes are elements; a layer has experts
// or is dense.
type Model struct {
	Name                  string
	Hidden, Vocabulary    int64
	Positions             int64 // that it was made for; 0 where nobody says
	Layers                int64 // all of them
	DenseLayers           int64 // those without experts
	Heads, KVHeads        int64
	HeadDim               int64
	DenseWidth            int64
	Experts, PerToken     int64
	Groups                int64 // 0 when the router is not grouped
	ExpertWidth           int64
	SharedWidth           int64 // 0 for no shared expert
	QKVBias, OutBias      bool
	HeadNorm              bool // of queries and keys
	GateCalls             int64
	Weights, Head, Cached dtype.Type // of linears, of the last product, of keys and values
}

// Parameters is all weights of the model but norms and biases; active is those that one token meets.
func (m *Model) Parameters() (total, active int64) {
	attn := m.Hidden * m.HeadDim * (2*m.Heads + 2*m.KVHeads)
	expert := 3 * m.Hidden * m.ExpertWidth
	sparse := m.Layers - m.DenseLayers
	rest := 2*m.Vocabulary*m.Hidden + m.Layers*attn + m.DenseLayers*3*m.Hidden*m.DenseWidth +
		sparse*(3*m.Hidden*m.SharedWidth+m.Experts*m.Hidden)
	return rest + sparse*m.Experts*expert, rest + sparse*m.PerToken*expert
}

// Sizes is what decides how the model can lie over ranks.
func (m *Model) Sizes() placement.Model {
	return placement.Model{Heads: int(m.Heads), KVHeads: int(m.KVHeads), Experts: int(m.Experts),
		Groups: int(m.Groups), PerToken: int(m.PerToken), ExpertWidth: int(m.ExpertWidth),
		SharedWidth: int(max(m.SharedWidth, m.DenseWidth)), Vocabulary: int(m.Vocabulary)}
}

// widthAlign is what inner widths of a rank are padded to: whole blocks of int8.
const widthAlign = kernel.Block

// Rules are what a machine asks of placements of a model with dynamic scales; padding is the most that is
// allowed, as a share.
func (m *Machine) Rules(padding float64) placement.Rules {
	return placement.Rules{Align: widthAlign, VocabAlign: fractal, MaxPadding: padding,
		EqualWidths: true, EqualHead: true, MaxRanks: m.MaxRanks}
}

// Schedule is which collectives a layer has.
type Schedule uint8

// Scattered is what the passes reach: reduce-scatter and all-gather around attention and experts, norms on
// shards of rows. Reduced is what they start from: an all-reduce after attention, one after routed and one
// after shared experts, norms on all rows of a group (paper §4.2.1).
const (
	Scattered Schedule = iota
	Reduced
)

// Step is what a step is asked for: of each sequence, Fresh new tokens, which with those before them
// are Context positions.
type Step struct{ Sequences, Fresh, Context int64 }

// Decode is one token for each of some sequences of some length.
func Decode(sequences, context int64) Step { return Step{sequences, 1, context} }

// Prefill is whole prompts.
func Prefill(sequences, length int64) Step { return Step{sequences, length, length} }

// layout is how the rows of a step lie over the ranks of a placement.
type layout struct {
	p         placement.Placement
	ranks     int64
	sequences int64 // of the largest group of attention
	shard     int64 // rows that a rank owns between blocks
	local     int64 // rows of attention's products
	s         Step
	schedule  Schedule
}

func (s Step) over(p placement.Placement, schedule Schedule) layout {
	dp, tp := int64(p.Attn.DP), int64(p.Attn.TP)
	l := layout{p: p, ranks: int64(p.Devices), sequences: ceilDiv(s.Sequences, dp), s: s,
		schedule: schedule}
	l.shard = ceilDiv(l.sequences*s.Fresh, tp)
	if l.local = tp * l.shard; schedule == Reduced {
		l.shard = l.local
	}
	return l
}

// gathered is the rows that the ranks of a group have together.
func (l *layout) gathered(d placement.Degrees) int64 {
	ranks := int64(d.ModelGroup().Size)
	if l.schedule == Reduced {
		return ceilDiv(ranks, int64(l.p.Attn.TP)) * l.local
	}
	return ranks * l.shard
}

// real is the tokens among the rows of a group of so many ranks.
func (l *layout) real(ranks int) int64 {
	all := l.s.Sequences * l.s.Fresh
	return min(all, ceilDiv(all*int64(ranks), l.ranks))
}
