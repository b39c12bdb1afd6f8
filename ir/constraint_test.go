package ir

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"moge/ir/dtype"
)

// violationCase is a node that breaks the constraint label, and the error after it.
type violationCase struct {
	label    string
	args     string // types, separated by spaces
	declared string // type of the result, for ops that state it
	attrs    []Attr
	want     string
}

func named(attrs ...Attr) []Attr { return attrs }

var sourceViolations = []violationCase{
	{label: "input_c1", declared: "f32[1]", attrs: named(Str("name", "")),
		want: "the name is empty"},
	{label: "input_c2", declared: "state:f32[1,1]", attrs: named(Str("name", "x")),
		want: "the type is state:f32[1,1]"},
	{label: "input_c5", declared: "f32[T,L]", attrs: named(Str("name", "x")),
		want: "the shape [T,L] has too many elements"},
	{label: "weight_c1", declared: "f32[1]", attrs: named(Str("name", "")),
		want: "the name is empty"},
	{label: "weight_c2", declared: "state:f32[1,1]", attrs: named(Str("name", "x")),
		want: "the type is state:f32[1,1]"},
	{label: "weight_c3", declared: "f32[T]", attrs: named(Str("name", "x")),
		want: "the shape [T] is not fixed"},
	{label: "weight_c5", declared: "i8[9223372036854775807,2]", attrs: named(Str("name", "x")),
		want: "the shape [9223372036854775807,2] has too many elements"},
	{label: "state_c1", declared: "state:f32[1,1]", attrs: named(Str("name", "")),
		want: "the name is empty"},
	{label: "state_c2", declared: "f32[1,1]", attrs: named(Str("name", "x")),
		want: "the type is f32[1,1]"},
	{label: "state_c3", declared: "state:f32[T,1]", attrs: named(Str("name", "x")),
		want: "the shape [T,1] is not fixed"},
	{label: "state_c4", declared: "state:f32[2]", attrs: named(Str("name", "x")),
		want: "the type is state:f32[2], want float or i8 rows [heads,width]"},
	{label: "state_c4", declared: "state:i32[2,2]", attrs: named(Str("name", "x")),
		want: "the type is state:i32[2,2], want float or i8 rows [heads,width]"},
	{label: "state_c5", declared: "state:f16[9223372036854775807,2]",
		attrs: named(Str("name", "x")),
		want:  "the shape [9223372036854775807,2] has too many elements"},
	{label: "iota_c1", attrs: named(Int("count", 0), Int("step", 1)),
		want: "count 0 with step 1 leaves i32"},
	{label: "iota_c1", attrs: named(Int("count", 1<<20), Int("step", 1<<12)),
		want: "count 1048576 with step 4096 leaves i32"},
}

var arrangeViolations = []violationCase{
	{label: "reshape_c1", args: "f32[2]", declared: "i32[2]", want: "f32[2] cannot become i32[2]"},
	{label: "reshape_c2", args: "f32[T,2]", declared: "f32[T,3]",
		want: "f32[T,2] and f32[T,3] do not hold the same number of elements"},
	{label: "slice_c1", args: "f32[2]", attrs: axis(1, 0, 1), want: "axis 1 of 1 dimensions"},
	{label: "slice_c1", args: "state:f32[2,2]", attrs: axis(1, 0, 1),
		want: "the argument is a state"},
	{label: "slice_c2", args: "f32[2,4]", attrs: axis(1, 2, 5),
		want: "range 2 to 5 of dimension 4"},
	{label: "slice_c2", args: "f32[2,4]", attrs: axis(1, 2, 2),
		want: "range 2 to 2 of dimension 4"},
	{label: "slice_c2", args: "f32[T,4]", attrs: axis(0, 0, 1),
		want: "range 0 to 1 of dimension T"},
	{label: "concat_c1", args: "f32[2] f32[2]", attrs: named(Int("axis", -1)),
		want: "axis -1 of 1 dimensions"},
	{label: "concat_c2", args: "f32[2] i32[2]", attrs: named(Int("axis", 0)),
		want: "argument 1 is i32[2] beside f32[2]"},
	{label: "concat_c2", args: "f32[T,1] f32[T,1]", attrs: named(Int("axis", 0)),
		want: "argument 0 is f32[T,1] beside f32[T,1]"},
	{label: "concat_c3", args: "f32[2,3] f32[3,3]", attrs: named(Int("axis", 1)),
		want: "argument 1 is f32[3,3] beside f32[2,3] along axis 1"},
	{label: "concat_c3", args: "i8[9223372036854775807] i8[1]", attrs: named(Int("axis", 0)),
		want: "argument 1 makes axis 0 too long"},
	{label: "stack_c1", args: "f32[2] f32[3]", want: "argument 1 is f32[3] beside f32[2]"},
	{label: "stack_c1", args: "f32[T]", want: "argument 0 is f32[T] beside f32[T]"},
	{label: "cast_c1", args: "f32[2]", attrs: named(DType("to", dtype.I8)),
		want: "f32[2] cannot become i8"},
	{label: "cast_c1", args: "i32[2]", attrs: named(DType("to", dtype.F16)),
		want: "i32[2] cannot become f16"},
	{label: "quantize_weight_c1", args: "i8[2,2]",
		want: "argument 0 is i8[2,2], want a float tensor"},
	{label: "quantize_weight_c2", args: "f32[2]", want: "the weight is f32[2], want fixed rows"},
	{label: "quantize_weight_c2", args: "f32[T,2]",
		want: "the weight is f32[T,2], want fixed rows"},
}

func axis(axis, lo, hi int64) []Attr {
	return named(Int("axis", axis), Int("lo", lo), Int("hi", hi))
}

// familyViolations are those of ops that share a type rule.
func familyViolations() []violationCase {
	var cases []violationCase
	for _, op := range []string{"add", "sub", "mul", "div"} {
		cases = append(cases,
			violationCase{label: op + "_c1", args: "f32[2] i32[2]",
				want: "arguments are f32[2] and i32[2], want both f32 or both i32"},
			violationCase{label: op + "_c1", args: "f16[2] f16[2]",
				want: "arguments are f16[2] and f16[2], want both f32 or both i32"},
			violationCase{label: op + "_c2", args: "f32[2] f32[1,2]",
				want: "arguments are f32[2] and f32[1,2], want as many dimensions"},
			violationCase{label: op + "_c3", args: "f32[2,3] f32[2,2]",
				want: "dimension 1 is 3 and 2, want equal or 1"})
	}
	for _, op := range []string{"silu", "softmax", "max_last", "argmax_last", "sum_last", "topk"} {
		var attrs []Attr
		if op == "topk" {
			attrs = named(Int("k", 1))
		}
		cases = append(cases,
			violationCase{label: op + "_c1", args: "f16[2]", attrs: attrs,
				want: "argument 0 is f16[2], want elements of f32"},
			violationCase{label: op + "_c2", args: "f32[]", attrs: attrs,
				want: "the argument has no last dimension"})
	}
	return append(cases,
		violationCase{label: "topk_c3", args: "f32[T,4]", attrs: named(Int("k", 5)),
			want: "k is 5 of dimension 4"},
		violationCase{label: "topk_c3", args: "f32[4,T]", attrs: named(Int("k", 1)),
			want: "k is 1 of dimension T"})
}

var layerViolations = []violationCase{
	{label: "embed_c1", args: "f32[T] f32[9,2]",
		want: "argument 0 is f32[T], want elements of i32"},
	{label: "embed_c1", args: "i32[T,1] f32[9,2]",
		want: "argument 0 is i32[T,1], want 1 dimensions"},
	{label: "embed_c2", args: "i32[T] i8[9,2]", want: "argument 1 is i8[9,2], want a float tensor"},
	{label: "embed_c2", args: "i32[T] f32[9]", want: "argument 1 is f32[9], want 2 dimensions"},
	{label: "take_rows_c1", args: "f32[T] i32[L]", want: "argument 0 is f32[T], want 2 dimensions"},
	{label: "take_rows_c2", args: "f32[T,2] f32[L]",
		want: "argument 1 is f32[L], want elements of i32"},
	{label: "gather_c1", args: "f32[2,2] i32[T]",
		want: "argument 0 is f32[2,2], want 1 dimensions"},
	{label: "gather_c2", args: "f32[2] f32[T]", want: "argument 1 is f32[T], want elements of i32"},
	{label: "linear_c1", args: "f32[T] f32[2,2]", want: "argument 0 is f32[T], want 2 dimensions"},
	{label: "linear_c1", args: "f16[T,2] f32[2,2]",
		want: "argument 0 is f16[T,2], want elements of f32"},
	{label: "linear_c2", args: "f32[T,2] i8[2,2]", want: "the weight is i8[2,2]"},
	{label: "linear_c2", args: "f32[T,2] f32[2]", want: "argument 1 is f32[2], want 2 dimensions"},
	{label: "linear_c3", args: "f32[T,3] bf16[2,2]",
		want: "x is f32[T,3] but the weight is bf16[2,2]: K differs"},
	{label: "linear_c4", args: "f32[T,2] f32[3,2] f32[2]",
		want: "the bias is f32[2], want [3] floats"},
	{label: "rms_norm_c1", args: "f16[T,2] f32[2]", attrs: eps(0),
		want: "argument 0 is f16[T,2], want elements of f32"},
	{label: "rms_norm_c2", args: "f32[T,2] f32[1,2]", attrs: eps(0),
		want: "argument 1 is f32[1,2], want 1 dimensions"},
	{label: "rms_norm_c3", args: "f32[T,2] f32[3]", attrs: eps(0),
		want: "x is f32[T,2] but the weight is f32[3]"},
	{label: "rms_norm_c4", args: "f32[T,2] f32[2]", attrs: eps(-1), want: "eps is -1"},
	{label: "rms_norm_c5", args: "f32[T,2] f32[2]", attrs: rounded(dtype.I8), want: "round is i8"},
	{label: "rope_table_c1", args: "i32[T,1]", attrs: rope(2, 1),
		want: "argument 0 is i32[T,1], want 1 dimensions"},
	{label: "rope_table_c2", args: "i32[T]", attrs: rope(3, 1),
		want: "dim is 3, want a positive even number"},
	{label: "rope_table_c3", args: "i32[T]", attrs: rope(2, 0), want: "theta is 0"},
	{label: "kv_write_c1", args: "f32[2,4] f32[T,2,4] i32[T] i32[T]",
		want: "argument 0 is f32[2,4], want a state"},
	{label: "kv_write_c2", args: "state:f16[2,4] f16[T,2,4] i32[T] i32[T]",
		want: "argument 1 is f16[T,2,4], want elements of f32"},
	{label: "kv_write_c3", args: "state:f16[2,4] f32[T,4,2] i32[T] i32[T]",
		want: "rows are f32[T,4,2] but the state is state:f16[2,4]"},
	{label: "kv_write_c4", args: "state:f16[2,4] f32[T,2,4] i32[T] i32[L]",
		want: "argument 3 is i32[L], want i32[T]"},
	{label: "attend_c1", args: "f32[T,8] state:f32[2,4] state:f32[2,4] i32[T] i32[T]",
		attrs: scale(),
		want:  "argument 0 is f32[T,8], want 3 dimensions"},
	{label: "attend_c2", args: "f32[T,4,4] state:f32[2,4] state:f32[1,4] i32[T] i32[T]",
		attrs: scale(),
		want:  "keys are state:f32[2,4] and values state:f32[1,4], want states of as many heads"},
	{label: "attend_c3", args: "f32[T,4,8] state:f32[2,4] state:f32[2,4] i32[T] i32[T]",
		attrs: scale(),
		want:  "queries are f32[T,4,8] but keys state:f32[2,4]"},
	{label: "attend_c4", args: "f32[T,3,4] state:f32[2,4] state:f32[2,4] i32[T] i32[T]",
		attrs: scale(),
		want:  "3 query heads do not divide over 2 key heads"},
	{label: "attend_c5", args: "f32[T,4,4] state:f32[2,4] state:f32[2,4] i32[L] i32[T]",
		attrs: scale(),
		want:  "argument 3 is i32[L], want i32[T]"},
	{label: "attend_c6", args: "f32[T,4,4] state:f32[2,4] state:f32[2,4] i32[T] i32[T]",
		attrs: named(Float("scale", 1), Int("window", -1)), want: "window is -1"},
}

func eps(v float32) []Attr { return named(Float("eps", v)) }

func rounded(d dtype.Type) []Attr { return append(eps(0), DType("round", d)) }

func scale() []Attr { return named(Float("scale", 1)) }

func rope(dim int64, theta float32) []Attr {
	return named(Int("dim", dim), Float("theta", theta))
}

var moeViolations = []violationCase{
	{label: "route_c1", args: "f32[T,8]", attrs: experts(8),
		want: "argument 0 is f32[T,8], want elements of i32"},
	{label: "route_c2", args: "i32[T,8]", attrs: experts(65537), want: "65537 experts"},
	{label: "permute_c1", args: "f32[T,1,1] i32[8*T]", want: "rows are f32[T,1,1]"},
	{label: "permute_c2", args: "f32[T,2] i32[T,8]",
		want: "argument 1 is i32[T,8], want 1 dimensions"},
	{label: "permute_c3", args: "f32[2*T,2] i32[3*T]", want: "3*T sorted slots over 2*T rows"},
	{label: "permute_c3", args: "f32[T,2] i32[8*L]", want: "8*L sorted slots over T rows"},
	{label: "grouped_linear_c1", args: "f32[T] i32[2] f32[2,2]",
		want: "argument 0 is f32[T], want 2 dimensions"},
	{label: "grouped_linear_c2", args: "f32[T,2] i32[2] i8[2,2]",
		want: "the weights are 1 of i8[2,2]"},
	{label: "grouped_linear_c2", args: "f32[T,2] i32[4] f32[2,3,2] f32[2,3,2]",
		want: "the weights are 2 of f32[2,3,2]"},
	{label: "grouped_linear_c2", args: "f32[T,2] i32[1] f32[0,3,2]",
		want: "the weights are 1 of f32[0,3,2]"},
	{label: "grouped_linear_c3", args: "f32[T,2] i32[3] f32[3,2] f32[4,2]",
		want: "weight 1 is f32[4,2] beside f32[3,2]"},
	{label: "grouped_linear_c4", args: "f32[T,2] i32[2] f32[3,2] f32[3,2]",
		want: "argument 1 is i32[2], want i32[3]"},
	{label: "grouped_linear_c5", args: "f32[T,3] i32[3] f32[2,3,2]",
		want: "x is f32[T,3] but the weights are f32[2,3,2]: K differs"},
	{label: "combine_c1", args: "f32[8*T] i32[8*T] f32[T,8]",
		want: "argument 0 is f32[8*T], want 2 dimensions"},
	{label: "combine_c1", args: "f32[] i32[8*T] f32[T,8]",
		want: "argument 0 is f32[], want 2 dimensions"},
	{label: "combine_c2", args: "f32[8*T,2] i32[T] f32[T,8]",
		want: "argument 1 is i32[T], want i32[8*T]"},
	{label: "combine_c3", args: "f32[8*T,2] i32[8*T] f32[8*T]",
		want: "argument 2 is f32[8*T], want 2 dimensions"},
	{label: "combine_c4", args: "f32[8*T,2] i32[8*T] f32[T,4]",
		want: "weights are f32[T,4] for slots i32[8*T]"},
	{label: "spread_rows_c1", args: "f32[2] i32[3] f32[T,2]",
		want: "argument 0 is f32[2], want 2 dimensions"},
	{label: "spread_rows_c1", args: "f32[T,2] i32[2] f32[T,2]",
		want: "the table is f32[T,2], want a fixed number of rows"},
	{label: "spread_rows_c2", args: "f32[2,2] i32[2] f32[T,2]",
		want: "argument 1 is i32[2], want i32[3]"},
	{label: "spread_rows_c3", args: "f32[2,2] i32[3] i32[T,3]",
		want: "the table is f32[2,2] for rows of i32[T,3]"},
	{label: "moe_gate_c1", args: "f32[T] f32[8,2]", attrs: groups(2),
		want: "argument 0 is f32[T], want 2 dimensions"},
	{label: "moe_gate_c2", args: "f32[T,2] i8[8,2]", attrs: groups(2),
		want: "the weight is i8[8,2]"},
	{label: "moe_gate_c3", args: "f32[T,3] f32[8,2]", attrs: groups(2),
		want: "x is f32[T,3] but the weight is f32[8,2]: K differs"},
	{label: "moe_gate_c4", args: "f32[T,2] f32[8,2]", attrs: groups(3),
		want: "3 groups do not divide 8 experts"},
	{label: "moe_gate_c4", args: "f32[T,2] f32[0,2]", attrs: groups(1),
		want: "1 groups do not divide 0 experts"},
	{label: "moe_gate_c5", args: "f32[T,2] f32[8,2] f32[1,8]", attrs: groups(2),
		want: "the bias is f32[1,8], want [8] floats"},
}

func experts(n int64) []Attr { return named(Int("experts", n)) }

func groups(n int64) []Attr { return named(Int("groups", n)) }

func violationCases() []violationCase {
	return slices.Concat(sourceViolations, rankViolations, arrangeViolations, familyViolations(),
		layerViolations,
		moeViolations, integerViolations, fusedViolations)
}

// operands declares an input or a state for each type of a list.
func operands(t *testing.T, b *Builder, types string) []*Value {
	t.Helper()
	var args []*Value
	for i, text := range strings.Fields(types) {
		typ, err := ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		op := OpInput
		if typ.State {
			op = OpState
		}
		name := Str("name", fmt.Sprintf("a%d", i))
		args = append(args, b.AddTyped(op, "", []Type{typ}, nil, name)[0])
	}
	return args
}

func TestConstraints(t *testing.T) {
	for _, c := range violationCases() {
		t.Run(c.label, func(t *testing.T) {
			name := c.label[:strings.LastIndex(c.label, "_c")]
			op, ok := ParseOp(name)
			if !ok {
				t.Fatalf("no op %q", name)
			}
			b := NewBuilder("violation")
			args := operands(t, b, c.args)
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			var declared []Type
			if c.declared != "" {
				typ, err := ParseType(c.declared)
				if err != nil {
					t.Fatal(err)
				}
				declared = []Type{typ}
			}
			b.AddTyped(op, "here", declared, args, c.attrs...)
			want := fmt.Sprintf("%s at \"here\": %s: %s", name, c.label, c.want)
			if err := b.Err(); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}
