package ir

import (
	"sort"
	"strings"
)

// Value is a result of a node. IDs are dense within a graph that has been renumbered.
type Value struct {
	ID    int
	Type  Type
	Def   *Node
	Index int // position among Def's results
}

// Node applies an op to values.
type Node struct {
	Op      Op
	Args    []*Value
	Results []*Value
	Attrs   []Attr // in the order of the op's row; optional ones may be absent
	// Site is the stable name of the place in the model, such as layers.3.mlp.experts.down.
	// A fusion of several places joins the last components with '+'.
	Site string
}

// Result is the only result of a node that has one.
func (n *Node) Result() *Value {
	if len(n.Results) != 1 {
		panic("BUG: " + n.Op.String() + " does not have one result")
	}
	return n.Results[0]
}

// Attr finds an attribute by name.
func (n *Node) Attr(name string) (Attr, bool) {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a, true
		}
	}
	return Attr{}, false
}

// Int is the value of an integer attribute, zero when absent.
func (n *Node) Int(name string) int64 {
	a, _ := n.Attr(name)
	return a.Int
}

// Float is the value of a float attribute, zero when absent.
func (n *Node) Float(name string) float32 {
	a, _ := n.Attr(name)
	return a.Float
}

// Str is the value of a string attribute, empty when absent.
func (n *Node) Str(name string) string {
	a, _ := n.Attr(name)
	return a.Str
}

// SetAttr adds or replaces an attribute, keeping the order of the op's row.
func (n *Node) SetAttr(a Attr) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == a.Name {
			n.Attrs[i] = a
			return
		}
	}
	n.Attrs = append(n.Attrs, a)
	order := func(name string) int { return n.Op.row().attrIndex(name) }
	sort.SliceStable(n.Attrs, func(i, j int) bool { return order(n.Attrs[i].Name) < order(n.Attrs[j].Name) })
}

// Output is a named result of the graph.
type Output struct {
	Name  string
	Value *Value
}

// Meta is one fact about the model that travels with the graph (vocabulary size, end of sequence …).
type Meta struct{ Key, Value string }

// Graph is one step of a model.
type Graph struct {
	Name    string
	Meta    []Meta // sorted by key, keys unique
	Nodes   []*Node
	Outputs []Output
	nextID  int
}

// SetMeta adds or replaces a fact.
func (g *Graph) SetMeta(key, value string) {
	i := sort.Search(len(g.Meta), func(i int) bool { return g.Meta[i].Key >= key })
	if i < len(g.Meta) && g.Meta[i].Key == key {
		g.Meta[i].Value = value
		return
	}
	g.Meta = append(g.Meta, Meta{})
	copy(g.Meta[i+1:], g.Meta[i:])
	g.Meta[i] = Meta{key, value}
}

// GetMeta finds a fact.
func (g *Graph) GetMeta(key string) (string, bool) {
	i := sort.Search(len(g.Meta), func(i int) bool { return g.Meta[i].Key >= key })
	if i < len(g.Meta) && g.Meta[i].Key == key {
		return g.Meta[i].Value, true
	}
	return "", false
}

// Values counts the values; every ID is below it.
func (g *Graph) Values() int { return g.nextID }

// Renumber gives the values dense IDs in order of appearance.
func (g *Graph) Renumber() {
	g.nextID = 0
	for _, n := range g.Nodes {
		for _, r := range n.Results {
			r.ID = g.nextID
			g.nextID++
		}
	}
}

// Uses counts, indexed by value ID, the arguments and outputs that read each value.
func (g *Graph) Uses() []int {
	uses := make([]int, g.nextID)
	for _, n := range g.Nodes {
		for _, a := range n.Args {
			uses[a.ID]++
		}
	}
	for _, o := range g.Outputs {
		uses[o.Value.ID]++
	}
	return uses
}

// Users lists, indexed by value ID, the nodes that read each value, in node order.
func (g *Graph) Users() [][]*Node {
	users := make([][]*Node, g.nextID)
	for _, n := range g.Nodes {
		for i, a := range n.Args {
			if !contains(n.Args[:i], a) {
				users[a.ID] = append(users[a.ID], n)
			}
		}
	}
	return users
}

func contains(list []*Value, v *Value) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// Constants tells, indexed by value ID, which values are computed from weights alone:
// those are evaluated by the compiler, never by a step.
func (g *Graph) Constants() []bool {
	constant := make([]bool, g.nextID)
	for _, n := range g.Nodes {
		c := n.Op == OpWeight
		if n.Op.row().weight && len(n.Args) > 0 {
			c = true
			for _, a := range n.Args {
				c = c && constant[a.ID]
			}
		}
		for _, r := range n.Results {
			constant[r.ID] = c
		}
	}
	return constant
}

// JoinSites names the fusion of several sites: a.q and a.k give a.q+k. The sites must
// share all components but the last.
func JoinSites(sites ...string) string {
	if len(sites) == 0 {
		return ""
	}
	joined := sites[0]
	for _, s := range sites[1:] {
		joined += "+" + s[strings.LastIndexByte(s, '.')+1:]
	}
	return joined
}

// SiteMembers undoes JoinSites.
func SiteMembers(site string) []string {
	at := strings.LastIndexByte(site, '.') + 1
	members := strings.Split(site[at:], "+")
	for i := range members {
		members[i] = site[:at] + members[i]
	}
	return members
}
