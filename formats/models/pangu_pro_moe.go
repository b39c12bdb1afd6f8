package models

import (
	"moge/formats/hf"
	"moge/ir"
	"moge/ir/shape"
)

// panguProMoE is Pangu Pro MoE V1, a mixture of grouped experts (MoGE, arXiv 2505.21411): the
// experts form as many groups as a token has experts, and each group gives one.
var panguProMoE = family{
	architecture: "PanguProMoEForCausalLM",
	name:         "pangu_pro_moe",
	theta:        16e6,
	attention: func(*hf.Config) attention {
		return attention{qkvBias: true, outBias: true}
	},
	feedForward: panguFeedForward,
	routing: &routing{sparse: isSparse, width: expertWidth, widthKey: expertWidthKey,
		grouped: true, shared: true},
}

var panguExperts = expertNames{block: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj"}

// panguFeedForward adds the shared expert last and unweighted.
func panguFeedForward(n *net, layer int, x *ir.Value) *ir.Value {
	if !n.sparseLayer[layer] {
		return n.dense(layer, x, false)
	}
	y := n.mixture(layer, panguExperts, x, n.groupedTop1(layer, x))
	site := layerSite(layer) + ".mlp.shared"
	shared := n.mlp(site, layerModule(layer)+".mlp.shared_expert", x, n.sharedWidth, false)
	return n.Op1(ir.OpAdd, site, y, shared)
}

// groupedTop1 is the gate: softmax over all experts, the best of each group by the unscaled
// probability, then its router_scale (a parameter [1,experts]); weights are not renormalised.
func (n *net) groupedTop1(layer int, x *ir.Value) choice {
	site, module := routerSite(layer), layerModule(layer)+".mlp"
	gate := n.weight(module+".gate.weight", n.experts, n.hidden)
	scale := n.Reshape(site, n.weight(module+".router_scale", 1, n.experts), shape.Make(n.experts))
	c := n.definition(ir.OpMoEGate, site, []*ir.Value{x, gate, scale}, ir.Int("groups", n.groups))
	return choice{weights: c[0], ids: c[1]}
}
