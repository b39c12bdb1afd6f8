package eval

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/sample"
)

// Comparison says how far a model is from the one it was made of, over the scored tokens of
// a text. Shares are from 0 to 1.
type Comparison struct {
	Base     *Perplexity `json:"base"`
	Model    *Perplexity `json:"model"`
	KL       float64     `json:"mean_kl"`   // mean of KL(base‖model), nats
	SameTop1 float64     `json:"same_top1"` // rows whose likeliest token is the same
	// SameExperts is the share of the base's expert choices that the model makes too; absent
	// for models without experts.
	SameExperts *float64     `json:"same_experts,omitempty"`
	Layers      []LayerShare `json:"same_experts_by_layer,omitempty"`
}

// LayerShare is Comparison.SameExperts of one layer.
type LayerShare struct {
	Layer       int     `json:"layer"`
	SameExperts float64 `json:"same_experts"`
}

// Compare scores windows as MeasurePerplexity does, with both models step by step.
func Compare(ctx context.Context, base, model *engine.Engine, windows [][]int32,
	progress Progress) (*Comparison, error) {
	s, err := newScoring(windows, progress, base, model)
	if err != nil {
		return nil, err
	}
	c := &comparing{scoring: s, base: newWalker(base), model: newWalker(model)}
	c.layers = expertLayers(base, model)
	c.same, c.choices = make([]int, len(c.layers)), make([]int, len(c.layers))
	defer c.base.close()
	defer c.model.close()
	for _, pieces := range s.steps {
		if err := c.step(ctx, pieces); err != nil {
			return nil, err
		}
		s.advance(pieces)
	}
	return c.result(), nil
}

// expertLayers lists the layers for which both models give their expert choices.
func expertLayers(base, model *engine.Engine) []int {
	var layers []int
	have := model.Outputs()
	for _, name := range base.Outputs() {
		number, ok := strings.CutPrefix(name, "experts.")
		if layer, err := strconv.Atoi(number); ok && err == nil && slices.Contains(have, name) {
			layers = append(layers, layer)
		}
	}
	slices.Sort(layers)
	return layers
}

type comparing struct {
	*scoring
	base, model   *walker
	layers        []int
	losses        [2]float64 // of base and model
	kl            float64
	top1          int
	same, choices []int // by index of layers
}

// outcome is a copy of what one model gave in a step.
type outcome struct {
	logits  []float32
	experts [][]int32 // by index of layers, [T,K]
}

func (c *comparing) run(ctx context.Context, w *walker, pieces []piece) (outcome, error) {
	var o outcome
	err := w.step(ctx, pieces, func(r device.Runner) error {
		logits, err := r.Floats("logits")
		if err != nil {
			return err
		}
		o.logits = slices.Clone(logits)
		for _, layer := range c.layers {
			ids, err := r.Ints(fmt.Sprintf("experts.%d", layer))
			if err != nil {
				return err
			}
			o.experts = append(o.experts, slices.Clone(ids))
		}
		return nil
	})
	return o, err
}

func (c *comparing) step(ctx context.Context, pieces []piece) error {
	a, err := c.run(ctx, c.base, pieces)
	if err != nil {
		return err
	}
	b, err := c.run(ctx, c.model, pieces)
	if err != nil {
		return err
	}
	if len(a.logits) != len(b.logits) {
		return fmt.Errorf("the models have vocabularies of different sizes and cannot be compared")
	}
	return c.add(a, b, c.targets(pieces))
}

func (c *comparing) add(a, b outcome, targets []int32) error {
	for i, o := range []outcome{a, b} {
		losses, err := lossesOf(o.logits, targets)
		if err != nil {
			return err
		}
		add(&c.losses[i], losses)
	}
	vocab := len(a.logits) / len(targets)
	kl, top1 := make([]float64, len(targets)), make([]bool, len(targets))
	eachRow(len(targets), func(r int) {
		p, q := a.logits[r*vocab:(r+1)*vocab], b.logits[r*vocab:(r+1)*vocab]
		kl[r], top1[r] = sample.KL(p, q), largest(p) == largest(q)
	})
	add(&c.kl, kl)
	for _, same := range top1 {
		if same {
			c.top1++
		}
	}
	for i := range c.layers {
		c.same[i] += shared(a.experts[i], b.experts[i], len(targets))
		c.choices[i] += len(a.experts[i])
	}
	return nil
}

func largest(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// shared counts the choices of a that b makes too, token by token.
func shared(a, b []int32, tokens int) int {
	n := 0
	ka, kb := len(a)/tokens, len(b)/tokens
	for t := range tokens {
		for _, e := range a[t*ka : (t+1)*ka] {
			if slices.Contains(b[t*kb:(t+1)*kb], e) {
				n++
			}
		}
	}
	return n
}

func (c *comparing) result() *Comparison {
	out := &Comparison{Base: c.perplexity(c.losses[0]), Model: c.perplexity(c.losses[1]),
		KL: c.kl / float64(c.total), SameTop1: float64(c.top1) / float64(c.total)}
	same, choices := 0, 0
	for i, layer := range c.layers {
		out.Layers = append(out.Layers, LayerShare{layer, float64(c.same[i]) / float64(c.choices[i])})
		same, choices = same+c.same[i], choices+c.choices[i]
	}
	if choices > 0 {
		share := float64(same) / float64(choices)
		out.SameExperts = &share
	}
	return out
}
