package ir

import (
	"fmt"
	"testing"
)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range Ops() {
		row := op.row()
		if row.name == "" || row.semantics == "" || row.infer == nil || row.results < 1 {
			t.Errorf("row %d (%s) is incomplete", op, row.name)
		}
		if seen[row.name] {
			t.Errorf("two rows are called %s", row.name)
		}
		seen[row.name] = true
		if got, ok := ParseOp(row.name); !ok || got != op {
			t.Errorf("ParseOp(%q) gives another op", row.name)
		}
		if row.maxArgs != variadic && row.maxArgs < row.minArgs {
			t.Errorf("%v takes %d to %d arguments", op, row.minArgs, row.maxArgs)
		}
		if fused := op >= OpAddRMSNorm; op.Fused() != fused {
			t.Errorf("%v: expansion is %v, its place in the table says %v", op, op.Fused(), fused)
		}
		names := map[string]bool{}
		for _, a := range row.attrs {
			if names[a.name] || a.kind == 0 {
				t.Errorf("attribute %s of %v is named twice or has no kind", a.name, op)
			}
			names[a.name] = true
		}
	}
	if _, ok := ParseOp("blend"); ok {
		t.Error("an unknown op was found")
	}
}

func TestRowOfAnUnknownOpPanics(t *testing.T) {
	for _, op := range []Op{OpInvalid, opEnd} {
		func() {
			defer func() {
				if got := recover(); got != "BUG: op without a row in the op table" {
					t.Errorf("op %d: %v", op, got)
				}
			}()
			_ = op.String()
		}()
	}
}

// expandable are nodes of fused ops in the forms that SPEC.md's examples do not show.
var expandable = []string{
	"qlinear i8[T,2] f32[T] i8[3,2] f32[3] bf16[3]",
	"qlinear i8[8*T,2] f32[8*T] i8[1,2] f32[1] f32[1]",
	"qgrouped_linear i8[T,2] i32[2] f32[T] i8[3,2] f32[3]",
	"qgrouped_linear i8[T,2] i32[3] f32[T] i8[2,3,2] f32[2,3]",
	"w8linear f32[T,2] i8[3,2] f32[3] f16[3]",
	"w8grouped_linear f32[T,2] i32[2] i8[3,2] f32[3]",
	"w8grouped_linear f32[T,2] i32[3] i8[3,2] i8[3,2] f32[3] f32[3]",
	"swiglu f32[L,2]",
	"rotary f32[L,1,2] f32[L,1] f32[L,1]",
	"add_rms_norm f32[1] f32[1] f32[1] eps",
	"add_rms_norm f32[T,2,4] f32[T,2,4] f16[4] eps",
	"moe_gate f32[T,2] f32[8,2] groups",
	"moe_gate f32[T,2] bf16[1,2] f16[1] groups",
	"moe_gate f32[T,2] f16[65536,2] groups",
}

// An expansion consists of primitives, passes the type rules, and gives the types that
// the type rule of the fused op gives.
func TestExpansions(t *testing.T) {
	var nodes []*Node
	spec, _ := readSpec(t)
	for _, op := range spec {
		g, err := Parse(op.name, exampleGraph(op))
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, g.Nodes[len(g.Nodes)-1])
	}
	for _, text := range expandable {
		nodes = append(nodes, expandableNode(t, text))
	}
	count := 0
	for _, n := range nodes {
		if n.Op.Fused() {
			count++
			checkExpansion(t, n)
		}
	}
	if want := int(opEnd-OpAddRMSNorm) + len(expandable); count != want {
		t.Errorf("%d expansions were checked, want %d", count, want)
	}
}

// expandableNode builds a node from its op, argument types and, last, its attribute.
func expandableNode(t *testing.T, text string) *Node {
	t.Helper()
	var name string
	if _, err := fmt.Sscan(text, &name); err != nil {
		t.Fatal(err)
	}
	rest, attrs := text[len(name):], []Attr(nil)
	switch name {
	case "add_rms_norm":
		rest, attrs = rest[:len(rest)-len("eps")], eps(0.5)
	case "moe_gate":
		rest, attrs = rest[:len(rest)-len("groups")], groups(1)
	}
	op, _ := ParseOp(name)
	b := NewBuilder(text)
	b.Add(op, "site", operands(t, b, rest), attrs...)
	g, err := b.Finish()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return g.Nodes[len(g.Nodes)-1]
}

func checkExpansion(t *testing.T, n *Node) {
	t.Helper()
	b := NewBuilder("expansion")
	args := make([]*Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = b.Input(fmt.Sprint(i), a.Type)
	}
	results := b.Expand(n, args)
	if _, err := b.Finish(); err != nil {
		t.Errorf("%s: %v", Format(n), err)
		return
	}
	for i, r := range n.Results {
		if !results[i].Type.Equal(r.Type) {
			t.Errorf("%s: the expansion gives %v", Format(n), results[i].Type)
		}
	}
	for _, inner := range b.Graph.Nodes {
		if inner.Op.Fused() || inner.Op != OpInput && inner.Site != n.Site {
			t.Errorf("%s: expansion holds %s", Format(n), Format(inner))
		}
	}
}

func TestExpandOfAPrimitivePanics(t *testing.T) {
	defer func() {
		if got := recover(); got != "BUG: add has no expansion" {
			t.Errorf("got %v", got)
		}
	}()
	g := small()
	NewBuilder("b").Expand(g.Nodes[2], g.Nodes[2].Args)
}
