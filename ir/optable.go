package ir

// attrSpec is an attribute an op takes.
type attrSpec struct {
	name     string
	kind     AttrKind
	optional bool
}

// variadic as maxArgs allows any number of arguments.
const variadic = -1

// opRow is everything the package knows about an op; verifier, printer, parser and the
// index of SPEC.md derive from it.
type opRow struct {
	name      string
	minArgs   int
	maxArgs   int
	results   int
	attrs     []attrSpec
	weight    bool // evaluated by the compiler when all arguments are constant
	effect    bool // kept even when no result is used
	declared  bool // result types are stated, not inferred
	semantics string
	// infer gives the result types or the violated constraint; declared holds the stated types.
	infer func(n *Node, declared []Type) ([]Type, error)
	// expand defines a fused op by primitives over the same arguments.
	expand func(b *Builder, n *Node, args []*Value) []*Value
}

func (r *opRow) attrIndex(name string) int {
	for i := range r.attrs {
		if r.attrs[i].name == name {
			return i
		}
	}
	return -1
}

var table [opEnd]opRow

// The table is filled here and not in its declaration because expansions build nodes,
// which reads the table.
func init() {
	table = [opEnd]opRow{
		OpInput:  source("input", "name", "a tensor the runtime supplies each step"),
		OpWeight: source("weight", "name", "a tensor of the checkpoint, by name"),
		OpState:  source("state", "name", "a slot of the KV cache: one row [heads,width] a position"),
		OpIota: {name: "iota", results: 1, attrs: ints("count", "step"), infer: inferIota,
			semantics: "i ↦ i·step, for i below count"},

		OpReshape: {name: "reshape", minArgs: 1, maxArgs: 1, results: 1, weight: true, declared: true,
			infer: inferReshape, semantics: "the same elements, row-major, under another shape"},
		OpSlice: {name: "slice", minArgs: 1, maxArgs: 1, results: 1, weight: true,
			attrs: ints("axis", "lo", "hi"), infer: inferSlice, semantics: "indices lo ≤ i < hi of one axis"},
		OpConcat: {name: "concat", minArgs: 1, maxArgs: variadic, results: 1, weight: true,
			attrs: ints("axis"), infer: inferConcat, semantics: "the arguments one after the other along one axis"},
		OpStack: {name: "stack", minArgs: 1, maxArgs: variadic, results: 1, weight: true,
			infer: inferStack, semantics: "the arguments as the slices of a new first axis"},
		OpCast: {name: "cast", minArgs: 1, maxArgs: 1, results: 1, weight: true,
			attrs: []attrSpec{{name: "to", kind: DTypeAttr}}, infer: inferCast,
			semantics: "each element rounded to another type, nearest even"},
		OpQuantizeWeight: {name: "quantize_weight", minArgs: 1, maxArgs: 1, results: 2, weight: true,
			infer: inferQuantizeWeight, semantics: "per row of the last axis: s = amax/127, q = rne(w/s); results q, s"},

		OpAdd:  elementwise("add", "a + b, broadcast over dimensions of one"),
		OpSub:  elementwise("sub", "a - b, broadcast over dimensions of one"),
		OpMul:  elementwise("mul", "a · b, broadcast over dimensions of one"),
		OpDiv:  elementwise("div", "a / b, broadcast over dimensions of one"),
		OpSiLU: lastAxis("silu", "x / (1 + exp(-x))", inferSameFloat),

		OpSoftmax:    lastAxis("softmax", "exp(x - max) / Σ exp(x - max) along the last axis", inferSameFloat),
		OpMaxLast:    lastAxis("max_last", "maximum along the last axis, which goes", inferDropLast),
		OpArgMaxLast: lastAxis("argmax_last", "index of the maximum along the last axis, the lowest on ties", inferArgMax),
		OpSumLast:    lastAxis("sum_last", "sum along the last axis, which becomes 1", inferSumLast),
		OpTopK: {name: "topk", minArgs: 1, maxArgs: 1, results: 2, attrs: ints("k"), infer: inferTopK,
			semantics: "the k largest of the last axis, descending, lowest index first on ties; results values, indices"},

		OpEmbed: {name: "embed", minArgs: 2, maxArgs: 2, results: 1, infer: inferEmbed,
			attrs:     []attrSpec{optionalInt("outside")},
			semantics: "row ids[t] of the table, as f32; with outside zeros for ids that it does not have"},
		OpTakeRows: {name: "take_rows", minArgs: 2, maxArgs: 2, results: 1, infer: inferTakeRows,
			semantics: "row rows[l] of x"},
		OpGather: {name: "gather", minArgs: 2, maxArgs: 2, results: 1, infer: inferGather,
			semantics: "element ids[…] of a one-dimensional table, as f32"},

		OpLinear: {name: "linear", minArgs: 2, maxArgs: 3, results: 1, infer: inferLinear, attrs: scheme(),
			semantics: "x · wᵀ (+ bias); accumulated exactly, rounded once, then the bias added"},
		OpRMSNorm: {name: "rms_norm", minArgs: 2, maxArgs: 2, results: 1, infer: inferRMSNorm,
			attrs:     norm(),
			semantics: "x / sqrt(mean(x²) + eps) along the last axis, rounded, then · w"},
		OpRopeTable: {name: "rope_table", minArgs: 1, maxArgs: 1, results: 2, infer: inferRopeTable,
			attrs:     []attrSpec{{name: "dim", kind: IntAttr}, {name: "theta", kind: FloatAttr}},
			semantics: "angle a[t,i] = pos[t] · theta^(-2i/dim) in f32; results cos a, sin a"},

		OpKVWrite: {name: "kv_write", minArgs: 4, maxArgs: 4, results: 1, infer: inferKVWrite,
			semantics: "state with row x[t] stored at position positions[t] of sequence sequences[t]"},
		OpAttend: {name: "attend", minArgs: 5, maxArgs: 5, results: 1, infer: inferAttend,
			attrs: []attrSpec{{name: "scale", kind: FloatAttr}, {name: "window", kind: IntAttr, optional: true}},
			semantics: "softmax(scale · q·k) · v over the positions of the token's sequence up to its own; " +
				"query head h reads key head h / (heads / kv heads)"},

		OpRoute: {name: "route", minArgs: 1, maxArgs: 1, results: 2, attrs: ints("experts"), infer: inferRoute,
			semantics: "stable sort of the flat slots t·k+j by expert; results order, and offsets of each expert's rows"},
		OpPermute: {name: "permute", minArgs: 2, maxArgs: 2, results: 1, infer: inferPermute,
			semantics: "row order[r] / k of x, for each sorted slot r"},
		OpGroupedLinear: {name: "grouped_linear", minArgs: 3, maxArgs: variadic, results: 1,
			infer: inferGroupedLinear,
			attrs: scheme(), semantics: "rows offsets[e] ≤ r < offsets[e+1] times the weight of expert e, as linear"},
		OpCombine: {name: "combine", minArgs: 3, maxArgs: 3, results: 1, infer: inferCombine,
			semantics: "y[t] = Σ rows[r] · w[order[r]], r ascending over the sorted slots of token t"},

		OpQuantize: {name: "quantize", minArgs: 1, maxArgs: 1, results: 2, infer: inferQuantize,
			attrs: []attrSpec{optionalInt("blocks")},
			semantics: "per row, or per block of a row: q = rne(x · RN(127/amax)), s = amax/127; " +
				"all zeros have s = 0; results q, s"},
		OpQuantizeStatic: {name: "quantize_static", minArgs: 1, maxArgs: 1, results: 2,
			infer:     inferQuantizeStatic,
			attrs:     []attrSpec{{name: "amax", kind: FloatAttr}},
			semantics: "q = clamp(rne(x · RN(127/amax)), ±127), s = amax/127 for every row; results q, s"},
		OpDotI8: {name: "dot_i8", minArgs: 2, maxArgs: 2, results: 1, infer: inferDotI8,
			semantics: "x · wᵀ in i32, exact"},
		OpGroupedDotI8: {name: "grouped_dot_i8", minArgs: 3, maxArgs: variadic, results: 1,
			infer:     inferGroupedDotI8,
			semantics: "as grouped_linear, in i32, exact"},
		OpSpreadRows: {name: "spread_rows", minArgs: 3, maxArgs: 3, results: 1, infer: inferSpreadRows,
			semantics: "row e of the table for each row of like that expert e owns"},

		OpShard: {name: "shard", minArgs: 1, maxArgs: 1, results: 1, weight: true, infer: inferShard,
			attrs:     append(ints("axis", "size", "stride"), optionalInt("align"), optionalInt("index")),
			semantics: "the rank's block of one axis, cut into size blocks, zeros up to a multiple of align"},
		OpOwn: {name: "own", minArgs: 1, maxArgs: 1, results: 1, weight: true, infer: inferOwn,
			attrs:     append(ints("size", "stride"), optionalInt("index")),
			semantics: "x on the first rank of each group, zeros on the others"},
		OpRebase: {name: "rebase", minArgs: 1, maxArgs: 1, results: 1, infer: inferRebase,
			attrs:     ints("size", "stride", "step"),
			semantics: "ids less step times the rank's index in its group"},
		OpAllGather: {name: "all_gather", minArgs: 1, maxArgs: 1, results: 1, infer: inferAllGather,
			attrs: group(), semantics: "the rows of all ranks of the group, in their order"},
		OpReduceScatter: {name: "reduce_scatter", minArgs: 1, maxArgs: 1, results: 1, infer: inferReduceScatter,
			attrs: group(), semantics: "the rank's block of rows of the sum over the ranks of the group"},
		OpAllReduce: {name: "all_reduce", minArgs: 1, maxArgs: 1, results: 1, infer: inferAllReduce,
			attrs: group(), semantics: "the sum over the ranks of the group"},

		OpObserve: {name: "observe", minArgs: 1, maxArgs: 2, results: 1, effect: true, infer: inferObserve,
			semantics: "x unchanged; calibration records its largest magnitude (per expert, given offsets)"},

		OpAddRMSNorm: {name: "add_rms_norm", minArgs: 3, maxArgs: 3, results: 2, infer: inferAddRMSNorm,
			expand: expandAddRMSNorm, attrs: norm(),
			semantics: "results a + b and rms_norm(a + b, w)"},
		OpRotary: {name: "rotary", minArgs: 3, maxArgs: 3, results: 1, infer: inferRotary, expand: expandRotary,
			semantics: "each head rotated by halves: (lo·cos - hi·sin, hi·cos + lo·sin)"},
		OpSwiGLU: {name: "swiglu", minArgs: 1, maxArgs: 1, results: 1, infer: inferSwiGLU, expand: expandSwiGLU,
			semantics: "silu of the first half of each row times its second half"},
		OpMoEGate: {name: "moe_gate", minArgs: 2, maxArgs: 3, results: 2, attrs: ints("groups"),
			infer: inferMoEGate, expand: expandMoEGate,
			semantics: "softmax over all experts, best of each group (lowest index on ties), · router_scale; results w, ids"},
		OpQLinear: {name: "qlinear", minArgs: 4, maxArgs: 5, results: 1,
			infer: inferQLinear, expand: expandQLinear,
			semantics: "(f32(xq · wqᵀ) · ws) · xs (+ bias), each step rounded; " +
				"blocks with scales of their own are summed in order"},
		OpQGroupedLinear: {name: "qgrouped_linear", minArgs: 5, maxArgs: variadic, results: 1,
			infer:  inferQGroupedLinear,
			expand: expandQGroupedLinear, semantics: "as qlinear, each row with the weight and scales of its expert"},
		OpW8Linear: {name: "w8linear", minArgs: 3, maxArgs: 4, results: 1,
			infer: inferW8Linear, expand: expandW8Linear,
			semantics: "(x · f32(wq)ᵀ) · ws (+ bias), each step rounded"},
		OpW8GroupedLinear: {name: "w8grouped_linear", minArgs: 4, maxArgs: variadic, results: 1,
			infer: inferW8GroupedLinear, expand: expandW8GroupedLinear,
			semantics: "as w8linear, each row with the weight and scales of its expert"},
	}
	for o := OpInvalid + 1; o < opEnd; o++ {
		opByName[o.String()] = o
	}
}

func source(name, attr, semantics string) opRow {
	return opRow{name: name, results: 1, declared: true, infer: inferDeclared, semantics: semantics,
		effect: name == "input", attrs: []attrSpec{{name: attr, kind: StringAttr}}}
}

func elementwise(name, semantics string) opRow {
	return opRow{name: name, minArgs: 2, maxArgs: 2, results: 1, infer: inferBroadcast, semantics: semantics}
}

func lastAxis(name, semantics string, infer func(*Node, []Type) ([]Type, error)) opRow {
	return opRow{name: name, minArgs: 1, maxArgs: 1, results: 1, infer: infer, semantics: semantics}
}

func ints(names ...string) []attrSpec {
	specs := make([]attrSpec, len(names))
	for i, name := range names {
		specs[i] = attrSpec{name: name, kind: IntAttr}
	}
	return specs
}

// norm: with round, what a half-precision unit stores is rounded to that type: the normalized
// value before the weight is applied, and the results.
func norm() []attrSpec {
	return []attrSpec{{name: "eps", kind: FloatAttr}, {name: "round", kind: DTypeAttr, optional: true}}
}

func optionalInt(name string) attrSpec { return attrSpec{name: name, kind: IntAttr, optional: true} }

// group is the ranks that take part: rank r is member (r/stride)%size of its group, and members are
// stride apart. With wire, what travels is rounded to that type.
func group() []attrSpec {
	return append(ints("size", "stride"), attrSpec{name: "wire", kind: DTypeAttr, optional: true})
}

// scheme is the quantization that AssignSchemes chose for a linear; absent means none.
func scheme() []attrSpec { return []attrSpec{{name: "scheme", kind: StringAttr, optional: true}} }
