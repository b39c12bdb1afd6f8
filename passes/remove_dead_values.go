package passes

import "moge/ir"

// removeDeadValues drops the nodes that no output and no effect needs.
func removeDeadValues(g *ir.Graph) *ir.Graph {
	live := liveValues(g)
	dead := func(n *ir.Node) bool {
		for _, v := range n.Results {
			if live[v.ID] {
				return false
			}
		}
		return !effect(n.Op)
	}
	for _, n := range g.Nodes {
		if dead(n) {
			return rewrite(g, func(_ *ir.Rewriter, n *ir.Node) []*ir.Value {
				if dead(n) {
					return make([]*ir.Value, len(n.Results)) // nothing stands for them
				}
				return nil
			})
		}
	}
	return g
}

// effect holds for ops that are kept without readers: inputs are the contract with the
// runtime, observers record.
func effect(op ir.Op) bool { return op == ir.OpInput || op == ir.OpObserve }

// liveValues tells, by ID, which values are needed. Definitions come before uses, so one
// sweep backwards is enough.
func liveValues(g *ir.Graph) []bool {
	live := make([]bool, g.Values())
	for _, o := range g.Outputs {
		live[o.Value.ID] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		needed := effect(n.Op)
		for _, v := range n.Results {
			needed = needed || live[v.ID]
		}
		if !needed {
			continue
		}
		for _, a := range n.Args {
			live[a.ID] = true
		}
	}
	return live
}
