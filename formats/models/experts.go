package models

import (
	"fmt"
	"slices"

	"moge/formats/hf"
	"moge/ir"
	"moge/ir/dtype"
)

// routerSite names the choice of experts of a layer, expertsSite the experts.
func routerSite(layer int) string { return layerSite(layer) + ".mlp.router" }

func expertsSite(layer int) string { return layerSite(layer) + ".mlp.experts" }

// choice is which experts each token uses, and how much of each: both [T,K].
type choice struct{ weights, ids *ir.Value }

// expertNames spells the tensors of the experts of a layer.
type expertNames struct{ block, gate, up, down string }

// topK scores x by softmax over all experts and takes the k best; renormalised weights sum to one.
func (n *net) topK(layer int, module string, x *ir.Value, renormalise bool) choice {
	site := routerSite(layer)
	p := n.Op1(ir.OpSoftmax, site, n.linear(site, module, x, n.hidden, n.experts, false))
	top := n.Add(ir.OpTopK, site, []*ir.Value{p}, ir.Int("k", n.perToken))
	w := top[0]
	if renormalise {
		w = n.Op1(ir.OpDiv, site, w, n.Op1(ir.OpSumLast, site, w))
	}
	return choice{weights: w, ids: top[1]}
}

// mixture runs the chosen experts over x [T,hidden] and adds their results, weighted: [T,hidden].
func (n *net) mixture(layer int, names expertNames, x *ir.Value, c choice) *ir.Value {
	n.chosen = append(n.chosen, ir.Output{Name: fmt.Sprintf("experts.%d", layer), Value: c.ids})
	site := expertsSite(layer)
	gates, ups, downs := n.expertWeights(layer, names)
	route := n.Add(ir.OpRoute, site, []*ir.Value{c.ids}, ir.Int("experts", n.experts))
	order, offsets := route[0], route[1]
	rows := n.Op1(ir.OpPermute, site, x, order)
	gate := n.grouped(site+".gate", rows, offsets, gates)
	up := n.grouped(site+".up", rows, offsets, ups)
	y := n.grouped(site+".down", n.gated(site, gate, up), offsets, downs)
	return n.Op1(ir.OpCombine, site, y, order, c.weights)
}

func (n *net) grouped(site string, rows, offsets *ir.Value, weights []*ir.Value) *ir.Value {
	args := append([]*ir.Value{rows, offsets}, n.sameType(site, weights)...)
	return n.Op1(ir.OpGroupedLinear, site, args...)
}

// expertWeights asks for all experts of a layer, in the order of checkpoints.
func (n *net) expertWeights(layer int, names expertNames) (gates, ups, downs []*ir.Value) {
	for e := range n.experts {
		module := fmt.Sprintf("%s.%s.experts.%d.", layerModule(layer), names.block, e)
		gates = append(gates, n.weight(module+names.gate+".weight", n.expertWidth, n.hidden))
		ups = append(ups, n.weight(module+names.up+".weight", n.expertWidth, n.hidden))
		downs = append(downs, n.weight(module+names.down+".weight", n.hidden, n.expertWidth))
	}
	n.routed += 3 * n.experts * n.expertWidth * n.hidden
	return gates, ups, downs
}

// sameType gives weights of mixed types as f32, which holds all of them exactly: a grouped
// linear takes one type.
func (n *net) sameType(site string, weights []*ir.Value) []*ir.Value {
	first := weights[0].Type.DType
	if !slices.ContainsFunc(weights, func(w *ir.Value) bool { return w.Type.DType != first }) {
		return weights
	}
	cast := make([]*ir.Value, len(weights))
	for i, w := range weights {
		cast[i] = n.Add(ir.OpCast, site, []*ir.Value{w}, ir.DType("to", dtype.F32))[0]
	}
	return cast
}

const expertWidthKey = "moe_intermediate_size"

func expertWidth(cfg *hf.Config) int { return cfg.MoEIntermediate }

// isSparse is the rule by which configs of Qwen and Pangu place experts; without its keys every
// layer has them.
func isSparse(cfg *hf.Config, layer int) bool {
	return !slices.Contains(cfg.MLPOnlyLayers, layer) && (layer+1)%max(cfg.DecoderSparseStep, 1) == 0
}
