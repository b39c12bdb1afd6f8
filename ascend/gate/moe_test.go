package gate

import (
	"math"
	"slices"
	"testing"

	"moge/ascend/kernels"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// What references want around the experts is what the IR says of its ops, bit for bit; of the
// gate's weights within their bounds.
func TestRoutingReferencesAreTheIR(t *testing.T) {
	const experts, perToken, width, tokens = 12, 3, 32, 19
	for _, c := range []choice{anyExperts, sameExperts, lastExperts} {
		for _, ascending := range []bool{false, true} {
			r := random(3, uint64(c))
			ids := selection{tokens, c}.ids(r, experts, perToken, ascending)
			s := newSorted(ids, experts, perToken)
			routed := evaluated(t, ir.OpRoute, []ir.Attr{ir.Int("experts", experts)},
				tensor.FromI32(ids, tokens, perToken))
			if !slices.Equal(routed[0].I32, s.order) || !slices.Equal(routed[1].I32, s.offsets) {
				t.Errorf("%d, ascending %v: order or offsets differ", c, ascending)
			}
			numbers := make([]int32, tokens)
			for i := range numbers {
				numbers[i] = int32(i)
			}
			of := evaluated(t, ir.OpPermute, nil, tensor.FromI32(numbers, tokens), routed[0])
			if !slices.Equal(of[0].I32, s.sources) {
				t.Errorf("%d, ascending %v: sources differ", c, ascending)
			}
			sum := &combined{spec: kernels.CombineSpec{Width: width}, sorted: s,
				rows: normals(r, len(ids)*width, 1), weights: normals(r, len(ids), 1)}
			want := evaluated(t, ir.OpCombine, nil, tensor.FromF32(sum.rows, tokens*perToken, width),
				routed[0], tensor.FromF32(sum.weights, tokens, perToken))[0].F32
			for i, w := range want {
				if got := sum.at(i/width, i%width); got != asHalf(w) {
					t.Fatalf("%d, ascending %v: sum %d is %v, want %v", c, ascending, i, got, asHalf(w))
				}
			}
		}
	}
}

func TestGateReferenceIsTheIR(t *testing.T) {
	const tokens = 40
	s := kernels.GateSpec{Width: 48, Experts: 24, Groups: 3, LocalGroups: 3, MaxTokens: tokens,
		Scale: true}
	for _, n := range []numbers{exactSums, anySums, nearTies} {
		g := newGating(s, tokens, n, random(5, 0))
		out := evaluated(t, ir.OpMoEGate, []ir.Attr{ir.Int("groups", int64(s.Groups))},
			tensor.FromF32(g.x, tokens, int64(s.Width)),
			tensor.FromF32(g.router, int64(s.Experts), int64(s.Width)),
			tensor.FromF32(g.scale, int64(s.Experts)))
		c := g.asCase()
		for i, w := range out[0].F32 {
			row, col := i/s.Groups, i%s.Groups
			at := col*g.size + int(out[1].I32[i])%g.size
			if c.Want[0].Settle != nil {
				c.Want[0].Settle(row, col, float64(at))
			}
			id, _ := c.Want[0].Want(row, col)
			if int(id) != at {
				t.Fatalf("token %d%v: expert %v, want %d", row, n, id, at)
			}
			if v, bound := c.Want[1].Want(row, col); math.Abs(v-float64(w)) > bound {
				t.Errorf("token %d%v: weight %v, want %v within %v", row, n, v, w, bound)
			}
		}
	}
}

// Of a near tie either expert is accepted, with its own weight and no other; all others are not.
func TestNearTiesHaveTwoAnswers(t *testing.T) {
	const tokens = 12
	s := kernels.GateSpec{Width: 48, Experts: 24, Groups: 3, LocalGroups: 2, MaxTokens: tokens,
		Scale: true}
	g := newGating(s, tokens, nearTies, random(8, 0))
	g.first = 1
	c := g.asCase()
	answer := func(row, col, id, weightOf int) string {
		ids, weights := make([]int32, tokens*8), make([]float32, tokens*8)
		for i, best := range g.ids() {
			at := i/2*8 + i%2
			ids[at] = best
			weights[at] = float32(g.weight(i/2, int(best)))
		}
		ids[row*8+col], weights[row*8+col] = int32(id), float32(g.weight(row, weightOf))
		wrong := c.Want[0].Compare("ids", ints(ids)).Wrong
		return wrong + c.Want[1].Compare("weights", floats(weights)).Wrong
	}
	near := 0
	for i, best := range g.ids() {
		row, col := i/2, i%2
		for id := col * g.size; id < (col+1)*g.size; id++ {
			group := g.probs[row].of[(g.first+col)*g.size:][:g.size]
			may := g.probs[row].mayBeat(group, id-col*g.size)
			if got := answer(row, col, id, id); (got == "") != may {
				t.Errorf("token %d, expert %d for %d: %q, near tie %v", row, id, best, got, may)
			}
			if may && id != int(best) {
				near++
				if answer(row, col, id, int(best)) == "" {
					t.Errorf("token %d: expert %d with the weight of %d", row, id, best)
				}
			}
		}
	}
	if near < 3 {
		t.Errorf("%d near ties among %d choices", near, tokens*2)
	}
}

func TestRotaryReferenceIsTheIR(t *testing.T) {
	const tokens = 5
	k := &rotated{spec: kernels.RotarySpec{Heads: 2, Dim: 16}, qkv: normals(random(6, 0), tokens*32, 2)}
	var cos, sin []float32
	for token := range tokens {
		row := ropeRow(16, 1000*token+7)
		k.rope = append(k.rope, row...)
		cos, sin = append(cos, row[:8]...), append(sin, row[8:]...)
	}
	want := evaluated(t, ir.OpRotary, nil, tensor.FromF32(k.qkv, tokens, 2, 16),
		tensor.FromF32(cos, tokens, 8), tensor.FromF32(sin, tokens, 8))[0].F32
	for i, w := range want {
		if got := k.turned(i/32, i/16%2, i%16); got != asHalf(w) {
			t.Fatalf("element %d is %v, want %v", i, got, asHalf(w))
		}
	}
}

// Attention of the IR is in f64 but for roundings that the bounds allow too.
func TestAttentionReferenceIsTheIR(t *testing.T) {
	const heads, kvHeads, dim, tokens = 6, 2, 16, 300
	c := newCache(random(7, 0), kvHeads, dim, 9, []int{5, tokens})
	q := queries(random(7, 1), tokens, heads*dim)
	values := map[string]*tensor.Tensor{"q": tensor.FromF32(q, tokens, heads, dim),
		"k":         tensor.FromF32(rowsOf(c.keys[1], c.keyRows), tokens, kvHeads, dim),
		"v":         tensor.FromF32(rowsOf(c.values[1], c.valueRows), tokens, kvHeads, dim),
		"positions": tensor.New(dtype.I32, tokens), "sequences": tensor.New(dtype.I32, tokens)}
	for i := range tokens {
		values["positions"].I32[i] = int32(i)
	}
	out, err := interp.RunValues(attentionGraph(t, heads, kvHeads, dim), values, nil, nil,
		interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := c.output(q, heads, tokens, 0.25,
		func(row int) (sequence, positions int) { return 1, row + 1 })
	for i, got := range out["y"].F32 {
		row, col := i/o.Cols, i%o.Cols
		if v, bound := o.Want(row, col); math.Abs(v-float64(got)) > bound {
			t.Fatalf("element %d, %d is %v, want %v within %v", row, col, v, got, bound)
		}
	}
}

// rowsOf is the rows of a matrix whose rows are some of the set.
func rowsOf(m matrix, set [][]float32) []float32 {
	var out []float32
	for _, i := range m.of {
		out = append(out, set[i]...)
	}
	return out
}

// attentionGraph writes k and v into states and attends with q.
func attentionGraph(t *testing.T, heads, kvHeads, dim int64) *ir.Graph {
	t.Helper()
	b := ir.NewBuilder("attention")
	tokens := ir.Tensor(dtype.I32, shape.Shape{shape.Of(shape.T)})
	rows := func(name string, n int64) *ir.Value {
		return b.Input(name, ir.Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), n, dim)))
	}
	q, k, v := rows("q", heads), rows("k", kvHeads), rows("v", kvHeads)
	positions, sequences := b.Input("positions", tokens), b.Input("sequences", tokens)
	keys := b.Op1(ir.OpKVWrite, "k", b.State("keys", dtype.F16, kvHeads, dim), k, positions, sequences)
	all := b.Op1(ir.OpKVWrite, "v", b.State("values", dtype.F16, kvHeads, dim), v, positions, sequences)
	b.Output("y", b.Add(ir.OpAttend, "y", []*ir.Value{q, keys, all, positions, sequences},
		ir.Float("scale", 0.25))[0])
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}
