package models

import (
	"math"

	"moge/ir"
	"moge/ir/dtype"
)

// attention is the variant of grouped-query attention with rotary positions.
type attention struct {
	qkvBias, outBias bool
	headNorm         bool // RMSNorm over each head of q and k, before rotation
}

// attention appends the block: x [T,hidden] gives [T,hidden].
func (n *net) attention(layer int, x *ir.Value, a attention) *ir.Value {
	site, module := layerSite(layer)+".self_attn", layerModule(layer)+".self_attn"
	q := n.rotated(site, module, "q", x, n.heads, a)
	k := n.rotated(site, module, "k", x, n.kvHeads, a)
	v := n.heads3(site, module, "v", x, n.kvHeads, a)
	keys, values := n.cache(site+".k", k), n.cache(site+".v", v)
	scale := float32(1 / math.Sqrt(float64(n.headDim)))
	y := n.Add(ir.OpAttend, site, []*ir.Value{q, keys, values, n.positions, n.sequences},
		ir.Float("scale", scale))[0]
	y = n.Reshape(site, y, tokens(n.heads*n.headDim))
	return n.linear(site+".o", module+".o_proj", y, n.heads*n.headDim, n.hidden, a.outBias)
}

// heads3 projects x to [T,heads,headDim].
func (n *net) heads3(site, module, name string, x *ir.Value, heads int64, a attention) *ir.Value {
	site += "." + name
	y := n.linear(site, module+"."+name+"_proj", x, n.hidden, heads*n.headDim, a.qkvBias)
	return n.Reshape(site, y, tokens(heads, n.headDim))
}

// rotated projects x to the heads of queries or keys, with their positions applied by halves.
func (n *net) rotated(site, module, name string, x *ir.Value, heads int64, a attention) *ir.Value {
	y := n.heads3(site, module, name, x, heads, a)
	if a.headNorm {
		norm := "." + name + "_norm"
		y = n.norm(site+norm, module+norm, y, n.headDim)
	}
	return n.definition(ir.OpRotary, site+"."+name, []*ir.Value{y, n.cos, n.sin})[0]
}

// cache stores rows [T,kvHeads,headDim] in the state of that name and gives the state after.
func (n *net) cache(site string, rows *ir.Value) *ir.Value {
	state := n.State(site, dtype.F32, n.kvHeads, n.headDim)
	return n.Op1(ir.OpKVWrite, site, state, rows, n.positions, n.sequences)
}
