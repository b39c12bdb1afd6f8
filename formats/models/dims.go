package models

import (
	"fmt"
	"slices"

	"moge/formats/hf"
	"moge/ir/dtype"
)

// dims are the sizes and constants of a model, checked.
type dims struct {
	hidden, vocab     int64
	heads, kvHeads    int64
	headDim           int64 // even
	layers            int
	denseWidth        int64 // of the feed-forward block of layers without experts
	experts, perToken int64 // of a layer that has any; zero in a dense model
	groups            int64 // of experts; zero where the choice is over all
	expertWidth       int64
	sharedWidth       int64
	eps, theta        float32
	dtype             dtype.Type // of weights, as far as the config knows
	sparseLayer       []bool     // by layer: has experts
}

// Limits beyond which a config is taken for damaged: no published model comes near, and the
// graph of one that did would not fit in memory.
const (
	maxExpertNodes = 1 << 16 // experts of all layers together
	maxParameters  = 1 << 50
)

// measure takes the sizes out of a config and lists what the family cannot honour.
func measure(f *family, cfg *hf.Config) (dims, []string) {
	d := dims{
		hidden: int64(cfg.HiddenSize), vocab: int64(cfg.VocabSize), layers: cfg.Layers,
		heads: int64(cfg.Heads), kvHeads: int64(cfg.KVHeads), headDim: int64(cfg.HeadDim),
		denseWidth: int64(cfg.Intermediate), eps: float32(cfg.RMSNormEps),
		theta: float32(cfg.RopeTheta), dtype: cfg.DType, sparseLayer: make([]bool, cfg.Layers),
	}
	if cfg.RopeTheta == 0 {
		d.theta = f.theta
	}
	if !d.dtype.Float() {
		d.dtype = dtype.BF16
	}
	p := problems{}
	p.checkShared(cfg, d)
	if f.routing != nil {
		p.measureExperts(f.routing, cfg, &d)
	}
	if d.denseWidth == 0 && slices.Contains(d.sparseLayer, false) {
		p.add("intermediate_size is missing, but there are layers without experts")
	}
	if d.parameters() > maxParameters {
		p.add("the sizes make a model of more than 2^50 parameters")
	}
	return d, p.list
}

// problems collects what is wrong with a config.
type problems struct{ list []string }

func (p *problems) add(format string, args ...any) {
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

// checkShared checks what is alike in all families.
func (p *problems) checkShared(cfg *hf.Config, d dims) {
	if cfg.HiddenAct != "" && cfg.HiddenAct != "silu" {
		p.add("hidden_act is %q, want silu", cfg.HiddenAct)
	}
	if cfg.PartialRotary != 1 {
		p.add("partial_rotary_factor is %v, want rotation of whole heads", cfg.PartialRotary)
	}
	if w := cfg.SlidingWindow; w > 0 && w < cfg.MaxPositions {
		p.add("sliding_window is %d, but attention over a window is not supported", w)
	}
	if d.headDim%2 != 0 {
		p.add("head_dim is %d, want an even number", d.headDim)
	}
}

// measureExperts takes the sizes of the experts and the layers that have them.
func (p *problems) measureExperts(r *routing, cfg *hf.Config, d *dims) {
	d.experts, d.perToken = int64(cfg.Experts), int64(cfg.ExpertsPerToken)
	d.expertWidth = int64(r.width(cfg))
	count := int64(0)
	for layer := range d.sparseLayer {
		if d.sparseLayer[layer] = r.sparse(cfg, layer); d.sparseLayer[layer] {
			count++
		}
	}
	switch {
	case d.experts == 0:
		p.add("num_experts is missing")
	case count*d.experts > maxExpertNodes:
		p.add("%d layers of %d experts are more than %d", count, d.experts, maxExpertNodes)
	}
	if d.expertWidth == 0 {
		p.add("%s is missing", r.widthKey)
	}
	if d.sharedWidth = int64(cfg.SharedIntermediate); r.shared && d.sharedWidth == 0 {
		p.add("shared_expert_intermediate_size is missing")
	}
	p.group(r, d)
}

// group derives the groups of experts: the configs of grouped families have no key for them.
func (p *problems) group(r *routing, d *dims) {
	if !r.grouped || d.experts == 0 {
		return
	}
	if d.groups = d.perToken; d.experts%d.groups != 0 {
		p.add("num_experts is %d, which does not divide into num_experts_per_tok = %d groups "+
			"of as many experts", d.experts, d.perToken)
	}
}

// parameters is about how many the sizes make, in floating point since it may be beyond an int64.
func (d dims) parameters() float64 {
	f := func(n int64) float64 { return float64(n) }
	perLayer := 4*f(d.heads)*f(d.headDim) + 3*f(d.denseWidth) + 3*f(d.sharedWidth) +
		3*f(d.experts)*f(d.expertWidth)
	return f(d.hidden) * (2*f(d.vocab) + float64(d.layers)*perLayer)
}
