package models

import (
	"moge/ir"
)

// qwen3MoE is Qwen3-MoE: Qwen3 attention, top-k over all experts, no shared expert.
var qwen3MoE = family{
	architecture: "Qwen3MoeForCausalLM",
	name:         "qwen3_moe",
	theta:        1e4,
	attention:    qwen3Attention,
	feedForward:  qwen3MoEFeedForward,
	routing:      &routing{sparse: isSparse, width: expertWidth, widthKey: expertWidthKey},
}

var qwen3Experts = expertNames{block: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj"}

func qwen3MoEFeedForward(n *net, layer int, x *ir.Value) *ir.Value {
	if !n.sparseLayer[layer] {
		return n.dense(layer, x, false)
	}
	renormalise := n.cfg.NormTopKProb != nil && *n.cfg.NormTopKProb
	c := n.topK(layer, layerModule(layer)+".mlp.gate", x, renormalise)
	return n.mixture(layer, qwen3Experts, x, c)
}
