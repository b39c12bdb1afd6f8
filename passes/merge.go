package passes

import (
	"slices"
	"strings"

	"moge/ir"
)

// mergeLinears makes one linear of each group of linears that find proposes and that fits:
// weights and biases one after the other along N, in the order of the group, and each old
// result a slice of the new one. A linear rounds each element of its result on its own, so
// nothing changes.
func mergeLinears(g *ir.Graph, find func(n *ir.Node) []*ir.Node) *ir.Graph {
	plan := make([][]*ir.Node, g.Values()) // by ID of a part's result
	constant := g.Constants()
	found := false
	for _, n := range g.Nodes {
		parts := find(n)
		if parts == nil || !mergeable(parts, constant) || slices.ContainsFunc(parts,
			func(p *ir.Node) bool { return plan[p.Result().ID] != nil }) {
			continue
		}
		found = true
		for _, p := range parts {
			plan[p.Result().ID] = parts
		}
	}
	if !found {
		return g
	}
	return removeDeadValues(rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		parts := plan[n.Results[0].ID]
		if parts == nil {
			return nil
		}
		merge(r, parts)
		return r.Values(n.Results)
	}))
}

// mergeable checks that the parts differ in nothing but N, and lie side by side in the model.
func mergeable(parts []*ir.Node, constant []bool) bool {
	first := parts[0]
	shared := firstWeight(first)
	for i, p := range parts {
		if !isLinear(p) || p.Op != first.Op || len(p.Args) != len(first.Args) ||
			!slices.Equal(p.Args[:shared], first.Args[:shared]) ||
			schemeOf(p) != schemeOf(first) || sitePrefix(p.Site) != sitePrefix(first.Site) ||
			!allConstant(p.Args[shared:], constant) || slices.Contains(parts[:i], p) {
			return false
		}
		for j := shared; j < len(p.Args); j++ {
			if !stackable(first.Args[j].Type, p.Args[j].Type) {
				return false
			}
		}
	}
	return true
}

// stackable compares weights [N,K], [E,N,K] or biases [N] in everything but N.
func stackable(a, b ir.Type) bool {
	if a.DType != b.DType || len(a.Shape) != len(b.Shape) {
		return false
	}
	for i := range a.Shape {
		if i != outputAxis(a) && a.Shape[i] != b.Shape[i] {
			return false
		}
	}
	return true
}

// outputAxis is the place of N in the shape of a weight or a bias.
func outputAxis(t ir.Type) int { return max(0, len(t.Shape)-2) }

func sitePrefix(site string) string { return site[:strings.LastIndexByte(site, '.')+1] }

func merge(r *ir.Rewriter, parts []*ir.Node) {
	first := parts[0]
	sites := make([]string, len(parts))
	for i, p := range parts {
		sites[i] = p.Site
	}
	site := ir.JoinSites(sites...)
	shared := firstWeight(first)
	args := r.Values(first.Args[:shared])
	for j := shared; j < len(first.Args); j++ {
		column := make([]*ir.Value, len(parts))
		for i, p := range parts {
			column[i] = r.Value(p.Args[j])
		}
		args = append(args, concat(r.Builder, site, column, outputAxis(first.Args[j].Type)))
	}
	merged := r.Add(first.Op, site, args, first.Attrs...)[0]
	lo := int64(0)
	for _, p := range parts {
		hi := lo + p.Result().Type.Shape[1].Coef
		r.Set(p, []*ir.Value{r.Slice(p.Site, merged, 1, lo, hi)})
		lo = hi
	}
}
