package models

import (
	"moge/formats/hf"
	"moge/ir"
)

// qwen3 is dense Qwen3: Llama with a norm over each head of q and k.
var qwen3 = family{
	architecture: "Qwen3ForCausalLM",
	name:         "qwen3",
	theta:        1e4,
	attention:    qwen3Attention,
	feedForward: func(n *net, layer int, x *ir.Value) *ir.Value {
		return n.dense(layer, x, false)
	},
}

func qwen3Attention(cfg *hf.Config) attention {
	return attention{qkvBias: cfg.AttentionBias, outBias: cfg.AttentionBias, headNorm: true}
}
