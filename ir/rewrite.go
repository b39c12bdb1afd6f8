package ir

// Rewriter builds a new graph from an old one, node by node.
type Rewriter struct {
	*Builder
	old *Graph
	new []*Value // by ID of an old value
}

// Rewrite copies g, letting fn replace nodes: it returns the new values of the node's
// results, or nil to copy the node. Nodes that become unused stay until RemoveDeadValues.
func Rewrite(g *Graph, fn func(r *Rewriter, n *Node) []*Value) (*Graph, error) {
	r := &Rewriter{Builder: NewBuilder(g.Name), old: g, new: make([]*Value, g.nextID)}
	r.Graph.Meta = append([]Meta(nil), g.Meta...)
	for _, n := range g.Nodes {
		if n.Results != nil && r.new[n.Results[0].ID] != nil {
			continue // already emitted on demand
		}
		if results := fn(r, n); results != nil {
			r.Set(n, results)
		} else {
			r.Copy(n)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	for _, o := range g.Outputs {
		r.Output(o.Name, r.Value(o.Value))
	}
	return r.Graph, nil
}

// Set makes values stand for the results of old node n.
func (r *Rewriter) Set(n *Node, results []*Value) {
	if len(results) != len(n.Results) {
		panic("BUG: replacement has another number of results")
	}
	for i, v := range n.Results {
		r.new[v.ID] = results[i]
	}
}

// Value is the new value of an old one. A weight, or what is computed from weights
// alone, is emitted on demand when its turn has not come yet.
func (r *Rewriter) Value(old *Value) *Value {
	if v := r.new[old.ID]; v != nil {
		return v
	}
	if old.Def.Op != OpWeight && !old.Def.Op.OnWeights() {
		panic("BUG: rewrite uses a value before its definition: " + Format(old.Def))
	}
	r.Copy(old.Def)
	return r.new[old.ID]
}

// Values maps several old values.
func (r *Rewriter) Values(old []*Value) []*Value {
	out := make([]*Value, len(old))
	for i, v := range old {
		out[i] = r.Value(v)
	}
	return out
}

// Copy appends a copy of old node n.
func (r *Rewriter) Copy(n *Node) *Node {
	declared := make([]Type, len(n.Results))
	for i, v := range n.Results {
		declared[i] = v.Type
	}
	results := r.AddTyped(n.Op, n.Site, declared, r.Values(n.Args), n.Attrs...)
	r.Set(n, results)
	return r.Graph.Nodes[len(r.Graph.Nodes)-1]
}
