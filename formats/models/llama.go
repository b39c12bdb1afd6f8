package models

import (
	"moge/formats/hf"
	"moge/ir"
)

// llama is the dense pre-norm decoder that the other families vary.
var llama = family{
	architecture: "LlamaForCausalLM",
	name:         "llama",
	theta:        1e4,
	attention: func(cfg *hf.Config) attention {
		return attention{qkvBias: cfg.AttentionBias, outBias: cfg.AttentionBias}
	},
	feedForward: func(n *net, layer int, x *ir.Value) *ir.Value {
		return n.dense(layer, x, n.cfg.MLPBias)
	},
}
