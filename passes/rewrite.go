package passes

import "moge/ir"

// rewrite is ir.Rewrite for passes, whose replacements always fit.
func rewrite(g *ir.Graph, fn func(r *ir.Rewriter, n *ir.Node) []*ir.Value) *ir.Graph {
	out, err := ir.Rewrite(g, fn)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return out
}

// positions gives, by value ID, the place of the node that defines the value.
func positions(g *ir.Graph) []int {
	at := make([]int, g.Values())
	for i, n := range g.Nodes {
		for _, v := range n.Results {
			at[v.ID] = i
		}
	}
	return at
}

// through follows first arguments from v back over nodes of the given ops and returns the
// last of them, or nil where another op is in the way.
func through(v *ir.Value, ops ...ir.Op) *ir.Node {
	n := v.Def
	for i, op := range ops {
		if i > 0 {
			n = n.Args[0].Def
		}
		if n.Op != op {
			return nil
		}
	}
	return n
}

// operand is the first argument of n that op defines, or nil.
func operand(n *ir.Node, op ir.Op) *ir.Node {
	for _, a := range n.Args {
		if a.Def.Op == op {
			return a.Def
		}
	}
	return nil
}

// reader is the only node of op among users, or nil.
func reader(users []*ir.Node, op ir.Op) *ir.Node {
	var found *ir.Node
	for _, n := range users {
		if n.Op != op {
			continue
		}
		if found != nil {
			return nil
		}
		found = n
	}
	return found
}

// isLinear reports whether n is a float linear, plain or grouped.
func isLinear(n *ir.Node) bool { return n.Op == ir.OpLinear || n.Op == ir.OpGroupedLinear }

// firstWeight is the index of the first weight among the arguments of a linear.
func firstWeight(n *ir.Node) int {
	if n.Op == ir.OpGroupedLinear {
		return 2 // x, offsets
	}
	return 1 // x
}

// allConstant reports whether every value is computed from weights alone.
func allConstant(values []*ir.Value, constant []bool) bool {
	for _, v := range values {
		if !constant[v.ID] {
			return false
		}
	}
	return true
}

const (
	schemeAttr = "scheme"
	noScheme   = "none"
)

// schemeOf is the name of the scheme of a linear.
func schemeOf(n *ir.Node) string {
	if name := n.Str(schemeAttr); name != "" {
		return name
	}
	return noScheme
}
