package ir

import (
	"slices"
	"testing"

	"moge/ir/dtype"
	"moge/ir/shape"
)

func TestSites(t *testing.T) {
	for _, c := range []struct {
		sites  []string
		joined string
	}{
		{[]string{"layers.0.self_attn.q", "layers.0.self_attn.k", "layers.0.self_attn.v"},
			"layers.0.self_attn.q+k+v"},
		{[]string{"layers.0.mlp.experts.gate", "layers.0.mlp.experts.up"},
			"layers.0.mlp.experts.gate+up"},
		{[]string{"lm_head"}, "lm_head"},
		{[]string{"a", "b"}, "a+b"},
		{[]string{""}, ""},
	} {
		if got := JoinSites(c.sites...); got != c.joined {
			t.Errorf("%v join to %q, want %q", c.sites, got, c.joined)
		}
		if got := SiteMembers(c.joined); !slices.Equal(got, c.sites) {
			t.Errorf("%q has members %v, want %v", c.joined, got, c.sites)
		}
	}
	if got := JoinSites(); got != "" {
		t.Errorf("no sites join to %q", got)
	}
}

// weights is a graph of w → cast → quantize, with x · w beside it.
func weights(t *testing.T) *Graph {
	t.Helper()
	b := NewBuilder("weights")
	x := b.Input("x", Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), 2)))
	w := b.Weight("w", dtype.BF16, 3, 2)
	wide := b.Add(OpCast, "w", []*Value{w}, DType("to", dtype.F32))[0]
	b.Add(OpQuantizeWeight, "w", []*Value{wide})
	b.Add(OpIota, "", nil, Int("count", 2), Int("step", 1))
	b.Reshape("x", x, shape.Rows(shape.Of(shape.T), 1, 2))
	y := b.Op1(OpLinear, "y", x, wide)
	b.Output("y", b.Op1(OpAdd, "y", y, y))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestConstants(t *testing.T) {
	g := weights(t)
	// x, w, cast, q, s, iota, reshape, linear, add
	want := []bool{false, true, true, true, true, false, false, false, false}
	if got := g.Constants(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUsesAndUsers(t *testing.T) {
	g := weights(t)
	if got, want := g.Uses(), []int{2, 1, 2, 0, 0, 0, 0, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("uses are %v, want %v", got, want)
	}
	var users [][]string
	for _, nodes := range g.Users() {
		var ops []string
		for _, n := range nodes {
			ops = append(ops, n.Op.String())
		}
		users = append(users, ops)
	}
	want := [][]string{{"reshape", "linear"}, {"cast"}, {"quantize_weight", "linear"}, nil, nil,
		nil, nil, {"add"}, nil}
	if !slices.EqualFunc(users, want, slices.Equal[[]string]) {
		t.Errorf("users are %v, want %v", users, want)
	}
}

func TestMetaStaysSorted(t *testing.T) {
	g := &Graph{}
	for _, kv := range [][2]string{{"b", "1"}, {"c", "2"}, {"a", "3"}, {"b", "4"}} {
		g.SetMeta(kv[0], kv[1])
	}
	if want := []Meta{{"a", "3"}, {"b", "4"}, {"c", "2"}}; !slices.Equal(g.Meta, want) {
		t.Errorf("meta is %v, want %v", g.Meta, want)
	}
	if v, ok := g.GetMeta("b"); v != "4" || !ok {
		t.Errorf("b is %q, %v", v, ok)
	}
	if v, ok := g.GetMeta("bb"); v != "" || ok {
		t.Errorf("bb is %q, %v", v, ok)
	}
}

func TestAttrs(t *testing.T) {
	n := &Node{Op: OpAttend}
	n.SetAttr(Int("window", 4))
	n.SetAttr(Float("scale", 2))
	n.SetAttr(Int("window", 8))
	if want := []Attr{Float("scale", 2), Int("window", 8)}; !slices.Equal(n.Attrs, want) {
		t.Errorf("attributes are %v, want %v", n.Attrs, want)
	}
	if n.Int("window") != 8 || n.Float("scale") != 2 || n.Str("name") != "" || n.Int("axis") != 0 {
		t.Error("attributes read back otherwise")
	}
}

func TestExperts(t *testing.T) {
	for _, c := range []struct {
		args string
		want int64
	}{{"f32[T,2] i32[4] f32[3,5,2]", 3}, {"f32[T,2] i32[3] f32[5,2] f32[5,2]", 2}} {
		b := NewBuilder("experts")
		b.Add(OpGroupedLinear, "", operands(t, b, c.args))
		g, err := b.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Nodes[len(g.Nodes)-1].Experts(2); got != c.want {
			t.Errorf("%s has %d experts, want %d", c.args, got, c.want)
		}
	}
}

func TestBuilderKeepsTheFirstError(t *testing.T) {
	b := NewBuilder("broken")
	x := b.Input("x", Tensor(dtype.F16, shape.Make(2)))
	y := b.Op1(OpSiLU, "first", x)
	b.Output("y", b.Op1(OpLinear, "second", y, y))
	_, err := b.Finish()
	if want := `silu at "first": silu_c1: argument 0 is f16[2], want elements of f32`; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRewriteReplaces(t *testing.T) {
	g := weights(t)
	// any op of the same type rule will do
	got, err := Rewrite(g, func(r *Rewriter, n *Node) []*Value {
		if n.Op != OpAdd {
			return nil
		}
		args := r.Values(n.Args)
		return []*Value{r.Op1(OpSub, n.Site, args[0], args[1])}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(got); err != nil {
		t.Fatal(err)
	}
	last := got.Nodes[len(got.Nodes)-1]
	if last.Op != OpSub || got.Outputs[0].Value != last.Result() || got.Name != g.Name {
		t.Errorf("rewritten to\n%s", got)
	}
}

// A replacement may use weights that come later in the old graph.
func TestRewriteEmitsWeightsOnDemand(t *testing.T) {
	g := weights(t)
	wide := g.Nodes[2].Result()
	emitted := false
	got, err := Rewrite(g, func(r *Rewriter, n *Node) []*Value {
		if n.Op == OpInput && !emitted {
			emitted = true
			r.Op1(OpStack, "early", r.Value(wide))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(got); err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range got.Nodes {
		ops = append(ops, n.Op.String())
	}
	want := []string{"weight", "cast", "stack", "input", "quantize_weight", "iota", "reshape",
		"linear", "add"}
	if !slices.Equal(ops, want) {
		t.Errorf("nodes are %v, want %v", ops, want)
	}
}

func TestRewriteReportsTheFirstError(t *testing.T) {
	_, err := Rewrite(weights(t), func(r *Rewriter, n *Node) []*Value {
		if n.Op != OpAdd {
			return nil
		}
		return r.Add(OpSlice, "bad", r.Values(n.Args[:1]), Int("axis", 5), Int("lo", 0),
			Int("hi", 1))
	})
	if want := `slice at "bad": slice_c1: axis 5 of 2 dimensions`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
