package soc

import "slices"

// Family is the chips that share instructions: one column of every table.
type Family uint8

// The families.
const (
	Ascend310P Family = iota + 1 // coupled cores: one scalar unit drives cube and vector
	Ascend910B                   // split cores: AIC and AIV, each with a scalar unit
)

// String is the name that CANN calls Short_SoC_version.
func (f Family) String() string {
	switch f {
	case Ascend310P:
		return "Ascend310P"
	case Ascend910B:
		return "Ascend910B"
	}
	return "family(?)"
}

// pick takes the value of the family's column.
func pick[T any](f Family, on310P, on910B T) T {
	if f == Ascend310P {
		return on310P
	}
	return on910B
}

// Chip is one chip. Chips are made here and never change.
type Chip struct {
	name   string
	family Family
	facts  [paramEnd]Fact
	texts  [textEnd]TextFact
}

// Name is the chip's name as aclrtGetSocName gives it, such as "Ascend310P3".
func (c *Chip) Name() string { return c.name }

// Family is the column of the tables that holds for the chip.
func (c *Chip) Family() Family { return c.family }

// Split reports whether cube and vector are cores of their own that meet in device memory.
func (c *Chip) Split() bool { return c.family == Ascend910B }

// Fact gives a number with its source.
func (c *Chip) Fact(p Param) Fact {
	if !p.valid() {
		panic("BUG: " + p.String() + " is no number of a chip")
	}
	f := c.facts[p]
	f.Other = slices.Clone(f.Other)
	return f
}

// At gives a number that is known; asking for one that nobody knows is a bug of the caller,
// who must look at Fact first.
func (c *Chip) At(p Param) int64 {
	if !p.valid() || !c.facts[p].Known() {
		panic("BUG: " + p.String() + " of " + c.name + " is not known")
	}
	return c.facts[p].Value
}

// Has reads a number whose unit is "bool"; what is not known it has not.
func (c *Chip) Has(p Param) bool {
	if p.Unit() != "bool" {
		panic("BUG: " + p.String() + " is no property that a chip has or lacks")
	}
	return c.facts[p].Value == 1
}

// Rows lists every number of the chip in the order of Params.
func (c *Chip) Rows() []Row {
	rows := make([]Row, 0, paramEnd-1)
	for _, p := range Params() {
		rows = append(rows, Row{p, c.Fact(p)})
	}
	return rows
}

// Chips lists every chip.
func Chips() []*Chip { return slices.Clone(chips) }

var chips = []*Chip{ascend310P3(), ascend910B1(), ascend910B2(), ascend910B3(), ascend910B4()}
