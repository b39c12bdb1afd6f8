package ir

import (
	"fmt"
	"testing"

	"moge/ir/dtype"
	"moge/ir/shape"
)

// small is %0 = input, %1 = state, %2 = add(%0, %0), %3 = iota, with output y = %2.
func small() *Graph {
	b := NewBuilder("small")
	x := b.Input("x", Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), 2)))
	b.State("s", dtype.F32, 1, 2)
	y := b.Op1(OpAdd, "here", x, x)
	b.Add(OpIota, "", nil, Int("count", 2), Int("step", 1))
	b.Output("y", y)
	return b.Graph
}

var graphViolations = []struct {
	label string
	spoil func(g *Graph)
	want  string
}{
	{"graph_c1", func(g *Graph) { g.Nodes[2].Op = opEnd },
		fmt.Sprintf("node 2: %%2 = op?: graph_c1: unknown op %d", opEnd)},
	{"graph_c2", func(g *Graph) { g.Nodes[2].Args[1] = nil },
		"node 2: %2 = add(%0, %?) @here : f32[T,2]: graph_c2: argument 1 is not defined before its use"},
	{"graph_c2", func(g *Graph) { g.Nodes[2].Args[0] = g.Nodes[2].Results[0] },
		"node 2: %2 = add(%2, %0) @here : f32[T,2]: graph_c2: argument 0 is not defined before its use"},
	{"graph_c2", func(g *Graph) { g.Nodes[2].Args[0] = small().Nodes[0].Results[0] },
		"node 2: %2 = add(%0, %0) @here : f32[T,2]: graph_c2: argument 0 is not defined before its use"},
	{"graph_c3", func(g *Graph) { g.Nodes[2].Results[0].ID = 0 },
		"node 2: %0 = add(%0, %0) @here : f32[T,2]: graph_c3: result 0 is not defined exactly once"},
	{"graph_c3", func(g *Graph) { g.Nodes[2].Results[0].ID = 9 },
		"node 2: %9 = add(%0, %0) @here : f32[T,2]: graph_c3: result 0 is not defined exactly once"},
	{"graph_c3", func(g *Graph) { g.Nodes[2].Results[0].Def = g.Nodes[0] },
		"node 2: %2 = add(%0, %0) @here : f32[T,2]: graph_c3: result 0 is not defined exactly once"},
	{"graph_c4", func(g *Graph) { g.Nodes[2].Results[0].Type.DType = dtype.F16 },
		"node 2: %2 = add(%0, %0) @here : f16[T,2]: graph_c4: result 0 is f16[T,2], want f32[T,2]"},
	{"graph_c5", func(g *Graph) { again(g, OpInput, "x", "f32[1]") },
		`node 4: %4 = input() {name="x"} : f32[1]: graph_c5: the name "x" is taken`},
	{"graph_c5", func(g *Graph) { again(g, OpState, "s", "state:f32[1,1]") },
		`node 4: %4 = state() {name="s"} : state:f32[1,1]: graph_c5: the name "s" is taken`},
	{"graph_c6", writeTwice,
		"node 8: %8 = kv_write(%1, %4, %5, %6) : state:f32[1,2]: graph_c6: the state is written twice"},
	{"graph_c7", func(g *Graph) { g.Outputs[0].Value = small().Nodes[2].Results[0] },
		`graph_c7: output "y" is not defined`},
	{"graph_c7", func(g *Graph) { g.Outputs[0].Value = nil },
		`graph_c7: output "y" is not defined`},
	{"graph_c8", func(g *Graph) { g.Outputs = append(g.Outputs, g.Outputs[0]) },
		`graph_c8: the output name "y" is empty or taken`},
	{"graph_c8", func(g *Graph) { g.Outputs[0].Name = "" },
		`graph_c8: the output name "" is empty or taken`},
	{"graph_c9", func(g *Graph) { g.Nodes[2].Args = g.Nodes[2].Args[:1] },
		"node 2: %2 = add(%0) @here : f32[T,2]: graph_c9: 1 arguments"},
	{"graph_c9", func(g *Graph) { g.Nodes[3].Args = g.Nodes[2].Args },
		"node 3: %3 = iota(%0, %0) {count=2, step=1} : i32[2]: graph_c9: 2 arguments"},
	{"graph_c10", func(g *Graph) {
		g.Nodes[2].Results = append(g.Nodes[2].Results,
			g.Nodes[2].Results[0])
	},
		"node 2: %2, %2 = add(%0, %0) @here : f32[T,2], f32[T,2]: graph_c10: 2 results, want 1"},
	{"graph_c10", func(g *Graph) { g.Nodes[2].Results = nil },
		"node 2: add(%0, %0) @here: graph_c10: 0 results, want 1"},
	{"graph_c10", func(g *Graph) { g.Nodes[0].Results = nil },
		`node 0: input() {name="x"}: graph_c10: 0 results, want 1`},
	{"graph_c11", func(g *Graph) { g.Nodes[3].Attrs = g.Nodes[3].Attrs[:1] },
		"node 3: %3 = iota() {count=2} : i32[2]: graph_c11: attribute step is missing"},
	{"graph_c11", func(g *Graph) { g.Nodes[3].Attrs[0] = Str("count", "2") },
		`node 3: %3 = iota() {count="2", step=1} : i32[2]: graph_c11: attribute count is missing`},
	{"graph_c12", func(g *Graph) { g.Nodes[2].Attrs = []Attr{Int("axis", 1)} },
		"node 2: %2 = add(%0, %0) {axis=1} @here : f32[T,2]: graph_c12: attribute axis does not belong here"},
	{"graph_c13", func(g *Graph) { g.Nodes[2].Site = "a b" },
		`node 2: %2 = add(%0, %0) @a b : f32[T,2]: graph_c13: the site "a b" is not made of letters, digits and ._+-`},
}

func graphLabels() []string {
	var labels []string
	for _, c := range graphViolations {
		labels = append(labels, c.label)
	}
	return labels
}

// again appends a source without asking whether its name is free.
func again(g *Graph, op Op, name, typ string) {
	b := &Builder{Graph: g}
	t, err := ParseType(typ)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	b.AddTyped(op, "", []Type{t}, nil, Str("name", name))
}

func writeTwice(g *Graph) {
	b := &Builder{Graph: g}
	ids := Tensor(dtype.I32, shape.Shape{shape.Of(shape.T)})
	x := b.Reshape("", g.Nodes[0].Results[0], shape.Rows(shape.Of(shape.T), 1, 2))
	positions, sequences := b.Input("positions", ids), b.Input("sequences", ids)
	for range 2 {
		b.Op1(OpKVWrite, "", g.Nodes[1].Results[0], x, positions, sequences)
	}
}

func TestVerify(t *testing.T) {
	if err := Verify(small()); err != nil {
		t.Fatal(err)
	}
	for _, c := range graphViolations {
		t.Run(c.label, func(t *testing.T) {
			g := small()
			c.spoil(g)
			if err := Verify(g); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestNodeIsVerifiedByItsTypeRule(t *testing.T) {
	g := small()
	g.Nodes[3].Attrs[0].Int = 0
	want := "node 3: %3 = iota() {count=0, step=1} : i32[2]: iota_c1: count 0 with step 1 leaves i32"
	if err := Verify(g); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
