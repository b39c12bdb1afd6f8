package ir

import (
	"testing"

	"moge/ir/dtype"
	"moge/ir/shape"
)

func sample(t testing.TB) *Graph {
	b := NewBuilder("sample")
	b.Graph.SetMeta("vocab_size", "32")
	b.Graph.SetMeta("architecture", `Odd "name"`)
	rows := shape.Shape{shape.Of(shape.T)}
	tokens := b.Input("tokens", Tensor(dtype.I32, rows))
	positions := b.Input("positions", Tensor(dtype.I32, rows))
	sequences := b.Input("sequences", Tensor(dtype.I32, rows))
	h := b.Op1(OpEmbed, "embed", tokens, b.Weight("embed.weight", dtype.BF16, 32, 8))
	q := b.Op1(OpLinear, "layers.0.q", h, b.Weight("q.weight", dtype.BF16, 8, 8),
		b.Weight("q.bias", dtype.BF16, 8))
	heads := shape.Rows(shape.Of(shape.T), 2, 4)
	q = b.Reshape("layers.0.q", q, heads)
	cs := b.Add(OpRopeTable, "rope", []*Value{positions}, Int("dim", 4), Float("theta", 10000))
	q = b.Op1(OpRotary, "layers.0.q", q, cs[0], cs[1])
	k := b.Op1(OpKVWrite, "layers.0.k", b.State("layers.0.k", dtype.F16, 2, 4), q, positions,
		sequences)
	a := b.Add(OpAttend, "layers.0.attend", []*Value{q, k, k, positions, sequences},
		Float("scale", 0.5))[0]
	a = b.Reshape("layers.0.attend", a, shape.Rows(shape.Of(shape.T), 8))
	gate := b.Add(OpMoEGate, "layers.0.router", []*Value{a, b.Weight("gate", dtype.F32, 4, 8)},
		Int("groups", 2))
	r := b.Add(OpRoute, "layers.0.experts", gate[1:], Int("experts", 4))
	x := b.Op1(OpPermute, "layers.0.experts", a, r[0])
	experts := []*Value{x, r[1]}
	for _, name := range []string{"e0", "e1", "e2", "e3"} {
		experts = append(experts, b.Weight(name, dtype.F32, 8, 8))
	}
	y := b.Op1(OpGroupedLinear, "layers.0.experts.down", experts...)
	b.Output("hidden", b.Op1(OpCombine, "layers.0.experts", y, r[0], gate[0]))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestPrintParsePrintIsIdentity(t *testing.T) {
	text := sample(t).String()
	g, err := Parse("sample", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if again := g.String(); again != text {
		t.Errorf("printed\n%s\nthen\n%s", text, again)
	}
	t.Log(text)
}

func TestRewriteCopies(t *testing.T) {
	g := sample(t)
	copied, err := Rewrite(g, func(*Rewriter, *Node) []*Value { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if copied.String() != g.String() {
		t.Errorf("a copy prints as\n%s", copied)
	}
	if err := Verify(copied); err != nil {
		t.Error(err)
	}
}
