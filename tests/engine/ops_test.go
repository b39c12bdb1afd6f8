package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moge/codegen"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/runtime/device"
)

const (
	width  = 100 // of the rows x
	outs   = 40  // of a linear: two tiles and a half
	expert = 6
)

// opCase is a graph over rows x f32[T,width] that uses one op, and how far its results may
// be from the interpreter's, in units of 2^-24 of their magnitude; 0 is bit for bit. Inputs
// and weights are such that f32 sums of their products are exact.
type opCase struct {
	name  string
	ulps  float64
	build func(b *graphBuilder, x *ir.Value) []*ir.Value
}

// graphBuilder is a builder with the inputs of a step.
type graphBuilder struct {
	*ir.Builder
	tokens, positions, sequences, rows *ir.Value
}

func newGraph() (*graphBuilder, *ir.Value) {
	b := &graphBuilder{Builder: ir.NewBuilder("ops")}
	ids := func(name string, s shape.Scalar) *ir.Value {
		return b.Input(name, ir.Tensor(dtype.I32, shape.Shape{shape.Of(s)}))
	}
	b.tokens, b.positions = ids("tokens", shape.T), ids("positions", shape.T)
	b.sequences, b.rows = ids("sequences", shape.T), ids("rows", shape.L)
	return b, b.Op1(ir.OpEmbed, "embed", b.tokens, b.Weight("table", dtype.F32, 50, width))
}

// w is a float weight, exact in products.
func (b *graphBuilder) w(d dtype.Type, dims ...int64) *ir.Value {
	return b.Weight(fmt.Sprintf("w%d", len(b.Graph.Nodes)), d, dims...)
}

// scale is a weight of any positive values.
func (b *graphBuilder) scale(dims ...int64) *ir.Value {
	return b.Weight(fmt.Sprintf("scale%d", len(b.Graph.Nodes)), dtype.F32, dims...)
}

// choice is two experts a token: ids [T,2], weights [T,2], order and offsets.
func (b *graphBuilder) choice(x *ir.Value) (weights, ids, order, offsets *ir.Value) {
	top := b.Add(ir.OpTopK, "choice", []*ir.Value{b.Slice("choice", x, 1, 0, expert)}, ir.Int("k", 2))
	route := b.Add(ir.OpRoute, "route", top[1:], ir.Int("experts", expert))
	return top[0], top[1], route[0], route[1]
}

// grouped is an op over experts: x permuted, one weight an expert, and as many scales.
func (b *graphBuilder) grouped(op ir.Op, x *ir.Value, d dtype.Type, before ...*ir.Value) *ir.Value {
	args := append([]*ir.Value{x}, before...)
	for range expert {
		args = append(args, b.w(d, outs, width))
	}
	for range expert {
		if d == dtype.I8 {
			args = append(args, b.scale(outs))
		}
	}
	return b.Op1(op, "op", args...)
}

func one(v *ir.Value) []*ir.Value { return []*ir.Value{v} }

func linearCase(d dtype.Type, bias bool) opCase {
	name := fmt.Sprintf("linear %v bias %v", d, bias)
	return opCase{name, 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		args := []*ir.Value{x, b.w(d, outs, width)}
		if bias {
			args = append(args, b.w(d, outs))
		}
		return one(b.Op1(ir.OpLinear, "op", args...))
	}}
}

func pairCase(op ir.Op, name string, a, c func(b *graphBuilder, x *ir.Value) *ir.Value) opCase {
	return opCase{op.String() + " " + name, 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return one(b.Op1(op, "op", a(b, x), c(b, x)))
	}}
}

func rows(b *graphBuilder, x *ir.Value) *ir.Value     { return x }
func other(b *graphBuilder, x *ir.Value) *ir.Value    { return b.Op1(ir.OpMul, "other", x, x) }
func rowConst(b *graphBuilder, _ *ir.Value) *ir.Value { return b.scale(1, width) }
func column(b *graphBuilder, x *ir.Value) *ir.Value   { return b.Op1(ir.OpSumLast, "column", x) }
func cube(b *graphBuilder, x *ir.Value) *ir.Value {
	return b.Reshape("cube", x, shape.Rows(shape.Of(shape.T), 4, 25))
}
func plane(b *graphBuilder, x *ir.Value) *ir.Value {
	return b.Reshape("plane", b.Slice("plane", x, 1, 3, 28), shape.Rows(shape.Of(shape.T), 1, 25))
}
func ints(b *graphBuilder, x *ir.Value) *ir.Value { _, ids, _, _ := b.choice(x); return ids }
func intRow(b *graphBuilder, _ *ir.Value) *ir.Value {
	i := b.Add(ir.OpIota, "iota", nil, ir.Int("count", 2), ir.Int("step", 7))[0]
	return b.Reshape("iota", i, shape.Make(1, 2))
}

func unary(op ir.Op, ulps float64, a ...ir.Attr) opCase {
	return opCase{op.String(), ulps, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return b.Add(op, "op", one(x), a...)
	}}
}

// quantized multiplies rows that an op made int8.
func quantizedCase(name string, bias bool, op ir.Op, a ...ir.Attr) opCase {
	return opCase{name, 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		q := b.Add(op, "quantize", one(b.Op1(ir.OpMul, "uneven", x, rowConst(b, x))), a...)
		args := []*ir.Value{q[0], q[1], b.w(dtype.I8, outs, width), b.scale(outs)}
		if bias {
			args = append(args, b.w(dtype.F32, outs))
		}
		return append(one(b.Op1(ir.OpQLinear, "op", args...)), q[1])
	}}
}

// The tolerances: Exp is within 2 units, division and products add half a unit each, and a
// sum of n terms by 16 lanes n/16+4 units of its magnitude at most.
var opCases = []opCase{
	linearCase(dtype.F32, true), linearCase(dtype.F16, false), linearCase(dtype.BF16, true),
	quantizedCase("qlinear", false, ir.OpQuantize), quantizedCase("qlinear bias", true, ir.OpQuantize),
	quantizedCase("quantize_static", false, ir.OpQuantizeStatic, ir.Float("amax", 1.7)),
	quantizedCase("quantize_static zero", false, ir.OpQuantizeStatic, ir.Float("amax", 0)),
	{"w8linear", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return one(
			b.Op1(ir.OpW8Linear, "op", x, b.w(dtype.I8, outs, width), b.scale(outs), b.w(dtype.F32, outs)),
		)
	}},
	{"w8linear no bias", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return one(b.Op1(ir.OpW8Linear, "op", x, b.w(dtype.I8, outs, width), b.scale(outs)))
	}},
	{"grouped_linear", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		_, _, order, offsets := b.choice(x)
		return one(b.grouped(ir.OpGroupedLinear, b.Op1(ir.OpPermute, "permute", x, order), dtype.BF16, offsets))
	}},
	{"w8grouped_linear", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		_, _, order, offsets := b.choice(x)
		return one(b.grouped(ir.OpW8GroupedLinear, b.Op1(ir.OpPermute, "permute", x, order), dtype.I8, offsets))
	}},
	{"qgrouped_linear of permuted int8 rows", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		_, _, order, offsets := b.choice(x)
		q := b.Add(ir.OpQuantize, "quantize", one(x))
		xq, xs := b.Op1(ir.OpPermute, "permute", q[0], order), b.Op1(ir.OpPermute, "permute", q[1], order)
		return one(b.grouped(ir.OpQGroupedLinear, xq, dtype.I8, offsets, xs))
	}},
	{"grouped_linear stacked", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		_, _, order, offsets := b.choice(x)
		rows := b.Op1(ir.OpPermute, "permute", x, order)
		return one(b.Op1(ir.OpGroupedLinear, "op", rows, offsets, b.w(dtype.F16, expert, outs, width)))
	}},
	{"route and combine", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		weights, ids, order, offsets := b.choice(x)
		y := b.Op1(ir.OpCombine, "op", b.Op1(ir.OpPermute, "permute", x, order), order, weights)
		return []*ir.Value{weights, ids, order, offsets, y}
	}},
	{"gather", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return one(b.Op1(ir.OpGather, "op", b.scale(expert), ints(b, x)))
	}},
	{"take_rows", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return one(b.Op1(ir.OpTakeRows, "op", x, b.rows))
	}},
	{"embed f16", 0, func(b *graphBuilder, _ *ir.Value) []*ir.Value {
		return one(b.Op1(ir.OpEmbed, "op", b.tokens, b.w(dtype.F16, 50, 7)))
	}},
	{"embed bf16", 0, func(b *graphBuilder, _ *ir.Value) []*ir.Value {
		return one(b.Op1(ir.OpEmbed, "op", b.tokens, b.w(dtype.BF16, 50, 7)))
	}},
	{"slice and concat", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		y := cube(b, x)
		inner := b.Slice("op", y, 2, 3, 20)
		middle := b.Slice("op", y, 1, 1, 3)
		c := b.Add(ir.OpConcat, "op", []*ir.Value{middle, y, middle}, ir.Int("axis", 1))[0]
		d := b.Add(ir.OpConcat, "op", []*ir.Value{inner, y}, ir.Int("axis", 2))[0]
		i := ints(b, x)
		return []*ir.Value{inner, middle, c, d, b.Slice("op", i, 1, 1, 2),
			b.Add(ir.OpConcat, "op", []*ir.Value{i, i}, ir.Int("axis", 1))[0]}
	}},
	pairCase(ir.OpAdd, "rows", rows, other), pairCase(ir.OpAdd, "row", rowConst, rows),
	pairCase(ir.OpSub, "column", column, rows), pairCase(ir.OpMul, "column", rows, column),
	pairCase(ir.OpMul, "rows", rows, other), pairCase(ir.OpDiv, "row", rows, rowConst),
	pairCase(ir.OpAdd, "plane", cube, plane), pairCase(ir.OpMul, "plane", plane, cube),
	pairCase(ir.OpAdd, "ints", ints, intRow), pairCase(ir.OpSub, "ints", intRow, ints),
	pairCase(ir.OpMul, "ints", ints, ints),
	pairCase(ir.OpDiv, "ints", ints, func(b *graphBuilder, _ *ir.Value) *ir.Value {
		i := b.Add(ir.OpIota, "iota", nil, ir.Int("count", 3), ir.Int("step", 2))[0]
		return b.Reshape("iota", b.Slice("iota", i, 0, 1, 3), shape.Make(1, 2))
	}),
	unary(
		ir.OpMaxLast,
		0,
	), unary(ir.OpArgMaxLast, 0), unary(ir.OpSumLast, 0), unary(ir.OpTopK, 0, ir.Int("k", 9)),
	unary(ir.OpSoftmax, 2+2+1+width/16+4), unary(ir.OpSiLU, 2+2), unary(ir.OpSwiGLU, 2+2+1),
	{"rms_norm", 8, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return b.Add(ir.OpRMSNorm, "op", []*ir.Value{cube(b, x), b.scale(25)}, ir.Float("eps", 1e-5))
	}},
	{"add_rms_norm", 8, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return b.Add(ir.OpAddRMSNorm, "op", []*ir.Value{x, other(b, x), b.scale(width)}, ir.Float("eps", 1e-5))
	}},
	{"rope_table", 0, func(b *graphBuilder, _ *ir.Value) []*ir.Value {
		return b.Add(ir.OpRopeTable, "op", one(b.positions), ir.Int("dim", 64), ir.Float("theta", 16e6))
	}},
	{"rotary", 0, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		table := b.Add(ir.OpRopeTable, "rope", one(b.positions), ir.Int("dim", 50), ir.Float("theta", 10000))
		heads := b.Reshape("heads", x, shape.Rows(shape.Of(shape.T), 2, 50))
		return one(b.Op1(ir.OpRotary, "op", heads, table[0], table[1]))
	}},
	{"moe_gate", 2 + 2 + 1 + 3, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		args := []*ir.Value{x, b.w(dtype.BF16, 24, width), b.scale(24)}
		return b.Add(ir.OpMoEGate, "op", args, ir.Int("groups", 4))
	}},
	{"moe_gate unscaled", 2 + 2 + 1 + 3, func(b *graphBuilder, x *ir.Value) []*ir.Value {
		return b.Add(ir.OpMoEGate, "op", []*ir.Value{x, b.w(dtype.F32, 24, width)}, ir.Int("groups", 6))
	}},
}

// values makes weights: small multiples of 1/8, int8 in full range, positive scales.
func values(r *rand.Rand, g *ir.Graph) named {
	all := named{}
	for _, n := range g.Nodes {
		if n.Op != ir.OpWeight {
			continue
		}
		t := tensor.New(n.Result().Type.DType, n.Result().Type.Shape.Ints()...)
		for i := range t.F32 {
			t.F32[i] = float32(r.IntN(33)-16) / 8
			if strings.HasPrefix(n.Str("name"), "scale") {
				t.F32[i] = 0.5 + r.Float32()
			}
		}
		for i := range t.I8 {
			t.I8[i] = int8(r.IntN(255) - 127)
		}
		all[n.Str("name")] = t
	}
	return all
}

// steps are ragged steps that follow each other: the last one leaves blocks of rows.
func steps(r *rand.Rand) []device.Batch {
	var all []device.Batch
	lengths := map[int32]int32{}
	for _, n := range []int{1, 5, 70, 130} {
		var b device.Batch
		for t := range n {
			seq := int32(r.IntN(3))
			b.Tokens = append(b.Tokens, int32(r.IntN(50)))
			b.Sequences = append(b.Sequences, seq)
			b.Positions = append(b.Positions, lengths[seq])
			lengths[seq]++
			if t%3 == 0 && len(b.Rows) < 8 {
				b.Rows = append(b.Rows, int32(t))
			}
		}
		all = append(all, b)
	}
	return all
}

var stepLimits = codegen.Limits{BatchTokens: 130, Seqs: 3, Context: 200, LogitsRows: 8}

func inputsOf(b device.Batch) interp.Inputs {
	return interp.Inputs{Tokens: b.Tokens, Positions: b.Positions, Sequences: b.Sequences, Rows: b.Rows}
}

func TestOps(t *testing.T) {
	for _, c := range opCases {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			b, x := newGraph()
			for i, v := range c.build(b, x) {
				b.Output(fmt.Sprintf("y%d", i), v)
			}
			g, err := b.Finish()
			if err != nil {
				t.Fatal(err)
			}
			w := values(r, g)
			bundle := build(t, g, w, stepLimits)
			for _, threads := range []int{1, 3} {
				compareSteps(t, g, w, load(t, bundle, device.Options{Threads: threads}), steps(r), c.ulps)
			}
		})
	}
}

// compareSteps runs steps on the device and by the interpreter and compares all outputs.
func compareSteps(t *testing.T, g *ir.Graph, w named, r device.Runner, batches []device.Batch,
	ulps float64) {
	t.Helper()
	state := interp.NewState()
	for _, batch := range batches {
		want, err := interp.Run(g, inputsOf(batch), state, w, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		for _, o := range g.Outputs {
			compareOutput(t, r, o.Name, want[o.Name], ulps)
		}
	}
}

func compareOutput(t *testing.T, r device.Runner, name string, want *tensor.Tensor, ulps float64) {
	t.Helper()
	if want.DType == dtype.I32 {
		got, err := r.Ints(name)
		if err != nil || !slices.Equal(got, want.I32) {
			t.Errorf("%s: %v (%v), want %v", name, head(got), err, head(want.I32))
		}
		return
	}
	got, err := r.Floats(name)
	if err != nil || len(got) != len(want.F32) {
		t.Fatalf("%s: %d elements (%v), want %d", name, len(got), err, len(want.F32))
	}
	for i, v := range want.F32 {
		if off := math.Abs(float64(got[i]) - float64(v)); !(off <= ulps/(1<<24)*math.Abs(float64(v))) {
			t.Errorf(
				"%s: element %d is %v, want %v: off by %.3g, %v units allowed",
				name,
				i,
				got[i],
				v,
				off,
				ulps,
			)
			return
		}
	}
}

func head(x []int32) []int32 { return x[:min(len(x), 20)] }

// Every int8 activation is the interpreter's.
func TestQuantizedActivations(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	b, x := newGraph()
	q := b.Add(ir.OpQuantize, "quantize", one(b.Op1(ir.OpMul, "uneven", x, rowConst(b, x))))
	b.Output("y", b.Op1(ir.OpQLinear, "op", q[0], q[1], b.w(dtype.I8, outs, width), b.scale(outs)))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	w := values(r, g)
	var got, want []int8
	watch := func(site, op string, results []any) {
		if site == "quantize" && op == "QUANTIZE_DYNAMIC" {
			got = results[0].([]int8)
		}
	}
	runner := load(t, build(t, g, w, stepLimits), device.Options{Threads: 2, Tap: watch})
	tap := interp.Options{Tap: func(n *ir.Node, results []*tensor.Tensor) {
		if n.Op == ir.OpQuantize {
			want = results[0].I8
		}
	}}
	for _, batch := range steps(r) {
		if _, err := interp.Run(g, inputsOf(batch), nil, w, tap); err != nil {
			t.Fatal(err)
		}
		if err := runner.Run(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		if len(want) != len(batch.Tokens)*width || !slices.Equal(got, want) {
			t.Errorf("%d tokens: int8 rows differ", len(batch.Tokens))
		}
	}
}
