package passes

import (
	"strings"

	"moge/ir"
	"moge/ir/dtype"
)

// storedOps are the ops whose f32 results a machine without f32 activations stores in its own
// type. Ops that only move rows hand on what was rounded before.
var storedOps = map[ir.Op]bool{
	ir.OpEmbed: true, ir.OpAdd: true, ir.OpSub: true, ir.OpMul: true, ir.OpDiv: true, ir.OpSiLU: true,
	ir.OpLinear: true, ir.OpGroupedLinear: true, ir.OpQLinear: true, ir.OpQGroupedLinear: true,
	ir.OpW8Linear: true, ir.OpW8GroupedLinear: true,
	ir.OpRotary: true, ir.OpAttend: true, ir.OpSwiGLU: true, ir.OpCombine: true,
}

// floatSites end the names of sites that stay in f32: the router decides by small
// differences, and logits leave the machine.
var floatSites = []string{".router", "lm_head"}

// legalizeTypes writes into the graph where a machine with half-precision activations
// (Options.Activations) rounds: every stored result becomes what that type can hold, norms
// round inside as their unit does. Values keep type f32, so the graph means the same to the
// interpreter as to the machine. What only swiglu reads is not stored, nor a
// combination of experts that only a sum reads: the two are one kernel.
func legalizeTypes(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	to := c.opt.Activations
	if to == dtype.Invalid || to == dtype.F32 {
		return g, nil
	}
	users := g.Users()
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if n.Op == ir.OpRMSNorm || n.Op == ir.OpAddRMSNorm {
			copied := r.Copy(n)
			copied.SetAttr(ir.DType("round", to))
			return copied.Results
		}
		if !storedOps[n.Op] || staysFloat(n.Site) || n.Result().Type.DType != dtype.F32 ||
			fusedAway(n.Op, users[n.Result().ID], to) {
			return nil
		}
		return []*ir.Value{ir.Rounded(r.Builder, n.Site, r.Copy(n).Result(), to)}
	}), nil
}

func staysFloat(site string) bool {
	for _, suffix := range floatSites {
		if strings.HasSuffix(site, suffix) {
			return true
		}
	}
	return false
}

// fusedAway reports whether all readers take the value of op before it is stored, or it is
// rounded already.
func fusedAway(op ir.Op, users []*ir.Node, to dtype.Type) bool {
	for _, n := range users {
		a, _ := n.Attr("to")
		rounded := n.Op == ir.OpCast && a.DType == to
		if !rounded && n.Op != ir.OpSwiGLU && (op != ir.OpCombine || n.Op != ir.OpAdd) {
			return false
		}
	}
	return len(users) > 0
}
