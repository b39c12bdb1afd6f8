package passes

import (
	"encoding/binary"
	"math"

	"moge/ir"
)

// eliminateCommonValues lets the first of several equal nodes stand for the others. Nodes
// are equal when op, attributes, arguments and types are; the site matters only to linears,
// whose scheme it decides.
func eliminateCommonValues(g *ir.Graph) *ir.Graph {
	first := make(map[string][]*ir.Value, len(g.Nodes))
	var key []byte
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if unique(n.Op) {
			return nil
		}
		args := r.Values(n.Args)
		key = appendKey(key[:0], n, args)
		if same, ok := first[string(key)]; ok {
			return same
		}
		first[string(key)] = r.Copy(n).Results
		return r.Values(n.Results)
	})
}

// unique holds for nodes that differ from all others by their name or their effect.
func unique(op ir.Op) bool {
	return op == ir.OpInput || op == ir.OpWeight || op == ir.OpState || op == ir.OpObserve
}

func appendKey(key []byte, n *ir.Node, args []*ir.Value) []byte {
	key = append(key, byte(n.Op))
	key = binary.AppendUvarint(key, uint64(len(args)))
	for _, a := range args {
		key = binary.AppendUvarint(key, uint64(a.ID))
	}
	for _, a := range n.Attrs {
		key = appendAttr(key, a)
	}
	if n.Op == ir.OpReshape {
		key = append(key, n.Result().Type.String()...)
	}
	if isLinear(n) {
		key = append(key, n.Site...)
	}
	return key
}

// appendAttr writes name and strings before a zero byte, which neither holds, and numbers
// at fixed or self-delimiting width.
func appendAttr(key []byte, a ir.Attr) []byte {
	key = append(append(key, a.Name...), 0, byte(a.Kind))
	key = binary.AppendVarint(key, a.Int)
	key = binary.LittleEndian.AppendUint32(key, math.Float32bits(a.Float))
	key = append(append(key, a.Str...), 0)
	return append(key, byte(a.DType))
}
