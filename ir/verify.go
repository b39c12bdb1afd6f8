package ir

import (
	"fmt"
	"strings"
)

// Verify checks what holds between all passes: every node fits its row of the op table,
// every value is defined once and before its use, IDs are dense, each state value has at
// most one writer after it, names of inputs, states and outputs are unique, and the
// result types are those the constraints of SPEC.md imply.
func Verify(g *Graph) error {
	v := verifier{g: g, defined: make([]*Value, g.nextID), names: map[string]bool{},
		writers: make([]*Node, g.nextID)}
	for i, n := range g.Nodes {
		if err := v.node(n); err != nil {
			return fmt.Errorf("node %d: %s: %w", i, Format(n), err)
		}
	}
	return v.outputs()
}

type verifier struct {
	g       *Graph
	defined []*Value        // by ID
	names   map[string]bool // op:name of sources that must be unique
	writers []*Node         // by ID of a state value, the kv_write that takes it
}

func (v *verifier) node(n *Node) error {
	if n.Op == OpInvalid || n.Op >= opEnd {
		return violation("graph_c1", "unknown op %d", n.Op)
	}
	for i, a := range n.Args {
		if !v.isDefined(a) {
			return violation("graph_c2", "argument %d is not defined before its use", i)
		}
	}
	if !validSite(n.Site) {
		return violation("graph_c13", "the site %q is not made of letters, digits and ._+-", n.Site)
	}
	if err := v.unique(n); err != nil {
		return err
	}
	declared := make([]Type, len(n.Results))
	for i, r := range n.Results {
		declared[i] = r.Type
	}
	if err := checkForm(n, len(declared)); err != nil {
		return err
	}
	types, err := n.Op.row().infer(n, declared)
	if err != nil {
		return err
	}
	return v.define(n, types)
}

// isDefined tells whether a node before gave this very value: another of the same ID is
// one of another graph.
func (v *verifier) isDefined(a *Value) bool {
	return a != nil && a.ID >= 0 && a.ID < len(v.defined) && v.defined[a.ID] == a
}

func (v *verifier) define(n *Node, types []Type) error {
	if len(n.Results) != len(types) {
		return violation("graph_c10", "%d results, want %d", len(n.Results), len(types))
	}
	for i, r := range n.Results {
		if r.Def != n || r.Index != i || r.ID < 0 || r.ID >= len(v.defined) || v.defined[r.ID] != nil {
			return violation("graph_c3", "result %d is not defined exactly once", i)
		}
		if !r.Type.Equal(types[i]) {
			return violation("graph_c4", "result %d is %v, want %v", i, r.Type, types[i])
		}
		v.defined[r.ID] = r
	}
	return nil
}

// unique checks names of sources and the single use of states by kv_write.
func (v *verifier) unique(n *Node) error {
	if n.Op == OpInput || n.Op == OpState || n.Op == OpWeight {
		key := n.Op.String() + ":" + n.Str("name")
		if v.names[key] {
			return violation("graph_c5", "the name %q is taken", n.Str("name"))
		}
		v.names[key] = true
	}
	if n.Op == OpKVWrite {
		state := n.Args[0].ID
		if v.writers[state] != nil {
			return violation("graph_c6", "the state is written twice")
		}
		v.writers[state] = n
	}
	return nil
}

func (v *verifier) outputs() error {
	seen := map[string]bool{}
	for _, o := range v.g.Outputs {
		if !v.isDefined(o.Value) {
			return violation("graph_c7", "output %q is not defined", o.Name)
		}
		if seen[o.Name] || o.Name == "" {
			return violation("graph_c8", "the output name %q is empty or taken", o.Name)
		}
		seen[o.Name] = true
	}
	return nil
}

// checkForm checks argument count, result count and attributes against the row; declared
// is the number of stated result types.
func checkForm(n *Node, declared int) error {
	row := n.Op.row()
	if len(n.Args) < row.minArgs || row.maxArgs != variadic && len(n.Args) > row.maxArgs {
		return violation("graph_c9", "%d arguments", len(n.Args))
	}
	if row.declared && declared != row.results || n.Results != nil && len(n.Results) != row.results {
		return violation("graph_c10", "%d results, want %d", declared, row.results)
	}
	at := 0
	for _, spec := range row.attrs {
		if at < len(n.Attrs) && n.Attrs[at].Name == spec.name && n.Attrs[at].Kind == spec.kind {
			at++
		} else if !spec.optional {
			return violation("graph_c11", "attribute %s is missing", spec.name)
		}
	}
	if at != len(n.Attrs) {
		return violation("graph_c12", "attribute %s does not belong here", n.Attrs[at].Name)
	}
	return nil
}

// validSite keeps sites readable in text, patterns and file names.
func validSite(site string) bool {
	for _, c := range []byte(site) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if digit := c >= '0' && c <= '9'; !letter && !digit && !strings.ContainsRune("._+-", rune(c)) {
			return false
		}
	}
	return true
}
