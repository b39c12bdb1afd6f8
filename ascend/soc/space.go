package soc

import "fmt"

// Space is a memory that kernels address.
type Space uint8

// The memories.
const (
	GM  Space = iota + 1 // device memory, behind L2
	L1                   // of the matrix side
	L0A                  // left operands
	L0B                  // right operands
	L0C                  // accumulators
	UB                   // unified buffer of the vector side
	BT                   // bias table
	FB                   // Fixpipe's scales
	spaceEnd
)

var spaceNames = [spaceEnd]string{GM: "gm", L1: "l1", L0A: "l0a", L0B: "l0b", L0C: "l0c",
	UB: "ub", BT: "bt", FB: "fb"}

// String is the name, such as "l0a".
func (s Space) String() string {
	if s == 0 || s >= spaceEnd {
		return fmt.Sprintf("space(%d)", uint8(s))
	}
	return spaceNames[s]
}

// Spaces lists every memory.
func Spaces() []Space { return []Space{GM, L1, L0A, L0B, L0C, UB, BT, FB} }

// Memory is one memory of a chip.
type Memory struct {
	Space  Space
	Bytes  Fact // size; 0 where the chip has none
	Usable Fact // what of it a kernel may use
	Align  Fact // of addresses in it
}

// memoryParams names the rows of each memory.
var memoryParams = [spaceEnd]struct{ bytes, usable, align Param }{
	GM:  {DRAMBytes, DRAMBytes, GMAlign},
	L1:  {L1Bytes, L1Usable, L1Align},
	L0A: {L0ABytes, L0ABytes, L0AAlign},
	L0B: {L0BBytes, L0BBytes, L0BAlign},
	L0C: {L0CBytes, L0CBytes, L0CAlign},
	UB:  {UBBytes, UBUsable, UBAlign},
	BT:  {BTBytes, BTBytes, BTAlign},
	FB:  {FBBytes, FBBytes, FBAlign},
}

// Memory gives size, usable size and alignment of a memory.
func (c *Chip) Memory(s Space) Memory {
	if s == 0 || s >= spaceEnd {
		panic("BUG: no memory " + s.String())
	}
	p := memoryParams[s]
	return Memory{s, c.Fact(p.bytes), c.Fact(p.usable), c.Fact(p.align)}
}
