package cost

import (
	"fmt"
	"slices"
	"strings"

	"moge/ascend/soc"
	"moge/quant"
)

// Machine is a server of cards as the model sees it. Rates are those of one chip, by the second.
type Machine struct {
	Name, Title string
	Chip        *soc.Chip
	ChipBytes   int64 // of a chip, that programs see
	CardChips   int
	Chips       int // of a server
	MaxRanks    int // of a collective; 0 is without a limit

	DRAM        float64 // B/s
	WeightShare float64 // of DRAM, that products reach on weights
	CacheShare  float64 // of DRAM, that attention reaches on the cache
	L2          float64 // B/s
	L2Bytes     int64
	Int8, Half  float64 // multiply-adds of the matrix units
	CubeShare   float64 // of Int8 and Half
	Vector      float64 // f32 elements of the vector units
	Split       bool    // matrix and vector units meet in L2 alone
	Link        float64 // B/s one way: of each pair of chips where Mesh, else of each chip
	Mesh        bool
	Launch      float64 // s, of an op
	Limit       float64 // s that a decode step may take, where nothing else is asked for
}

// a2 is the Atlas 800I A2 with 64 GB a chip, which package soc has no row of: the only one that holds the
// batches of the paper's table 6.
var a2 = soc.Product{Name: "800i-a2-64g", Title: "Atlas 800I A2, 64 GB a chip", Chip: "Ascend910B4",
	CardChips: soc.Fact{Value: 1, Source: soc.Web}, ServerChips: soc.Fact{Value: 8, Source: soc.Web},
	MemoryBytes: soc.Fact{Value: 64 << 30, Source: soc.Web}}

// Machines lists every machine of which there is a model.
func Machines() []*Machine {
	var list []*Machine
	for _, p := range append(soc.Products(), a2) {
		list = append(list, newMachine(p))
	}
	return list
}

// MachineNames lists the names that Find takes.
func MachineNames() []string {
	var names []string
	for _, m := range Machines() {
		names = append(names, m.Name)
	}
	return names
}

// Find gives the machine of a product's name. The error names the nearest and lists all.
func Find(name string) (*Machine, error) {
	list := Machines()
	i := slices.IndexFunc(list, func(m *Machine) bool { return m.Name == name })
	if i < 0 {
		names := MachineNames()
		return nil, fmt.Errorf("unknown target %q: did you mean %s? known are %s", name,
			quant.Nearest(name, names), strings.Join(names, ", "))
	}
	return list[i], nil
}

func newMachine(p soc.Product) *Machine {
	chip, err := soc.Find(p.Chip)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	at := func(param soc.Param) float64 { return float64(chip.At(param)) }
	hz := clock(chip)
	c := func(name string) float64 { return constant(p.Name, chip.Name(), name) }
	m := &Machine{Name: p.Name, Title: p.Title, Chip: chip, ChipBytes: p.MemoryBytes.Value,
		CardChips: int(p.CardChips.Value), Chips: int(p.ServerChips.Value),
		DRAM: c(dramRate), WeightShare: c(weightShare), CacheShare: c(cacheShare), CubeShare: c(cubeShare),
		L2:      at(soc.AICores) * min(at(soc.L2ReadRate), at(soc.L2WriteRate)) * hz,
		L2Bytes: chip.At(soc.L2Bytes),
		Int8:    at(soc.CubeUnits) * at(soc.MACInt8Peak) * hz,
		Half:    at(soc.CubeUnits) * at(soc.MACHalf) * hz,
		Vector:  at(soc.VectorUnits) * at(soc.LanesFloat) * hz,
		Split:   chip.Split(), Link: c(linkRate), Mesh: chip.Family() == soc.Ascend910B,
		Launch: c(launchLatency), Limit: c(timeLimit),
	}
	if gather, ok := chip.Collective("AllGather"); ok {
		m.MaxRanks = gather.MaxRanks
	}
	return m
}

// clock is the one that the published peak implies, else that of the ini, Hz.
func clock(chip *soc.Chip) float64 {
	peak := chip.Fact(soc.PublishedInt8)
	if !peak.Known() {
		return float64(chip.At(soc.CubeClock))
	}
	return float64(peak.Value) / float64(2*chip.At(soc.CubeUnits)*chip.At(soc.MACInt8Peak))
}
