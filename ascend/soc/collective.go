package soc

import "slices"

// Collective is an operation of HCCL on a family; for the 310P the rows are those of the 300I
// Duo.
type Collective struct {
	Op           string // name of the C function without Hccl
	Supported    bool
	MaxRanks     int  // 0 is without a limit
	SingleServer bool // all ranks in one server
	Reductions   []Reduction
	Source       Source
	Note         string

	types elemSet
}

// Types lists the element types.
func (c Collective) Types() []Elem { return c.types.list() }

// Reduction is an operation of HCCL that combines elements.
type Reduction string

// The reductions, in the order of HcclReduceOp.
const (
	Sum  Reduction = "sum"
	Prod Reduction = "prod"
	Max  Reduction = "max"
	Min  Reduction = "min"
)

var (
	reducing    = []Reduction{Sum, Prod, Max, Min}
	reduced310P = set(Int8, Int16, Int32, Half, Float)
	reduced910B = reduced310P | set(Int64, BFloat16)
)

const (
	notInt16 = "prod, max and min do not take int16"
	notProd  = "prod takes neither int16 nor bfloat16"
)

func collectives310P() []Collective {
	lacking := func(op string) Collective { return Collective{Op: op, Source: HCCLDocs} }
	return []Collective{
		{"AllReduce", true, 0, false, reducing, HCCLDocs, notInt16, reduced310P},
		{"AllGather", true, 32, true, nil, HCCLDocs, "16 cards", any310P},
		{"ReduceScatter", true, 32, true, reducing, HCCLDocs, "16 cards; " + notInt16, reduced310P},
		{"AlltoAll", true, 4, true, nil, HCCLDocs, "2 cards", any310P},
		{"AlltoAllV", true, 4, true, nil, HCCLDocs, "2 cards", any310P},
		{"AllGatherV", true, 4, true, nil, HCCLDocs, "2 cards", any310P},
		{"ReduceScatterV", true, 4, true, []Reduction{Sum}, HCCLDocs, "2 cards", set(Int16, Half, Float)},
		lacking("AlltoAllVC"), lacking("Broadcast"), lacking("Send"), lacking("Recv"), lacking("Reduce"),
		lacking("Scatter"), lacking("BatchSendRecv"),
	}
}

func collectives910B() []Collective {
	moving := func(op string) Collective { return Collective{op, true, 0, false, nil, HCCLDocs, "", any910B} }
	return []Collective{
		{"AllReduce", true, 0, false, reducing, HCCLDocs, notProd, reduced910B},
		moving("AllGather"),
		{"ReduceScatter", true, 0, false, reducing, HCCLDocs, notProd, reduced910B},
		moving("AlltoAll"), moving("AlltoAllV"), moving("AllGatherV"),
		{"ReduceScatterV", true, 0, false, []Reduction{Sum, Max, Min}, HCCLDocs, "as many ranks on each server",
			reduced910B &^ set(Int64)},
		moving("AlltoAllVC"), moving("Broadcast"), moving("Send"), moving("Recv"),
		{"Reduce", true, 0, false, reducing, HCCLDocs, notProd, reduced910B},
		moving("Scatter"), moving("BatchSendRecv"),
	}
}

// Collectives lists every operation, those that the chip lacks too.
func (c *Chip) Collectives() []Collective {
	return pick(c.family, collectives310P, collectives910B)()
}

// Collective finds an operation by the name of its C function without Hccl.
func (c *Chip) Collective(op string) (Collective, bool) {
	list := c.Collectives()
	i := slices.IndexFunc(list, func(x Collective) bool { return x.Op == op })
	if i < 0 {
		return Collective{}, false
	}
	return list[i], list[i].Supported
}
