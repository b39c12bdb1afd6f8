package models

import (
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

const (
	embedName = "model.embed_tokens.weight"
	headName  = "lm_head.weight"
)

// decoder builds the whole step: embedding, pre-norm layers, and logits for the wanted rows.
// Rows are taken before the last norm, which works on each alone.
func (n *net) decoder() {
	ids := n.Input("tokens", ir.Tensor(dtype.I32, tokens()))
	n.positions = n.Input("positions", ir.Tensor(dtype.I32, tokens()))
	n.sequences = n.Input("sequences", ir.Tensor(dtype.I32, tokens()))
	rows := n.Input("rows", ir.Tensor(dtype.I32, shape.Rows(shape.Of(shape.L))))
	embedding := n.weight(embedName, n.vocab, n.hidden)
	h := n.Op1(ir.OpEmbed, "embed", ids, embedding)
	table := n.Add(ir.OpRopeTable, "rope", []*ir.Value{n.positions},
		ir.Int("dim", n.headDim), ir.Float("theta", n.theta))
	n.cos, n.sin = table[0], table[1]
	for layer := range n.layers {
		h = n.layer(layer, h)
	}
	h = n.norm("norm", "model.norm", n.Op1(ir.OpTakeRows, "norm", h, rows), n.hidden)
	head := embedding
	if !n.cfg.TieEmbeddings {
		head = n.weight(headName, n.vocab, n.hidden)
	}
	n.Output("logits", n.Op1(ir.OpLinear, "lm_head", h, head))
	n.Graph.Outputs = append(n.Graph.Outputs, n.chosen...)
}

// layer is one pre-norm block: h [T,hidden] gives [T,hidden].
func (n *net) layer(layer int, h *ir.Value) *ir.Value {
	site, module := layerSite(layer), layerModule(layer)
	x := n.norm(site+".input_norm", module+".input_layernorm", h, n.hidden)
	x = n.attention(layer, x, n.family.attention(n.cfg))
	h = n.Op1(ir.OpAdd, site+".self_attn.residual", h, x)
	x = n.norm(site+".post_norm", module+".post_attention_layernorm", h, n.hidden)
	y := n.family.feedForward(n, layer, x)
	return n.Op1(ir.OpAdd, site+".mlp.residual", h, y)
}
