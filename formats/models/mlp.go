package models

import "moge/ir"

// mlp appends down(silu(gate(x)) · up(x)) of the given width: x [T,hidden] gives [T,hidden].
func (n *net) mlp(site, module string, x *ir.Value, width int64, bias bool) *ir.Value {
	gate := n.linear(site+".gate", module+".gate_proj", x, n.hidden, width, bias)
	up := n.linear(site+".up", module+".up_proj", x, n.hidden, width, bias)
	return n.linear(site+".down", module+".down_proj", n.gated(site, gate, up), width, n.hidden, bias)
}

// gated is silu(gate) · up.
func (n *net) gated(site string, gate, up *ir.Value) *ir.Value {
	return n.Op1(ir.OpMul, site, n.Op1(ir.OpSiLU, site, gate), up)
}

// dense is the feed-forward block of a layer without experts.
func (n *net) dense(layer int, x *ir.Value, bias bool) *ir.Value {
	return n.mlp(layerSite(layer)+".mlp", layerModule(layer)+".mlp", x, n.denseWidth, bias)
}
