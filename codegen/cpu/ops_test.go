package cpu

import (
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// example builds a node of one op, over inputs and weights, at site "s".
type example struct {
	build func(b *ir.Builder) []*ir.Value
	steps string // op-codes of the plan, or
	err   string // why there is no plan
}

func x(b *ir.Builder, name string, inner ...int64) *ir.Value {
	return b.Input(name, tokensOf(dtype.F32, inner...))
}

func ids(b *ir.Builder, name string, inner ...int64) *ir.Value {
	return b.Input(name, tokensOf(dtype.I32, inner...))
}

func offsets(b *ir.Builder) *ir.Value {
	return b.Input("offsets", ir.Tensor(dtype.I32, shape.Make(3)))
}

// twoOf is an elementwise op on two inputs.
func twoOf(op ir.Op) func(b *ir.Builder) []*ir.Value {
	return func(b *ir.Builder) []*ir.Value { return b.Add(op, "s", []*ir.Value{x(b, "a", 4), x(b, "b", 4)}) }
}

func unary(op ir.Op, attrs ...ir.Attr) func(b *ir.Builder) []*ir.Value {
	return func(b *ir.Builder) []*ir.Value { return b.Add(op, "s", []*ir.Value{x(b, "a", 4)}, attrs...) }
}

func int8Pair(b *ir.Builder, name string, dims ...int64) []*ir.Value {
	return b.Add(ir.OpQuantizeWeight, "s", []*ir.Value{b.Weight(name, dtype.BF16, dims...)})
}

func rows8(b *ir.Builder) []*ir.Value { return b.Add(ir.OpQuantize, "s", []*ir.Value{x(b, "a", 4)}) }

func group(more ...ir.Attr) []ir.Attr {
	return append([]ir.Attr{ir.Int("size", 2), ir.Int("stride", 1)}, more...)
}

func eps() ir.Attr { return ir.Float("eps", 1e-6) }

const noKernel = "s: the CPU engine has no kernel for "

// examples has a row for every op.
var examples = map[ir.Op]example{
	ir.OpInput: {func(b *ir.Builder) []*ir.Value { return []*ir.Value{x(b, "a", 4)} }, "", ""},
	ir.OpWeight: {func(b *ir.Builder) []*ir.Value {
		return []*ir.Value{b.Weight("w", dtype.F32, 4)}
	}, "", "output y0 is not a tensor of the step"},
	ir.OpState: {func(b *ir.Builder) []*ir.Value {
		return []*ir.Value{b.State("k", dtype.F16, 1, 4)}
	}, "", "output y0 is not a tensor of the step"},
	ir.OpIota: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpIota, "s", nil, ir.Int("count", 4), ir.Int("step", 2))
	}, "IOTA", ""},

	ir.OpReshape: {func(b *ir.Builder) []*ir.Value {
		return []*ir.Value{b.Reshape("s", x(b, "a", 4), shape.Rows(shape.Of(shape.T), 2, 2))}
	}, "", ""},
	ir.OpSlice: {unary(ir.OpSlice, ir.Int("axis", 1), ir.Int("lo", 1), ir.Int("hi", 3)), "SLICE", ""},
	ir.OpConcat: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpConcat, "s", []*ir.Value{x(b, "a", 4), x(b, "b", 3)}, ir.Int("axis", 1))
	}, "CONCAT", ""},
	ir.OpStack: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpStack, "s", []*ir.Value{b.Input("a", ir.Tensor(dtype.F32, shape.Make(4)))})
	}, "", noKernel + "stack"},
	ir.OpCast: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpCast, "s", []*ir.Value{ids(b, "a")}, ir.DType("to", dtype.F32))
	}, "", noKernel + "cast"},
	ir.OpQuantizeWeight: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpQuantizeWeight, "s", []*ir.Value{b.Input("a", ir.Tensor(dtype.F32, shape.Make(4, 4)))})
	}, "", noKernel + "quantize_weight"},

	ir.OpAdd:  {twoOf(ir.OpAdd), "ADD", ""},
	ir.OpSub:  {twoOf(ir.OpSub), "SUB", ""},
	ir.OpMul:  {twoOf(ir.OpMul), "MUL", ""},
	ir.OpDiv:  {twoOf(ir.OpDiv), "DIV", ""},
	ir.OpSiLU: {unary(ir.OpSiLU), "SILU", ""},

	ir.OpSoftmax:    {unary(ir.OpSoftmax), "SOFTMAX", ""},
	ir.OpMaxLast:    {unary(ir.OpMaxLast), "MAX_LAST", ""},
	ir.OpArgMaxLast: {unary(ir.OpArgMaxLast), "ARGMAX_LAST", ""},
	ir.OpSumLast:    {unary(ir.OpSumLast), "SUM_LAST", ""},
	ir.OpTopK:       {unary(ir.OpTopK, ir.Int("k", 2)), "TOP_K", ""},

	ir.OpEmbed: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpEmbed, "s", []*ir.Value{ids(b, "a"), b.Weight("w", dtype.BF16, 9, 4)})
	}, "EMBED", ""},
	ir.OpTakeRows: {func(b *ir.Builder) []*ir.Value {
		rows := b.Input("rows", ir.Tensor(dtype.I32, shape.Shape{shape.Of(shape.L)}))
		return b.Add(ir.OpTakeRows, "s", []*ir.Value{x(b, "a", 4), rows})
	}, "GATHER_ROWS", ""},
	ir.OpGather: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpGather, "s", []*ir.Value{b.Weight("w", dtype.BF16, 4), ids(b, "a", 2)})
	}, "GATHER", ""},

	ir.OpLinear: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpLinear, "s", []*ir.Value{x(b, "a", 4), b.Weight("w", dtype.BF16, 3, 4),
			b.Weight("b", dtype.F16, 3)})
	}, "LINEAR", ""},
	ir.OpRMSNorm: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpRMSNorm, "s", []*ir.Value{x(b, "a", 4), b.Weight("w", dtype.BF16, 4)}, eps())
	}, "RMS_NORM", ""},
	ir.OpRopeTable: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpRopeTable, "s", []*ir.Value{ids(b, "a")}, ir.Int("dim", 4), ir.Float("theta", 1e4))
	}, "ROPE_TABLE", ""},

	ir.OpKVWrite: {func(b *ir.Builder) []*ir.Value {
		a := x(b, "a", 1, 4)
		b.Add(ir.OpKVWrite, "s", []*ir.Value{b.State("k", dtype.F16, 1, 4), a, ids(b, "p"), ids(b, "q")})
		return []*ir.Value{a}
	}, "KV_WRITE", ""},
	ir.OpAttend: {func(b *ir.Builder) []*ir.Value {
		k, v := b.State("k", dtype.F16, 1, 4), b.State("v", dtype.F16, 1, 4)
		return b.Add(ir.OpAttend, "s", []*ir.Value{x(b, "a", 2, 4), k, v, ids(b, "p"), ids(b, "q")},
			ir.Float("scale", 1))
	}, "ATTEND", ""},

	ir.OpRoute: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpRoute, "s", []*ir.Value{ids(b, "a", 2)}, ir.Int("experts", 2))
	}, "ROUTE", ""},
	ir.OpPermute: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpPermute, "s", []*ir.Value{x(b, "a", 4), ids(b, "order")})
	}, "PERMUTE", ""},
	ir.OpGroupedLinear: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpGroupedLinear, "s", []*ir.Value{x(b, "a", 4), offsets(b),
			b.Weight("w", dtype.F16, 2, 3, 4)})
	}, "GROUPED_LINEAR", ""},
	ir.OpCombine: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpCombine, "s", []*ir.Value{x(b, "a", 4), ids(b, "order"), x(b, "w", 1)})
	}, "COMBINE", ""},

	ir.OpQuantize:       {unary(ir.OpQuantize), "QUANTIZE_DYNAMIC", ""},
	ir.OpQuantizeStatic: {unary(ir.OpQuantizeStatic, ir.Float("amax", 3)), "QUANTIZE_STATIC", ""},
	ir.OpDotI8: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpDotI8, "s", []*ir.Value{rows8(b)[0], int8Pair(b, "w", 3, 4)[0]})
	}, "", noKernel + "dot_i8"},
	ir.OpGroupedDotI8: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpGroupedDotI8, "s", []*ir.Value{rows8(b)[0], offsets(b), int8Pair(b, "w", 2, 3, 4)[0]})
	}, "", noKernel + "grouped_dot_i8"},
	ir.OpSpreadRows: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpSpreadRows, "s", []*ir.Value{b.Weight("w", dtype.F32, 2, 3), offsets(b), x(b, "a", 3)})
	}, "", noKernel + "spread_rows"},

	ir.OpObserve: {unary(ir.OpObserve), "", ""},

	ir.OpAddRMSNorm: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpAddRMSNorm, "s", []*ir.Value{x(b, "a", 4), x(b, "b", 4),
			b.Weight("w", dtype.BF16, 4)}, eps())
	}, "ADD_RMS_NORM", ""},
	ir.OpRotary: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpRotary, "s", []*ir.Value{x(b, "a", 2, 4), x(b, "cos", 2), x(b, "sin", 2)})
	}, "ROTARY", ""},
	ir.OpSwiGLU: {unary(ir.OpSwiGLU), "SWIGLU", ""},
	ir.OpMoEGate: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpMoEGate, "s", []*ir.Value{x(b, "a", 4), b.Weight("w", dtype.BF16, 6, 4),
			b.Weight("scale", dtype.BF16, 6)},
			ir.Int("groups", 2))
	}, "MOE_GATE", ""},
	ir.OpShard: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpShard, "s", []*ir.Value{x(b, "a", 4)}, group(ir.Int("axis", 1))...)
	}, "SHARD", ""},
	ir.OpOwn: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpOwn, "s", []*ir.Value{x(b, "a", 4)}, group()...)
	}, "", noKernel + "own"},
	ir.OpRebase: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpRebase, "s", []*ir.Value{ids(b, "a", 4)}, group(ir.Int("step", 8))...)
	}, "REBASE", ""},
	ir.OpAllGather: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpAllGather, "s", []*ir.Value{x(b, "a", 4)}, group(ir.DType("wire", dtype.F16))...)
	}, "ALL_GATHER", ""},
	ir.OpReduceScatter: {func(b *ir.Builder) []*ir.Value {
		all := b.Add(ir.OpAllGather, "s", []*ir.Value{x(b, "a", 4)}, group()...)
		return b.Add(ir.OpReduceScatter, "s", all, group()...)
	}, "ALL_GATHER REDUCE_SCATTER", ""},
	ir.OpAllReduce: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpAllReduce, "s", []*ir.Value{x(b, "a", 4)}, group()...)
	}, "ALL_REDUCE", ""},
	ir.OpQLinear: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpQLinear, "s", append(append(rows8(b), int8Pair(b, "w", 3, 4)...),
			b.Weight("b", dtype.BF16, 3)))
	}, "QUANTIZE_DYNAMIC QLINEAR", ""},
	ir.OpQGroupedLinear: {func(b *ir.Builder) []*ir.Value {
		a, w := rows8(b), int8Pair(b, "w", 2, 3, 4)
		return b.Add(ir.OpQGroupedLinear, "s", []*ir.Value{a[0], offsets(b), a[1], w[0], w[1]})
	}, "QUANTIZE_DYNAMIC QGROUPED_LINEAR", ""},
	ir.OpW8Linear: {func(b *ir.Builder) []*ir.Value {
		return b.Add(ir.OpW8Linear, "s", append([]*ir.Value{x(b, "a", 4)}, int8Pair(b, "w", 3, 4)...))
	}, "W8LINEAR", ""},
	ir.OpW8GroupedLinear: {func(b *ir.Builder) []*ir.Value {
		w, v := int8Pair(b, "w", 3, 4), int8Pair(b, "v", 3, 4)
		return b.Add(ir.OpW8GroupedLinear, "s", []*ir.Value{x(b, "a", 4), offsets(b), w[0], v[0], w[1], v[1]})
	}, "W8GROUPED_LINEAR", ""},
}

func TestEveryOpLowersOrIsRefused(t *testing.T) {
	for _, op := range ir.Ops() {
		e, ok := examples[op]
		if !ok {
			t.Errorf("%v has no example", op)
			continue
		}
		checkExample(t, op.String(), e)
	}
}

func checkExample(t *testing.T, name string, e example) {
	t.Helper()
	b := ir.NewBuilder(name)
	for i, v := range e.build(b) {
		b.Output("y"+string(rune('0'+i)), v)
	}
	p, err := Build(finish(t, b), testLimits)
	if e.err != "" {
		if err == nil || err.Error() != e.err {
			t.Errorf("%s: got %v, want %s", name, err, e.err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	var steps []string
	for _, s := range p.Manifest.Programs[0].Steps {
		steps = append(steps, s.Op.String())
	}
	if got := strings.Join(steps, " "); got != e.steps {
		t.Errorf("%s lowers to %q, want %q", name, got, e.steps)
	}
}

// What is valid in the IR but has no form in a plan is refused by name, never half lowered.
func TestGraphsWithoutAPlan(t *testing.T) {
	constant := func(b *ir.Builder, d dtype.Type, dims ...int64) *ir.Value { return b.Weight("c", d, dims...) }
	fixed := func(b *ir.Builder, d dtype.Type, dims ...int64) *ir.Value {
		return b.Input("f", ir.Tensor(d, shape.Make(dims...)))
	}
	for name, e := range map[string]example{
		"linear by a computed weight": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpLinear, "s", []*ir.Value{x(b, "a", 4), fixed(b, dtype.F32, 3, 4)})
		}, "", "s: a weight of s.weight is not constant"},
		"bias that is computed": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpLinear, "s", []*ir.Value{x(b, "a", 4), constant(b, dtype.F32, 3, 4),
				fixed(b, dtype.F32, 3)})
		}, "", "s: s.bias is not constant"},
		"int8 weight that is computed": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpW8Linear, "s", []*ir.Value{x(b, "a", 4), fixed(b, dtype.I8, 3, 4),
				constant(b, dtype.F32, 3)})
		}, "", "s: a weight of s is not constant"},
		"scales that are computed": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpW8Linear, "s", []*ir.Value{x(b, "a", 4), constant(b, dtype.I8, 3, 4),
				fixed(b, dtype.F32, 3)})
		}, "", "s: a weight of s is not constant"},
		"ids that are constant": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpPermute, "s", []*ir.Value{fixed(b, dtype.F32, 2, 4), constant(b, dtype.I32, 2)})
		}, "", "s: s.constant is i32[2], want floats"},
		"int8 rows that are constant": {func(b *ir.Builder) []*ir.Value {
			w := int8Pair(b, "w", 3, 4)
			return b.Add(ir.OpQLinear, "s", []*ir.Value{constant(b, dtype.I8, 2, 4), fixed(b, dtype.F32, 2),
				w[0], w[1]})
		}, "", "s: s.constant is i8[2,4], want floats"},
		"offsets that are constant": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpGroupedLinear, "s", []*ir.Value{x(b, "a", 4), constant(b, dtype.I32, 3),
				b.Weight("w", dtype.F16, 2, 3, 4)})
		}, "", "s: s.constant is i32[3], want floats"},
		"observe of a constant": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpObserve, "s", []*ir.Value{constant(b, dtype.F32, 2, 4)})
		}, "", noKernel + "observe of a constant"},
		"a view that cuts padded rows": {func(b *ir.Builder) []*ir.Value {
			return []*ir.Value{b.Reshape("s", rows8(b)[0], shape.Rows(shape.Of(shape.T), 2, 2))}
		}, "", "s: the CPU engine cannot view i8[T,4] as i8[T,2,2]: its rows are padded"},
		"a constant scalar": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpAdd, "s", []*ir.Value{fixed(b, dtype.F32), constant(b, dtype.F32)})
		}, "", `section "s.constant": 0 dimensions, want 1 to 8`},
		"a buffer beyond any memory": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpSiLU, "s", []*ir.Value{x(b, "a", 1<<50)})
		}, "", "input a: f32[T,1125899906842624] is too large at 8 tokens and 4 rows of logits"},
		"a buffer whose size wraps around": {func(b *ir.Builder) []*ir.Value {
			return b.Add(ir.OpSiLU, "s", []*ir.Value{x(b, "a", 1<<31, 1<<31)})
		}, "", "input a: f32[T,2147483648,2147483648] is too large at 8 tokens and 4 rows of logits"},
	} {
		t.Run(name, func(t *testing.T) { checkExample(t, name, e) })
	}
}

// Int8 rows may be viewed under other leading dimensions.
func TestViewsOfPaddedRows(t *testing.T) {
	checkExample(t, "view", example{func(b *ir.Builder) []*ir.Value {
		q := b.Add(ir.OpQuantize, "s", []*ir.Value{b.Input("a", ir.Tensor(dtype.F32, shape.Make(6, 4)))})
		return []*ir.Value{b.Reshape("s", q[0], shape.Make(2, 3, 4))}
	}, "QUANTIZE_DYNAMIC", ""})
}

// Linears that share their first weight but not all of them do not share a section.
func TestSectionsAreSharedByEqualWeightsOnly(t *testing.T) {
	b := ir.NewBuilder("shared")
	a := x(b, "a", 4)
	off := offsets(b)
	v, w := b.Weight("v", dtype.F16, 3, 4), b.Weight("w", dtype.F16, 3, 4)
	q, r := int8Pair(b, "q", 3, 4), b.Weight("r", dtype.F32, 3)
	for i, y := range []*ir.Value{
		b.Op1(ir.OpLinear, "one", a, v),
		b.Op1(ir.OpLinear, "again", a, v),
		b.Op1(ir.OpGroupedLinear, "both", a, off, v, w),
		b.Op1(ir.OpGroupedLinear, "back", a, off, v, v),
		b.Op1(ir.OpW8Linear, "q", a, q[0], q[1]),
		b.Op1(ir.OpW8Linear, "q.again", a, q[0], q[1]),
		b.Op1(ir.OpW8Linear, "r", a, q[0], r),
	} {
		b.Output("y"+string(rune('0'+i)), y)
	}
	p := build(t, finish(t, b))
	var names []string
	for _, s := range p.Manifest.Ranks[0].Sections {
		names = append(names, s.Name)
	}
	want := "one.weight both.weight back.weight q.weight q.weight_scale q.row_sum r.weight " +
		"r.weight_scale r.row_sum"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("sections are %s\nwant         %s", got, want)
	}
}
