package ir

// Op is a row of the op table.
type Op uint8

// The ops, grouped by what they do. Package doc and SPEC.md describe them.
const (
	OpInvalid Op = iota

	// Sources.
	OpInput
	OpWeight
	OpState
	OpIota

	// Shapes and element types; allowed on weights too.
	OpReshape
	OpSlice
	OpConcat
	OpStack
	OpCast
	OpQuantizeWeight

	// Elementwise.
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpSiLU

	// Along the last dimension.
	OpSoftmax
	OpMaxLast
	OpArgMaxLast
	OpSumLast
	OpTopK

	// Lookups.
	OpEmbed
	OpTakeRows
	OpGather

	// Dense layers.
	OpLinear
	OpRMSNorm
	OpRopeTable

	// Attention and its state.
	OpKVWrite
	OpAttend

	// Mixture of experts.
	OpRoute
	OpPermute
	OpGroupedLinear
	OpCombine

	// Integer primitives.
	OpQuantize
	OpQuantizeStatic
	OpDotI8
	OpGroupedDotI8
	OpSpreadRows

	// Between ranks, and what differs from rank to rank.
	OpShard
	OpOwn
	OpRebase
	OpAllGather
	OpReduceScatter
	OpAllReduce

	// Calibration.
	OpObserve

	// Fused ops: each has an expansion into the ops above.
	OpAddRMSNorm
	OpRotary
	OpSwiGLU
	OpMoEGate
	OpQLinear
	OpQGroupedLinear
	OpW8Linear
	OpW8GroupedLinear

	opEnd // sentinel: add new ops above, and a row to the table
)

// String is the spelling in IR text.
func (o Op) String() string { return o.row().name }

// row panics on an op the table forgot, so that forgetting cannot be silent.
func (o Op) row() *opRow {
	if o == OpInvalid || o >= opEnd || table[o].name == "" {
		panic("BUG: op without a row in the op table")
	}
	return &table[o]
}

// Fused reports whether the op is defined by its expansion.
func (o Op) Fused() bool { return o.row().expand != nil }

// OnWeights reports whether the compiler evaluates the op when all arguments are constant.
func (o Op) OnWeights() bool { return o.row().weight }

// Semantics is one line that says what the op computes.
func (o Op) Semantics() string { return o.row().semantics }

// Ops lists every op in table order.
func Ops() []Op {
	all := make([]Op, 0, opEnd-1)
	for o := OpInvalid + 1; o < opEnd; o++ {
		all = append(all, o)
	}
	return all
}

// ParseOp finds an op by its spelling.
func ParseOp(name string) (Op, bool) {
	o, ok := opByName[name]
	return o, ok
}

var opByName = map[string]Op{}
