package main

import (
	"moge/ascend/cost"
	"moge/codegen/report"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// timingOf predicts the launches of a card's bundle with the machine's model; nil for the CPU, and for a
// card without a model.
func timingOf(m *bundlepb.Manifest) *report.Timing {
	if len(m.Kernels) == 0 {
		return nil
	}
	machine, err := cost.Find(m.Targets[0])
	if err != nil {
		return nil
	}
	return &report.Timing{OfStep: true,
		What: "of memory, matrix unit and links the slowest, after a launch, at the constants of " + machine.Title +
			" (ascend/cost); work of the vector units is not counted",
		Of: func(o *report.Op) (float64, string, bool) {
			e := machine.Estimate([]cost.Op{costOf(o)}, cost.Compiled)
			return e.Seconds, e.Lines[0].Bound.String(), o.Kernel != "" || o.Collective != nil
		}}
}

// costOf is an op as the machine's model takes it: what it moves and multiplies.
func costOf(o *report.Op) cost.Op {
	c := cost.Op{Kind: cost.Elementwise, Repeat: 1, DType: dtype.F16, Weights: o.Weights, Cache: o.Cache,
		Acts: o.Activations, MACs: o.MACs, Calls: 1, Kernels: 1}
	if o.Int8 {
		c.DType = dtype.I8
	}
	if x := o.Collective; x != nil {
		c.Kind = collectiveKinds[x.Kind]
		c.Group = placement.Group{Size: int(x.Size), Stride: int(x.Stride)}
		c.Sent = x.Bytes
	}
	return c
}

var collectiveKinds = map[string]cost.Kind{
	bundlepb.OpCode_ALL_GATHER.String():     cost.AllGather,
	bundlepb.OpCode_REDUCE_SCATTER.String(): cost.ReduceScatter,
	bundlepb.OpCode_ALL_REDUCE.String():     cost.AllReduce,
}
