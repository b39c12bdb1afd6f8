package soc

import (
	"moge/ir/dtype"
	"moge/ir/target"
)

// Target describes the machine of a name, as Find takes it, to the passes.
func Target(name string) (*target.Machine, error) {
	p, err := FindProduct(name)
	if err != nil {
		return nil, err
	}
	c := p.chip()
	return &target.Machine{
		Name:        p.Name,
		Chip:        c.name,
		CardChips:   int(p.CardChips.Value),
		ServerChips: int(p.ServerChips.Value),
		Compute:     dtypes(c.Types("Add"), bfloat16(c)),
		Store:       dtypes(c.Types("DataCopy"), set(Int4)),
		Matmuls:     matmuls(c),
		Saturates:   c.Has(Saturates),
		Align:       target.Align{Address: 32, Row: int(c.At(GMAlign)), Rows: int(c.At(CubeM)), Slack: int(c.At(BlockBytes))},
		Memories:    memories(c, p),
		Units:       units(c),
		Rates:       rates(c),
		Collectives: collectives(c),
		Streams:     int(c.facts[MaxStreams].Value),
		Events:      int(c.facts[MaxEvents].Value),
	}, nil
}

// bfloat16 is computed by casting to float and back, where there is such a Cast.
func bfloat16(c *Chip) elemSet {
	if len(c.CastModes(BFloat16, Float)) > 0 && len(c.CastModes(Float, BFloat16)) > 0 {
		return set(BFloat16)
	}
	return 0
}

// dtypes are the types that graphs know of a list and a set, in the order of dtype.All.
func dtypes(list []Elem, more elemSet) []dtype.Type {
	all := set(list...) | more
	var types []dtype.Type
	for _, t := range dtype.All() {
		if e, ok := ElemOf(t); ok && all.has(e) {
			types = append(types, t)
		}
	}
	return types
}

func matmuls(c *Chip) []target.Matmul {
	var list []target.Matmul
	for _, m := range c.Mmads() {
		a, okA := m.A.DType()
		b, okB := m.B.DType()
		acc, okC := m.C.DType()
		if okA && okB && okC {
			list = append(list, target.Matmul{A: a, B: b, Accumulator: acc})
		}
	}
	return list
}

// dram is the name that passes know device memory by.
const dram = "dram"

func spaceName(s Space) string {
	if s == GM {
		return dram
	}
	return s.String()
}

func memories(c *Chip, p Product) []target.Memory {
	list := []target.Memory{
		{Name: dram, Bytes: p.MemoryBytes.Value, Usable: p.MemoryBytes.Value, Align: int(c.At(GMAlign))},
		{Name: "l2", Bytes: c.At(L2Bytes), Usable: c.At(L2Bytes), Align: 1},
	}
	for _, s := range Spaces() {
		m := c.Memory(s)
		if s == GM || m.Bytes.Value == 0 {
			continue
		}
		list = append(list, target.Memory{Name: s.String(), Bytes: m.Bytes.Value, Usable: m.Usable.Value,
			Align: int(m.Align.Value), OnCore: true})
	}
	return list
}

func units(c *Chip) []target.Unit {
	list := []target.Unit{
		{Name: "core", Count: int(c.At(AICores)), Hz: c.At(CubeClock)},
		{Name: "cube", Count: int(c.At(CubeUnits)), Hz: c.At(CubeClock)},
		{Name: "vector", Count: int(c.At(VectorUnits)), Hz: c.At(VectorClock)},
	}
	if extra := c.At(ExtraVectorCores); extra > 0 {
		list = append(list, target.Unit{Name: "extra_vector", Count: int(extra), Hz: c.At(ExtraVectorClock)})
	}
	return list
}

func rates(c *Chip) []target.Rate {
	hz := c.At(CubeClock)
	list := []target.Rate{
		{From: "l2", To: "l1", BytesPerCycle: int(c.At(L2ReadRate)), Hz: hz},
		{From: "l2", To: "ub", BytesPerCycle: int(c.At(L2ReadRate)), Hz: hz},
	}
	for _, p := range c.Paths() {
		if p.Rate != 0 && c.facts[p.Rate].Known() {
			list = append(list, target.Rate{From: spaceName(p.From), To: spaceName(p.To),
				BytesPerCycle: int(c.At(p.Rate)), Hz: hz})
		}
	}
	return list
}

// collectiveNames are the spellings of graphs; what is not here graphs do not use.
var collectiveNames = []struct{ hccl, ir string }{
	{"AllReduce", "all_reduce"}, {"AllGather", "all_gather"}, {"ReduceScatter", "reduce_scatter"},
	{"AlltoAll", "all_to_all"}, {"Broadcast", "broadcast"}, {"Send", "send"}, {"Recv", "recv"},
}

func collectives(c *Chip) []target.Collective {
	var list []target.Collective
	for _, n := range collectiveNames {
		row, ok := c.Collective(n.hccl)
		if !ok {
			continue
		}
		list = append(list, target.Collective{Op: n.ir, Types: dtypes(row.Types(), 0), MaxRanks: row.MaxRanks,
			SingleServer: row.SingleServer})
	}
	return list
}
