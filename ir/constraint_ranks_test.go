package ir

import "moge/ir/dtype"

func ranks(size, stride int64, more ...Attr) []Attr {
	return append(named(Int("size", size), Int("stride", stride)), more...)
}

func axisOf(axis int64, more ...Attr) []Attr { return append(named(Int("axis", axis)), more...) }

var rankViolations = []violationCase{
	{label: "shard_c1", args: "f32[8]", attrs: axisOf(1, ranks(2, 1)...), want: "axis 1 of 1 dimensions"},
	{label: "shard_c1", args: "state:f32[8,1]", attrs: axisOf(0, ranks(2, 1)...), want: "the argument is a state"},
	{label: "shard_c2", args: "f32[8]", attrs: axisOf(0, ranks(0, 1)...), want: "a group of 0 ranks, 1 apart"},
	{label: "shard_c2", args: "f32[8]", attrs: axisOf(0, ranks(2, 1, Int("index", 2))...),
		want: "index 2 in a group of 2 ranks"},
	{label: "shard_c3", args: "f32[8]", attrs: axisOf(0, ranks(2, 1, Int("align", 0))...), want: "align is 0"},
	{label: "shard_c4", args: "f32[5]", attrs: axisOf(0, ranks(4, 1)...), want: "dimension 5 does not make 4 blocks"},
	{label: "shard_c4", args: "f32[2*T]", attrs: axisOf(0, ranks(4, 1)...),
		want: "dimension 2*T does not make 4 blocks"},
	{label: "shard_c4", args: "f32[9223372036854775807]", attrs: axisOf(0, ranks(1, 1, Int("align", 2))...),
		want: "dimension 9223372036854775807 does not make 1 blocks"},
	{label: "own_c1", args: "i32[8]", attrs: ranks(2, 1), want: "argument 0 is i32[8], want floats"},
	{label: "own_c2", args: "f32[8]", attrs: ranks(2, 0), want: "a group of 2 ranks, 0 apart"},
	{label: "rebase_c1", args: "f32[8]", attrs: ranks(2, 1, Int("step", 1)),
		want: "argument 0 is f32[8], want elements of i32"},
	{label: "rebase_c2", args: "i32[8]", attrs: ranks(-1, 1, Int("step", 1)), want: "a group of -1 ranks, 1 apart"},
	{label: "rebase_c3", args: "i32[8]", attrs: ranks(4, 1, Int("step", 1<<30)), want: "step 1073741824 over 4 ranks"},
	{label: "all_gather_c1", args: "f32[]", attrs: ranks(2, 1), want: "argument 0 is f32[], want rows"},
	{label: "all_gather_c2", args: "f32[8]", attrs: ranks(2, 1<<17), want: "a group of 2 ranks, 131072 apart"},
	{label: "all_gather_c3", args: "i32[8]", attrs: ranks(2, 1, DType("wire", dtype.F16)), want: "i32 travel as f16"},
	{label: "all_gather_c4", args: "f32[4611686018427387904]", attrs: ranks(2, 1),
		want: "2 times 4611686018427387904 rows"},
	{label: "reduce_scatter_c1", args: "f32[]", attrs: ranks(2, 1), want: "argument 0 is f32[], want rows"},
	{label: "reduce_scatter_c2", args: "f32[8]", attrs: ranks(0, 1), want: "a group of 0 ranks, 1 apart"},
	{label: "reduce_scatter_c3", args: "f32[8]", attrs: ranks(2, 1, DType("wire", dtype.I8)), want: "f32 travel as i8"},
	{label: "reduce_scatter_c4", args: "i32[8]", attrs: ranks(2, 1), want: "argument 0 is i32[8], want elements of f32"},
	{label: "reduce_scatter_c5", args: "f32[3*T]", attrs: ranks(2, 1), want: "3*T rows do not make 2 blocks"},
	{label: "all_reduce_c1", args: "f32[]", attrs: ranks(2, 1), want: "argument 0 is f32[], want rows"},
	{label: "all_reduce_c2", args: "f32[8]", attrs: ranks(0, 1), want: "a group of 0 ranks, 1 apart"},
	{label: "all_reduce_c3", args: "f32[8]", attrs: ranks(2, 1, DType("wire", dtype.I8)), want: "f32 travel as i8"},
	{label: "all_reduce_c4", args: "i32[8]", attrs: ranks(2, 1), want: "argument 0 is i32[8], want elements of f32"},
	{label: "embed_c3", args: "i32[T] f32[9,2]", attrs: named(Int("outside", 2)), want: "outside is 2, want 1"},
	{label: "quantize_c2", args: "f32[T,6]", attrs: named(Int("blocks", 4)), want: "4 blocks of rows of 6"},
	{label: "qlinear_c4", args: "i8[T,6] f32[T,4] i8[3,6] f32[3]", want: "argument 1 is f32[T,4], scales of blocks of i8[T,6]"},
	{label: "qgrouped_linear_c7", args: "i8[T,6] i32[3] f32[L,2] i8[2,3,6] f32[2,3]",
		want: "argument 2 is f32[L,2], want f32[T,2]"},
}
