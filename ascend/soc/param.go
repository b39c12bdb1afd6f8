package soc

import "fmt"

// Param names a number that every chip has a row for.
type Param uint8

// The numbers. Their units and meanings are in the table that Unit and What read.
const (
	AICores Param = iota + 1
	CubeUnits
	VectorUnits
	VectorsPerCube
	ExtraVectorCores
	CubeClock
	VectorClock
	ExtraVectorClock
	LogicalBlocks

	CubeM
	CubeN
	CubeKHalf
	CubeKInt8
	CubeKInt4
	MACHalf
	MACFloat
	MACInt8
	MACInt8Peak
	MACInt4
	MmadKPerIssue
	MmadBarrierTiles
	LanesHalf
	LanesFloat
	RepeatBytes
	BlockBytes

	UBBytes
	UBUsable
	UBAlign
	UBScratch
	UBBanks
	UBBankBytes
	UBBankGroups
	L1Bytes
	L1Usable
	L1Align
	L0ABytes
	L0AAlign
	L0BBytes
	L0BAlign
	L0CBytes
	L0CAlign
	L0CMmadAlign
	BTBytes
	BTAlign
	FBBytes
	FBAlign
	L2Bytes
	DRAMBytes
	GMAlign
	GMFastAlign

	DDRRate
	L2ReadRate
	L2WriteRate
	L1L0ARate
	L1L0BRate
	L1UBRate
	L0CUBRate
	L0CGMRate
	UBL2Rate
	UBGMRate
	UBL1Rate
	ExtraDDRRate
	ExtraL2Rate
	DRAMRate
	DRAMRateOfCores
	DMASetup
	DMAFullRate

	EventIDs
	EventIDsByHand
	QueueBuffers
	BuffersPerQueue
	BuffersPerKernel
	CrossCoreFlags
	CrossCoreCounter
	SoftSyncBytes
	QueueDepthMTE1
	QueueDepthM

	StackBytes
	ICacheBytes
	DCacheBytes
	DCacheLine
	DrainScaleBits
	MaxStreams
	MaxEvents
	MaxNotifies

	HasBF16
	HasUnalignedCopy
	HasFixpipe
	HasCoreSync
	HasGlobalConstants
	HasWideMultiply
	Saturates

	PublishedHalf
	PublishedInt8

	paramEnd // sentinel: add new numbers above, a row to the table and to every chip
)

type paramRow struct {
	name string // snake case; CppConstants makes kSnakeCase of it
	unit string // "" for a plain count, "bool" for 0 and 1
	what string
}

// String is the name, such as "ub_usable".
func (p Param) String() string {
	if !p.valid() {
		return fmt.Sprintf("param(%d)", uint8(p))
	}
	return paramTable[p].name
}

// Unit is the unit: "B", "B/cycle", "B/s", "Hz", "cycles", "MAC/cycle", "op/s", "bool", or
// empty for a count.
func (p Param) Unit() string { return p.row().unit }

// What is one sentence about the number.
func (p Param) What() string { return p.row().what }

func (p Param) valid() bool { return p > 0 && p < paramEnd }

func (p Param) row() paramRow {
	if !p.valid() {
		panic("BUG: " + p.String() + " is no number of a chip")
	}
	return paramTable[p]
}

// Params lists every number in the order of tables.
func Params() []Param {
	all := make([]Param, 0, paramEnd-1)
	for p := Param(1); p < paramEnd; p++ {
		all = append(all, p)
	}
	return all
}
