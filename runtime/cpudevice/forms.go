package cpudevice

import "moge/formats/bundle/bundlepb"

// form is how many operands an op-code takes, and what binds it.
type form struct {
	minArgs, maxArgs, results int
	bind                      func(*binder) func(*machine) error
}

const manyArgs = 1 << 12

// forms holds every op-code that this device runs. The order and meaning of operands are
// those of the op of the graph that it comes from, weights with their layouts in its place.
var forms = map[bundlepb.OpCode]form{
	bundlepb.OpCode_EMBED:       {2, 2, 1, bindEmbed},
	bundlepb.OpCode_GATHER:      {2, 2, 1, bindGather},
	bundlepb.OpCode_GATHER_ROWS: {2, 2, 1, bindGatherRows},
	bundlepb.OpCode_IOTA:        {0, 0, 1, bindIota},

	bundlepb.OpCode_SLICE:  {1, 1, 1, bindSlice},
	bundlepb.OpCode_CONCAT: {1, manyArgs, 1, bindConcat},

	bundlepb.OpCode_ADD:    {2, 2, 1, bindAdd},
	bundlepb.OpCode_SUB:    {2, 2, 1, bindSub},
	bundlepb.OpCode_MUL:    {2, 2, 1, bindMul},
	bundlepb.OpCode_DIV:    {2, 2, 1, bindDiv},
	bundlepb.OpCode_SILU:   {1, 1, 1, bindSiLU},
	bundlepb.OpCode_SWIGLU: {1, 1, 1, bindSwiGLU},

	bundlepb.OpCode_SOFTMAX:     {1, 1, 1, bindSoftmax},
	bundlepb.OpCode_MAX_LAST:    {1, 1, 1, bindMaxLast},
	bundlepb.OpCode_ARGMAX_LAST: {1, 1, 1, bindArgMaxLast},
	bundlepb.OpCode_SUM_LAST:    {1, 1, 1, bindSumLast},
	bundlepb.OpCode_TOP_K:       {1, 1, 2, bindTopK},

	bundlepb.OpCode_RMS_NORM:     {2, 2, 1, bindRMSNorm},
	bundlepb.OpCode_ADD_RMS_NORM: {3, 3, 2, bindAddRMSNorm},
	bundlepb.OpCode_ROPE_TABLE:   {1, 1, 2, bindRopeTable},
	bundlepb.OpCode_ROTARY:       {3, 3, 1, bindRotary},

	bundlepb.OpCode_KV_WRITE: {4, 4, 0, bindKVWrite},
	bundlepb.OpCode_ATTEND:   {5, 5, 1, bindAttend},

	bundlepb.OpCode_QUANTIZE_DYNAMIC: {1, 1, 2, bindQuantizeDynamic},
	bundlepb.OpCode_QUANTIZE_STATIC:  {1, 1, 2, bindQuantizeStatic},
	bundlepb.OpCode_LINEAR:           {2, 3, 1, bindLinear},
	bundlepb.OpCode_QLINEAR:          {5, 6, 1, bindQLinear},
	bundlepb.OpCode_W8LINEAR:         {4, 5, 1, bindW8Linear},

	bundlepb.OpCode_MOE_GATE:         {2, 3, 2, bindMoEGate},
	bundlepb.OpCode_ROUTE:            {1, 1, 2, bindRoute},
	bundlepb.OpCode_PERMUTE:          {2, 2, 1, bindPermute},
	bundlepb.OpCode_GROUPED_LINEAR:   {3, 3, 1, bindGroupedLinear},
	bundlepb.OpCode_QGROUPED_LINEAR:  {6, 6, 1, bindQGroupedLinear},
	bundlepb.OpCode_W8GROUPED_LINEAR: {5, 5, 1, bindW8GroupedLinear},
	bundlepb.OpCode_COMBINE:          {3, 3, 1, bindCombine},

	bundlepb.OpCode_ALL_GATHER:     {1, 1, 1, bindAllGather},
	bundlepb.OpCode_REDUCE_SCATTER: {1, 1, 1, bindReduceScatter},
	bundlepb.OpCode_ALL_REDUCE:     {1, 1, 1, bindAllReduce},
	bundlepb.OpCode_SHARD:          {1, 1, 1, bindShard},
	bundlepb.OpCode_REBASE:         {1, 1, 1, bindRebase},
}
