package passes

import (
	"strings"

	"moge/ir"
)

// fuseQKV makes one linear of the query, key and value projections of a layer: three linears
// on the same value at sites that end in q, k and v. The parts must agree in scheme, in
// having a bias and in element types.
func fuseQKV(g *ir.Graph) *ir.Graph {
	users := g.Users()
	return mergeLinears(g, func(n *ir.Node) []*ir.Node {
		layer, isQuery := strings.CutSuffix(n.Site, ".q")
		if n.Op != ir.OpLinear || !isQuery {
			return nil
		}
		readers := users[n.Args[0].ID]
		k, v := linearAt(readers, layer+".k"), linearAt(readers, layer+".v")
		if k == nil || v == nil {
			return nil
		}
		return []*ir.Node{n, k, v}
	})
}

func linearAt(nodes []*ir.Node, site string) *ir.Node {
	for _, n := range nodes {
		if n.Op == ir.OpLinear && n.Site == site {
			return n
		}
	}
	return nil
}
