package soc

// Sets of element types that many calls share.
var (
	floats    = set(Half, Float)
	floatsI32 = set(Half, Int32, Float)
	arith     = set(Int16, Half, Int32, Float)
	logic     = set(Int16, Uint16)
	words     = set(Int16, Uint16, Half, Int32, Uint32, Float)
	wordsBF   = words | set(BFloat16)
	bytes     = words | set(Int8, Uint8)
	bytesBF   = bytes | set(BFloat16)
	any310P   = bytes | set(Int64, Uint64)
	any910B   = any310P | set(BFloat16)
	shorts    = set(Int16, Uint16, Half)
)

const divInstead = "Div, or Sqrt and Div: this one misses 1e-3 for half and 1e-4 for float"

// vectorAPIs is arithmetic, filling, layout, casts and masks.
var vectorAPIs = grouped(GroupVector, []API{
	both("Abs", floats),
	both("Add", arith),
	both("Adds", arith).note("the scalar has exactly the tensor's type"),
	both("Sub", arith),
	both("Mul", arith),
	both("Muls", arith).note("the scalar has exactly the tensor's type"),
	both("Max", arith),
	both("Maxs", arith).note("the scalar has exactly the tensor's type"),
	both("Min", arith),
	both("Mins", arith).note("the scalar has exactly the tensor's type"),
	both("Div", floats),
	both("Exp", floats),
	both("Ln", floats),
	both("Sqrt", floats),
	both("Rsqrt", floats).note(divInstead),
	both("Reciprocal", floats).note(divInstead),
	both("Relu", floatsI32),
	both("LeakyRelu", floats).note("the scalar has exactly the tensor's type"),
	both("BilinearInterpolation", set(Half)),

	both("Axpy", floats).note("half operands may be summed in float: 64 elements a repeat, no overlap"),
	both("MulAddDst", floats).note("half operands may be summed in float: 64 elements a repeat, no overlap"),
	both("FusedMulAdd", floats),
	both("FusedMulAddRelu", floats).renamed("MulAddRelu"),
	both("AddRelu", set(Int16, Half, Float)),
	both("SubRelu", set(Int16, Half, Float)),
	both("AddReluCast", set(Int8, Half)).note("from half to int8, float to half, int16 to int8"),
	both("SubReluCast", set(Int8, Half)).note("from half to int8, float to half, int16 to int8"),
	both("AddDeqRelu", set(Half)).note("from int32, with SetDeqScale"),
	both("CastDeq", set(Half, Int8, Uint8)).renamed("CastDequant").note("from int32 to half, from int16 to 8 bits"),
	both("MulCast", set(Int8, Uint8)).note("from half"),

	both("And", logic),
	both("Or", logic),
	both("Not", logic),
	only910B("ShiftLeft", set(Int16, Uint16, Int32, Uint32)).instead("Muls by a power of two"),
	only910B("ShiftRight", set(Int16, Uint16, Int32, Uint32)).instead("a division in float and a Cast with CAST_FLOOR"),

	row("Duplicate", words, wordsBF).note("no 8-bit types: fill as int16"),
	row("Brcb", words, wordsBF).note("310P: a loop in the scalar unit, 8 KiB of scratch, dstBlkStride must be 1"),
	both("CreateVecIndex", arith).note("310P: the scalar unit fills the first block"),
	both("ArithProgression", arith).renamed("Arange").note("of the high-level API"),
	only310P("VectorPadding", words),

	both("Transpose", shorts).note("16 by 16"),
	both("TransDataTo5HD", bytes).note("16 addresses of sources and 16 of destinations"),

	row("Cast", set(Int4, Int8, Uint8, Int16, Half, Int32, Float),
		set(Int4, Int8, Uint8, Int16, Half, BFloat16, Int32, Float, Int64)).
		note("which pairs and modes: CastModes"),
	both("SetDeqScale", 0),

	both("SetMaskCount", 0),
	both("SetMaskNorm", 0),
	both("SetVectorMask", 0),
	both("ResetMask", 0),
})

// only910BOrder is the note of the reductions whose orders differ.
const only910BOrder = "310P: ORDER_VALUE_INDEX and ORDER_INDEX_VALUE alone; any other silently gives " +
	"the latter"

// reduceAPIs is reductions and sorting.
var reduceAPIs = grouped(GroupVector, []API{
	both("ReduceSum", floats).note("910B sums repeats in sequence, 310P as a tree"),
	both("ReduceMax", floats).note("ties give the lowest index; the index is raw bits of the value's type"),
	both("ReduceMin", floats).note("ties give the lowest index; the index is raw bits of the value's type"),
	both("WholeReduceSum", floats).renamed("ReduceRepeat").note("a binary tree over neighbours"),
	both("WholeReduceMax", floats).renamed("ReduceRepeat").note(only910BOrder),
	both("WholeReduceMin", floats).renamed("ReduceRepeat").note(only910BOrder),
	both("RepeatReduceSum", floats).renamed("ReduceRepeat").note("mask and repeat change places in the new name"),
	both("BlockReduceSum", floats).renamed("ReduceDataBlock").note("mask and repeat change places in the new name"),
	both("BlockReduceMax", floats).renamed("ReduceDataBlock").note("mask and repeat change places in the new name"),
	both("BlockReduceMin", floats).renamed("ReduceDataBlock").note("mask and repeat change places in the new name"),
	both("PairReduceSum", floats).renamed("ReducePairElem").note("mask and repeat change places in the new name"),
	both("GetReduceMaxMinCount", floats).renamed("GetReduceRepeatMaxMinSpr"),
	only910B("GetAccVal", floats).renamed("GetReduceRepeatSumSpr").instead("read the destination of the reduction"),

	only910B("Sort32", floats).instead("RpSort16 on proposals, or rounds of ReduceMax with its index"),
	only910B("MrgSort", floats).instead("MrgSort4 on proposals"),
	both("GetMrgSortResult", 0),
	only310P("RpSort16", floats).instead("Sort32"),
	only310P("MrgSort4", floats).instead("MrgSort"),
	only310P("ProposalConcat", floats).instead("Sort32 takes scores and indices apart"),
	only310P("ProposalExtract", floats).instead("Gather from the pairs of Sort32"),
})

// selectAPIs is comparing, selecting and gathering.
var selectAPIs = grouped(GroupVector, []API{
	row("Compare", floats, floatsI32).note("int32 with CMPMODE::EQ alone; count · size is a multiple of 256 bytes"),
	row("CompareScalar", floats, floatsI32).renamed("Compares").
		note("int32 with CMPMODE::EQ alone; count · size is a multiple of 256 bytes"),
	both("Compare", floats).form("register").note("leaves its result in the register that Select reads"),
	both("Select", floats).note("modes 1 and 2 write to the 8 KiB of scratch"),
	both("GetCmpMask", 0),
	both("SetCmpMask", 0),
	row("GatherMask", words, wordsBF).note("310P: patterns 1 to 6, and in counter mode the mask is the total"),
	row("Gather", words, wordsBF).note("offsets are uint32 and in bytes; source and destination do not overlap"),
	only910B("Gatherb", set(Uint16, Uint32)).instead("Gather, or DataCopy for each block"),
	only310P("Scatter", set(Uint16, Half, Uint32, Float)).instead("Gather by the inverse permutation"),
})
