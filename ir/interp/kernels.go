package interp

import (
	"fmt"

	"moge/ir"
	"moge/ir/tensor"
)

// call is one application of an op. Types have been checked; sizes follow from them.
type call struct {
	n    *ir.Node
	args []*tensor.Tensor // nil where the argument is a state
	rows []*slot          // by argument, nil where it is a tensor
	out  []*tensor.Tensor // zeros of the result types, nil where the result is a state
	slot *slot            // the result of an op that gives a state
	rank *member          // nil for a program alone
}

// kernels holds one function an op, indexed by op. Sources and fused ops have none: the
// former are read, the latter expanded.
var kernels = map[ir.Op]func(*call) error{
	ir.OpIota:           countUp,
	ir.OpReshape:        reshape,
	ir.OpSlice:          slice,
	ir.OpConcat:         concat,
	ir.OpStack:          stack,
	ir.OpCast:           cast,
	ir.OpQuantizeWeight: quantizeWeight,

	ir.OpAdd:  add,
	ir.OpSub:  sub,
	ir.OpMul:  mul,
	ir.OpDiv:  div,
	ir.OpSiLU: silu,

	ir.OpSoftmax:    softmax,
	ir.OpMaxLast:    maxLast,
	ir.OpArgMaxLast: argMaxLast,
	ir.OpSumLast:    sumLast,
	ir.OpTopK:       topK,

	ir.OpEmbed:    embed,
	ir.OpTakeRows: takeRows,
	ir.OpGather:   gather,

	ir.OpLinear:    linear,
	ir.OpRMSNorm:   rmsNorm,
	ir.OpRopeTable: ropeTable,

	ir.OpKVWrite: kvWrite,
	ir.OpAttend:  attend,

	ir.OpRoute:         route,
	ir.OpPermute:       permute,
	ir.OpGroupedLinear: groupedLinear,
	ir.OpCombine:       combine,

	ir.OpQuantize:       quantize,
	ir.OpQuantizeStatic: quantizeStatic,
	ir.OpDotI8:          dotI8,
	ir.OpGroupedDotI8:   groupedDotI8,
	ir.OpSpreadRows:     spreadRows,

	ir.OpShard:         shard,
	ir.OpOwn:           own,
	ir.OpRebase:        rebase,
	ir.OpAllGather:     allGather,
	ir.OpReduceScatter: reduceScatter,
	ir.OpAllReduce:     allReduce,

	ir.OpObserve: observe,
}

// apply runs the kernel of a primitive op.
func (m *machine) apply(n *ir.Node, args []cell) ([]cell, error) {
	kernel := kernels[n.Op]
	if kernel == nil {
		panic("BUG: no kernel for " + n.Op.String())
	}
	c := &call{n: n, rank: m.rank}
	for _, a := range args {
		c.args = append(c.args, a.tensor)
		c.rows = append(c.rows, a.slot)
	}
	for _, r := range n.Results {
		t, err := m.result(r.Type)
		if err != nil {
			return nil, err
		}
		c.out = append(c.out, t)
	}
	if err := kernel(c); err != nil {
		return nil, err
	}
	results := make([]cell, len(n.Results))
	for i, t := range c.out {
		results[i].tensor = t
		if t == nil {
			results[i].slot = c.slot
			m.state.slots[c.slot.name] = c.slot
		}
	}
	return results, nil
}

// result allocates a result; a state has none.
func (m *machine) result(t ir.Type) (*tensor.Tensor, error) {
	if t.State {
		return nil, nil
	}
	if !held(t.DType) {
		return nil, fmt.Errorf("elements of %v cannot be computed with", t.DType)
	}
	size, err := dims(t.Shape, m.env)
	if err != nil {
		return nil, err
	}
	if n, err := tensor.Elements(size); err != nil || n > maxResult {
		return nil, fmt.Errorf("the result %v of %v has too many elements", size, t)
	}
	return tensor.Make(t.DType, size)
}

// maxResult bounds what one node may allocate.
const maxResult = 1 << 31
