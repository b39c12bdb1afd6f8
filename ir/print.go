package ir

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// textVersion is the version of the IR text that this package writes and reads.
const textVersion = 1

// Print writes the graph as text. Values are numbered in order of appearance, so equal
// graphs print equally whatever their IDs.
func Print(w io.Writer, g *Graph) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "moge.ir %d\ngraph %s\n", textVersion, strconv.Quote(g.Name))
	for _, m := range g.Meta {
		fmt.Fprintf(out, "meta %s = %s\n", strconv.Quote(m.Key), strconv.Quote(m.Value))
	}
	number := make([]int, g.nextID)
	next := 0
	for _, n := range g.Nodes {
		for _, r := range n.Results {
			number[r.ID] = next
			next++
		}
		out.WriteString(format(n, number))
		out.WriteByte('\n')
	}
	for _, o := range g.Outputs {
		fmt.Fprintf(out, "output %s = %%%d\n", strconv.Quote(o.Name), number[o.Value.ID])
	}
	return out.Flush()
}

// String is the whole text of the graph.
func (g *Graph) String() string {
	var b strings.Builder
	if err := Print(&b, g); err != nil {
		panic("BUG: printing to memory failed")
	}
	return b.String()
}

// Format is the text of one node, for messages; values appear under their IDs.
func Format(n *Node) string { return format(n, nil) }

func format(n *Node, number []int) string {
	var b strings.Builder
	for i, r := range n.Results {
		if i > 0 {
			b.WriteString(", ")
		}
		writeValue(&b, r, number)
	}
	if len(n.Results) > 0 {
		b.WriteString(" = ")
	}
	if n.Op == OpInvalid || n.Op >= opEnd {
		return b.String() + "op?"
	}
	b.WriteString(n.Op.String())
	b.WriteByte('(')
	for i, a := range n.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		writeValue(&b, a, number)
	}
	b.WriteByte(')')
	writeAttrs(&b, n.Attrs)
	if n.Site != "" {
		b.WriteString(" @" + n.Site)
	}
	for i, r := range n.Results {
		b.WriteString([]string{" : ", ", "}[min(i, 1)] + r.Type.String())
	}
	return b.String()
}

func writeValue(b *strings.Builder, v *Value, number []int) {
	b.WriteByte('%')
	switch {
	case v == nil:
		b.WriteByte('?')
	case number == nil:
		b.WriteString(strconv.Itoa(v.ID))
	default:
		b.WriteString(strconv.Itoa(number[v.ID]))
	}
}

func writeAttrs(b *strings.Builder, attrs []Attr) {
	for i, a := range attrs {
		b.WriteString([]string{" {", ", "}[min(i, 1)] + a.Name + "=" + a.value())
	}
	if len(attrs) > 0 {
		b.WriteByte('}')
	}
}
