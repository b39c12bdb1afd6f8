package passes

import (
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// Traffic is what the collectives of a partitioned graph send.
type Traffic struct {
	Pass     string // after which it is so
	Count    int    // collectives of one step
	Elements int64  // that one rank sends in one step
	Bytes    int64
}

// MeasureTraffic counts the collectives of a step and what one rank sends in them, by the scalars of
// the step. On a ring a rank of n sends (n-1)/n of what it sums up, and n-1 times what it has when rows
// are gathered.
func MeasureTraffic(g *ir.Graph, env *shape.Env) Traffic {
	t := Traffic{}
	for _, n := range g.Nodes {
		elements, ok := sent(n, env)
		if !ok {
			continue
		}
		t.Count++
		t.Elements += elements
		t.Bytes += CarriedType(n).Bytes(elements)
	}
	return t
}

// CarriedType is the element type that a collective sends.
func CarriedType(n *ir.Node) dtype.Type {
	if wire, ok := n.Attr("wire"); ok {
		return wire.DType
	}
	return n.Args[0].Type.DType
}

// sent is how many elements one rank sends in a collective.
func sent(n *ir.Node, env *shape.Env) (int64, bool) {
	if n.Op != ir.OpAllGather && n.Op != ir.OpReduceScatter && n.Op != ir.OpAllReduce {
		return 0, false
	}
	have := int64(1)
	for _, d := range n.Args[0].Type.Shape.Eval(env) {
		have *= d
	}
	ranks := n.Int("size")
	switch n.Op {
	case ir.OpAllGather:
		return (ranks - 1) * have, true
	case ir.OpReduceScatter:
		return (ranks - 1) * have / ranks, true
	}
	return 2 * (ranks - 1) * have / ranks, true
}
