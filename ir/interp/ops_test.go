package interp

import (
	"math"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// f, i and b make tensors of f32, i32 and i8 whose last dimension closes the shape.
func f(dims []int64, v ...float32) *tensor.Tensor { return tensor.FromF32(v, dims...) }
func i(dims []int64, v ...int32) *tensor.Tensor   { return tensor.FromI32(v, dims...) }
func b(dims []int64, v ...int8) *tensor.Tensor    { return tensor.FromI8(v, dims...) }

func d(dims ...int64) []int64 { return dims }

func typed(t *tensor.Tensor, to dtype.Type) *tensor.Tensor {
	t.DType = to
	return t
}

type opCase struct {
	name     string
	op       ir.Op
	args     []*tensor.Tensor
	attrs    []ir.Attr
	declared []ir.Type
	want     []*tensor.Tensor
}

type list = []*tensor.Tensor

func to(d dtype.Type, dims ...int64) []ir.Type {
	return []ir.Type{ir.Tensor(d, shape.Make(dims...))}
}

func attrs(a ...ir.Attr) []ir.Attr { return a }

// Every value below was worked out by hand; those that are not exact in f32 are written
// as the roundings of SPEC.md.
var opCases = []opCase{
	{name: "iota", op: ir.OpIota, attrs: attrs(ir.Int("count", 3), ir.Int("step", 8)),
		want: list{i(d(3), 0, 8, 16)}},
	{name: "reshape", op: ir.OpReshape, args: list{i(d(2, 3), 1, 2, 3, 4, 5, 6)},
		declared: to(dtype.I32, 3, 2),
		want:     list{i(d(3, 2), 1, 2, 3, 4, 5, 6)}},
	{name: "slice last", op: ir.OpSlice, args: list{f(d(2, 3), 1, 2, 3, 4, 5, 6)},
		attrs: attrs(ir.Int("axis", 1), ir.Int("lo", 1), ir.Int("hi", 3)),
		want:  list{f(d(2, 2), 2, 3, 5, 6)}},
	{name: "slice first", op: ir.OpSlice, args: list{b(d(3, 1, 2), 1, 2, 3, 4, 5, 6)},
		attrs: attrs(ir.Int("axis", 0), ir.Int("lo", 1), ir.Int("hi", 2)),
		want:  list{b(d(1, 1, 2), 3, 4)}},
	{name: "concat last", op: ir.OpConcat, args: list{f(d(2, 1), 1, 2), f(d(2, 2), 3, 4, 5, 6)},
		attrs: attrs(ir.Int("axis", 1)), want: list{f(d(2, 3), 1, 3, 4, 2, 5, 6)}},
	{name: "concat first", op: ir.OpConcat, args: list{i(d(1, 2), 1, 2), i(d(2, 2), 3, 4, 5, 6)},
		attrs: attrs(ir.Int("axis", 0)), want: list{i(d(3, 2), 1, 2, 3, 4, 5, 6)}},
	{name: "stack", op: ir.OpStack, args: list{b(d(2), 1, 2), b(d(2), 3, 4)},
		want: list{b(d(2, 2), 1, 2, 3, 4)}},
	{name: "cast to f16", op: ir.OpCast, args: list{f(d(4), 2049, 2051, 65520, nan)},
		attrs: attrs(ir.DType("to", dtype.F16)),
		want:  list{typed(f(d(4), 2048, 2052, inf, nan), dtype.F16)}},
	{name: "cast from bf16", op: ir.OpCast, args: list{typed(f(d(2), 1, 256), dtype.BF16)},
		attrs: attrs(ir.DType("to", dtype.F32)), want: list{f(d(2), 1, 256)}},
	{name: "cast from i32", op: ir.OpCast, args: list{i(d(3), -3, 1<<24+1, 1<<24+3)},
		attrs: attrs(ir.DType("to", dtype.F32)), want: list{f(d(3), -3, 1<<24, 1<<24+4)}},
	{name: "cast from i8", op: ir.OpCast, args: list{b(d(2), -128, 127)},
		attrs: attrs(ir.DType("to", dtype.F32)), want: list{f(d(2), -128, 127)}},
	{name: "quantize_weight", op: ir.OpQuantizeWeight,
		args: list{f(d(4, 3), 127, -63.5, 0.5, 0, 0, 0, 254, 3, -5, nan, 1, 2)},
		want: list{b(d(4, 3), 127, -64, 0, 0, 0, 0, 127, 2, -2, 0, 0, 0), f(d(4), 1, 0, 2, nan)}},
	{name: "quantize_weight below the smallest scale", op: ir.OpQuantizeWeight,
		args: list{f(d(1, 2), math.SmallestNonzeroFloat32, 0)},
		want: list{b(d(1, 2), 0, 0), f(d(1), 0)}},

	{name: "add", op: ir.OpAdd, args: list{f(d(2, 2), 1, 2, 3, 1<<24), f(d(2, 2), 10, inf, nan, 1)},
		want: list{f(d(2, 2), 11, inf, nan, 1<<24)}},
	{name: "add broadcast", op: ir.OpAdd, args: list{i(d(2, 1), 1, 2), i(d(1, 3), 10, 20, 30)},
		want: list{i(d(2, 3), 11, 21, 31, 12, 22, 32)}},
	{name: "add wraps", op: ir.OpAdd, args: list{i(d(1), math.MaxInt32), i(d(1), 1)},
		want: list{i(d(1), math.MinInt32)}},
	{name: "sub", op: ir.OpSub, args: list{f(d(3), 1, 2, inf), f(d(3), 3, 2, inf)},
		want: list{f(d(3), -2, 0, nan)}},
	{name: "mul", op: ir.OpMul, args: list{f(d(2, 1, 2), 1, 2, 3, 4), f(d(2, 2, 1), 1, -1, 2, 0.5)},
		want: list{f(d(2, 2, 2), 1, 2, -1, -2, 6, 8, 1.5, 2)}},
	{name: "div", op: ir.OpDiv, args: list{f(d(3), 1, 1, 0), f(d(3), 3, 0, 0)},
		want: list{f(d(3), 1.0/3, inf, nan)}},
	{name: "div i32", op: ir.OpDiv, args: list{i(d(2), 7, -7), i(d(1), 2)},
		want: list{i(d(2), 3, -3)}},
	{name: "silu", op: ir.OpSiLU, args: list{f(d(4), 0, 1, -1000, nan)},
		want: list{f(d(4), 0, float32(1/(1+math.Exp(-1))), float32(math.Copysign(0, -1)), nan)}},

	{name: "softmax", op: ir.OpSoftmax, args: list{f(d(2, 2), 1000, 1000, 0, -inf)},
		want: list{f(d(2, 2), 0.5, 0.5, 1, 0)}},
	{name: "softmax of NaN", op: ir.OpSoftmax, args: list{f(d(1, 2), 1, nan)},
		want: list{f(d(1, 2), nan, nan)}},
	{name: "max_last", op: ir.OpMaxLast, args: list{f(d(3, 2), 1, 2, -1, -inf, 0, nan)},
		want: list{f(d(3), 2, -1, nan)}},
	{name: "argmax_last", op: ir.OpArgMaxLast,
		args: list{f(d(3, 3), 1, 5, 5, -inf, -inf, -inf, 7, nan, nan)},
		want: list{i(d(3), 1, 0, 1)}},
	{name: "sum_last", op: ir.OpSumLast, args: list{f(d(2, 3), 1<<24, 1, 1, 1, 2, inf)},
		want: list{f(d(2, 1), 1<<24+2, inf)}},
	{name: "topk", op: ir.OpTopK, args: list{f(d(2, 4), 3, 9, 3, 1, 0, 1, 2, 3)},
		attrs: attrs(ir.Int("k", 3)),
		want:  list{f(d(2, 3), 9, 3, 3, 3, 2, 1), i(d(2, 3), 1, 0, 2, 3, 2, 1)}},

	{name: "embed", op: ir.OpEmbed, args: list{i(d(2), 2, 0),
		typed(f(d(3, 2), 1, 2, 3, 4, 5, 6), dtype.BF16)},
		want: list{f(d(2, 2), 5, 6, 1, 2)}},
	{name: "take_rows", op: ir.OpTakeRows, args: list{f(d(2, 2), 1, 2, 3, 4), i(d(3), 1, 1, 0)},
		want: list{f(d(3, 2), 3, 4, 3, 4, 1, 2)}},
	{name: "gather", op: ir.OpGather, args: list{typed(f(d(3), 5, 6, 7), dtype.F16),
		i(d(2, 2), 0, 2, 1, 2)},
		want: list{f(d(2, 2), 5, 7, 6, 7)}},

	{name: "linear", op: ir.OpLinear, args: list{f(d(2, 2), 1, 2, 3, 4),
		f(d(3, 2), 1, 0, 0, 1, 1, 1)},
		want: list{f(d(2, 3), 1, 2, 3, 3, 4, 7)}},
	{name: "linear is exact before it rounds", op: ir.OpLinear,
		args: list{f(d(1, 3), 1<<30, 1, -1<<30),
			f(d(5, 3), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)},
		want: list{f(d(1, 5), 1, 1, 1, 1, 1)}},
	{name: "linear adds the bias after rounding", op: ir.OpLinear,
		args: list{f(d(1, 2), 1<<24, 1), f(d(1, 2), 1, 1), f(d(1), 1)},
		want: list{f(d(1, 1), 1<<24)}},
	{name: "linear of no tokens", op: ir.OpLinear, args: list{f(d(0, 2)), f(d(1, 2), 1, 1)},
		want: list{f(d(0, 1))}},
	{name: "rms_norm", op: ir.OpRMSNorm, args: list{f(d(2, 2), 3, 4, 0, 0), f(d(2), 1, 10)},
		attrs: attrs(ir.Float("eps", 0.5)),
		want:  list{f(d(2, 2), float32(3/math.Sqrt(13)), 10*float32(4/math.Sqrt(13)), 0, 0)}},
	{name: "rope_table", op: ir.OpRopeTable, args: list{i(d(2), 0, 3)},
		attrs: attrs(ir.Int("dim", 4), ir.Float("theta", 16)),
		want: list{f(d(2, 2), 1, 1, float32(math.Cos(3)), float32(math.Cos(0.75))),
			f(d(2, 2), 0, 0, float32(math.Sin(3)), float32(math.Sin(0.75)))}},

	{name: "route", op: ir.OpRoute, args: list{i(d(3, 2), 2, 0, 0, 2, 1, 0)},
		attrs: attrs(ir.Int("experts", 4)),
		want:  list{i(d(6), 1, 2, 5, 4, 0, 3), i(d(5), 0, 3, 4, 6, 6)}},
	{name: "permute", op: ir.OpPermute, args: list{f(d(2, 1), 10, 20), i(d(4), 1, 2, 0, 3)},
		want: list{f(d(4, 1), 10, 20, 10, 20)}},
	{name: "permute vector", op: ir.OpPermute, args: list{b(d(2), 1, 2), i(d(2), 1, 0)},
		want: list{b(d(2), 2, 1)}},
	{name: "grouped_linear", op: ir.OpGroupedLinear,
		args: list{f(d(3, 1), 1, 2, 3), i(d(4), 0, 1, 1, 3), f(d(2, 1), 1, 2), f(d(2, 1), 9, 9),
			f(d(2, 1), 10, 20)},
		want: list{f(d(3, 2), 1, 2, 20, 40, 30, 60)}},
	{name: "grouped_linear stacked", op: ir.OpGroupedLinear,
		args: list{f(d(3, 1), 1, 2, 3), i(d(4), 0, 1, 1, 3), f(d(3, 2, 1), 1, 2, 9, 9, 10, 20)},
		want: list{f(d(3, 2), 1, 2, 20, 40, 30, 60)}},
	{name: "combine", op: ir.OpCombine, args: list{f(d(4, 1), 1, 2, 3, 4), i(d(4), 3, 0, 1, 2),
		f(d(2, 2), 10, 100, 1000, 0.5)},
		want: list{f(d(2, 1), 320, 4000.5)}},
	{name: "combine rounds each sum", op: ir.OpCombine,
		args: list{f(d(3, 1), 1<<24, 1, 1), i(d(3), 0, 1, 2), f(d(1, 3), 1, 1, 1)},
		want: list{f(d(1, 1), 1<<24)}},

	{name: "quantize", op: ir.OpQuantize, args: list{f(d(3, 4), 127, 0.5, 1.5, -2.5, 0, 0, 0, 0, -2,
		1, 0.5, 0)},
		want: list{b(d(3, 4), 127, 0, 2, -2, 0, 0, 0, 0, -127, 64, 32, 0), f(d(3), 1, 0, 2.0/127)}},
	{name: "quantize of a row too small to invert", op: ir.OpQuantize,
		args: list{f(d(1, 2), 1e-38, 0)},
		want: list{b(d(1, 2), 0, 0), f(d(1), 0)}},
	{name: "quantize of NaN and Inf", op: ir.OpQuantize, args: list{f(d(2, 2), nan, 1, -inf, 1)},
		want: list{b(d(2, 2), 0, 0, 0, 0), f(d(2), nan, inf)}},
	{name: "quantize_static", op: ir.OpQuantizeStatic,
		args:  list{f(d(2, 3), 200, -200, 2.5, inf, -63.5, nan)},
		attrs: attrs(ir.Float("amax", 127)),
		want:  list{b(d(2, 3), 127, -127, 2, 127, -64, 0), f(d(2), 1, 1)}},
	{name: "quantize_static of nothing seen", op: ir.OpQuantizeStatic, args: list{f(d(1, 2), 1, 2)},
		attrs: attrs(ir.Float("amax", 0)), want: list{b(d(1, 2), 0, 0), f(d(1), 0)}},
	{name: "dot_i8", op: ir.OpDotI8, args: list{b(d(2, 2), 127, 127, -128, 1),
		b(d(2, 2), 127, 127, -128, 2)},
		want: list{i(d(2, 2), 32258, -16002, -16129, 16386)}},
	{name: "grouped_dot_i8", op: ir.OpGroupedDotI8,
		args: list{b(d(3, 1), 1, 2, 3), i(d(3), 0, 1, 3), b(d(1, 1), 5), b(d(1, 1), 7)},
		want: list{i(d(3, 1), 5, 14, 21)}},
	{name: "spread_rows", op: ir.OpSpreadRows,
		args: list{f(d(2, 2), 1, 2, 3, 4), i(d(3), 0, 2, 3), i(d(3, 2), 0, 0, 0, 0, 0, 0)},
		want: list{f(d(3, 2), 1, 2, 1, 2, 3, 4)}},
	{name: "observe", op: ir.OpObserve, args: list{f(d(1, 2), 1, nan)},
		want: list{f(d(1, 2), 1, nan)}},
	{name: "observe by expert", op: ir.OpObserve, args: list{f(d(1, 2), 1, 2), i(d(2), 0, 1)},
		want: list{f(d(1, 2), 1, 2)}},

	{name: "add_rms_norm", op: ir.OpAddRMSNorm,
		args:  list{f(d(1, 2), 1, 2), f(d(1, 2), 2, 2), f(d(2), 2, 1)},
		attrs: attrs(ir.Float("eps", 0)),
		want: list{f(d(1, 2), 3, 4), f(d(1, 2), 2*float32(3/math.Sqrt(12.5)),
			float32(4/math.Sqrt(12.5)))}},
	{name: "rotary", op: ir.OpRotary, args: list{f(d(1, 2, 4), 1, 2, 3, 4, 10, 20, 30, 40),
		f(d(1, 2), 0, 1), f(d(1, 2), 1, 0)},
		want: list{f(d(1, 2, 4), -3, 2, 1, 4, -30, 20, 10, 40)}},
	{name: "swiglu", op: ir.OpSwiGLU, args: list{f(d(1, 4), 0, 1, 5, 2)},
		want: list{f(d(1, 2), 0, 2*float32(1/(1+math.Exp(-1))))}},
	{name: "qlinear", op: ir.OpQLinear,
		args: list{b(d(2, 2), 1, 2, 3, 4), f(d(2), 0.5, 2), b(d(2, 2), 1, 1, 10, 0),
			f(d(2), 1, 0.25), f(d(2), 100, 0)},
		want: list{f(d(2, 2), 101.5, 1.25, 114, 15)}},
	{name: "qgrouped_linear", op: ir.OpQGroupedLinear,
		args: list{b(d(3, 1), 1, 2, 3), i(d(3), 0, 1, 3), f(d(3), 1, 2, 4), b(d(1, 1), 5),
			b(d(1, 1), 7), f(d(1), 0.5), f(d(1), 2)},
		want: list{f(d(3, 1), 2.5, 56, 168)}},
	{name: "qgrouped_linear stacked", op: ir.OpQGroupedLinear,
		args: list{b(d(3, 1), 1, 2, 3), i(d(3), 0, 1, 3), f(d(3), 1, 2, 4), b(d(2, 1, 1), 5, 7),
			f(d(2, 1), 0.5, 2)},
		want: list{f(d(3, 1), 2.5, 56, 168)}},
	{name: "w8linear", op: ir.OpW8Linear, args: list{f(d(1, 2), 0.5, 2), b(d(2, 2), 2, 3, 4, -1),
		f(d(2), 10, 0.5), f(d(2), 1, 1)},
		want: list{f(d(1, 2), 71, 1)}},
	{name: "w8grouped_linear", op: ir.OpW8GroupedLinear,
		args: list{f(d(2, 1), 0.5, 2), i(d(3), 0, 1, 2), b(d(1, 1), 2), b(d(1, 1), 3), f(d(1), 10),
			f(d(1), 100)},
		want: list{f(d(2, 1), 10, 600)}},
}

func TestOps(t *testing.T) {
	for _, c := range opCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Eval(c.op, c.args, c.attrs, c.declared)
			if err != nil {
				t.Fatal(err)
			}
			for k := range c.want {
				if diff := tensor.Diff(got[k], c.want[k]); diff != "" {
					t.Errorf("result %d: %s", k, diff)
				}
			}
		})
	}
}

// Every op is read (a source), computed by a kernel, or expanded; and every kernel that
// takes tensors only has a case above.
func TestEveryOpHasAMeaningAndACase(t *testing.T) {
	cases := map[ir.Op]bool{ir.OpKVWrite: true, ir.OpAttend: true, ir.OpMoEGate: true} // tests of their own
	for _, c := range rankCases {
		cases[c.op] = true
	}
	for _, c := range opCases {
		cases[c.op] = true
	}
	for _, op := range ir.Ops() {
		source := op == ir.OpInput || op == ir.OpWeight || op == ir.OpState
		if ways := count(source, op.Fused(), kernels[op] != nil); ways != 1 {
			t.Errorf("%v is executed in %d ways", op, ways)
		}
		if !source && !cases[op] {
			t.Errorf("%v has no case", op)
		}
	}
}

func count(conditions ...bool) int {
	n := 0
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

func TestOpErrors(t *testing.T) {
	for _, c := range []struct {
		op    ir.Op
		args  list
		attrs []ir.Attr
		want  string
	}{
		{ir.OpEmbed, list{i(d(2), 0, 3), f(d(3, 1), 1, 2, 3)}, nil,
			"embed: token 1 is 3, want 0 to 2"},
		{ir.OpEmbed, list{i(d(1), -1), f(d(3, 1), 1, 2, 3)}, nil,
			"embed: token 0 is -1, want 0 to 2"},
		{ir.OpTakeRows, list{f(d(1, 1), 1), i(d(1), 1)}, nil, "take_rows: row 0 is 1, want 0 to 0"},
		{ir.OpGather, list{f(d(2), 1, 2), i(d(1, 2), 1, 2)}, nil, "gather: id 1 is 2, want 0 to 1"},
		{ir.OpRopeTable, list{i(d(1), -4)}, attrs(ir.Int("dim", 2), ir.Float("theta", 10)),
			"rope_table: token 0 is at position -4"},
		{ir.OpRoute, list{i(d(1, 2), 0, 4)}, attrs(ir.Int("experts", 4)),
			"route: expert of slot 1 is 4, want 0 to 3"},
		{ir.OpPermute, list{f(d(1, 1), 1), i(d(2), 0, 2)}, nil,
			"permute: slot 1 is 2, want 0 to 1"},
		{ir.OpCombine, list{f(d(1, 1), 1), i(d(1), -1), f(d(1, 1), 1)}, nil,
			"combine: slot 0 is -1, want 0 to 0"},
		{ir.OpGroupedLinear, list{f(d(1, 1), 1), i(d(3), 0, 1, 2), f(d(2, 1, 1), 1, 1)}, nil,
			"grouped_linear: the offsets go from 0 to 2 over 1 rows"},
		{ir.OpGroupedLinear, list{f(d(1, 1), 1), i(d(3), 0, 2, 1), f(d(2, 1, 1), 1, 1)}, nil,
			"grouped_linear: the offsets of expert 0 are 0 and 2 of 1 rows"},
		{ir.OpGroupedDotI8, list{b(d(1, 1), 1), i(d(3), 0, -1, 1), b(d(2, 1, 1), 1, 1)}, nil,
			"grouped_dot_i8: the offsets of expert 0 are 0 and -1 of 1 rows"},
		{ir.OpSpreadRows, list{f(d(1, 1), 1), i(d(2), 1, 1), f(d(1, 1), 1)}, nil,
			"spread_rows: the offsets go from 1 to 1 over 1 rows"},
		{ir.OpDiv, list{i(d(2), 1, 1), i(d(2), 1, 0)}, nil, "div: element 1 of the divisor is 0"},
		{ir.OpMaxLast, list{f(d(2, 0))}, nil, "max_last: the last dimension of f32[2,0] is empty"},
		{ir.OpArgMaxLast, list{f(d(1, 0))}, nil,
			"argmax_last: the last dimension of f32[1,0] is empty"},
		{ir.OpAttend, nil, nil, `attend at "": graph_c9: 0 arguments`},
		{ir.OpInput, nil, attrs(ir.Str("name", "x")), `input at "": graph_c10: 0 results, want 1`},
	} {
		if _, err := Eval(c.op, c.args, c.attrs, nil); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestDotI8Overflow(t *testing.T) {
	const k = 131073 // the first length at which 128·128 a term leaves i32
	row := tensor.New(dtype.I8, 1, k)
	for j := range row.I8 {
		row.I8[j] = -128
	}
	_, err := Eval(ir.OpDotI8, list{row, row}, nil, nil)
	if want := "dot_i8: the sum 2147500032 of column 0 leaves i32"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
