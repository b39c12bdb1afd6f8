package passes

import (
	"slices"

	"moge/ir"
)

// insertObservers measures what each linear with a scheme reads. A grouped linear is
// observed after its rows were sorted by expert, with the offsets, so that the tokens and
// the range of each expert are seen. The outputs go: calibration wants the observers, and
// what comes after the last of them need not run.
func insertObservers(g *ir.Graph) *ir.Graph {
	out := rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if !isLinear(n) || schemeOf(n) == noScheme || observed(n) {
			return nil
		}
		args := r.Values(n.Args)
		args[0] = r.Op1(ir.OpObserve, n.Site, slices.Clone(args[:firstWeight(n)])...)
		return r.Add(n.Op, n.Site, args, n.Attrs...)
	})
	out.Outputs = nil
	return out
}

func observed(n *ir.Node) bool {
	x := n.Args[0].Def
	return x.Op == ir.OpObserve && x.Site == n.Site
}
