package models

import (
	"moge/formats/hf"
	"moge/ir"
)

// mixtral is Mixtral: Llama whose every layer has experts, top-k over all, weights renormalised.
// intermediate_size is the width of an expert.
var mixtral = family{
	architecture: "MixtralForCausalLM",
	name:         "mixtral",
	theta:        1e6,
	attention:    func(*hf.Config) attention { return attention{} },
	feedForward:  mixtralFeedForward,
	routing: &routing{
		sparse:   func(*hf.Config, int) bool { return true },
		width:    func(cfg *hf.Config) int { return cfg.Intermediate },
		widthKey: "intermediate_size",
	},
}

var mixtralExperts = expertNames{block: "block_sparse_moe", gate: "w1", up: "w3", down: "w2"}

func mixtralFeedForward(n *net, layer int, x *ir.Value) *ir.Value {
	c := n.topK(layer, layerModule(layer)+".block_sparse_moe.gate", x, true)
	return n.mixture(layer, mixtralExperts, x, c)
}
