package soc

// variant910B is what tells the chips of the 910B family apart.
type variant910B struct {
	name          string
	soc           string // SOC_VERSION
	cores         int64
	hz            int64
	l2            int64 // bytes
	dram          Fact
	dramRate      Fact
	half, integer Fact // published peaks
}

// dramRateB1toB3 is not tied to one of the chips by any source.
var dramRateB1toB3 = noted(1_600_000_000_000, Web, "800I A2 with 64 GB; no source gives a rate for "+
	"each chip, the lower one is taken").also(1_800_000_000_000, Catlass)

func ascend910B1() *Chip {
	return ascend910B(variant910B{"Ascend910B1", "ascend910b1", 24, 1_850_000_000, 192 << 20,
		fact(64<<30, INI), dramRateB1toB3, unknown("no figure for this chip"), unknown("no figure for this chip")})
}

func ascend910B2() *Chip {
	return ascend910B(variant910B{"Ascend910B2", "ascend910b2", 24, 1_800_000_000, 192 << 20,
		fact(64<<30, INI), dramRateB1toB3, fact(376_000_000_000_000, Unverified), unknown("no figure for this chip")})
}

func ascend910B3() *Chip {
	return ascend910B(variant910B{"Ascend910B3", "ascend910b3", 20, 1_800_000_000, 192 << 20,
		fact(64<<30, INI), dramRateB1toB3, fact(313_000_000_000_000, Unverified), unknown("no figure for this chip")})
}

func ascend910B4() *Chip {
	const boost = "implies a clock of about 1.7 GHz, above the 1.5 GHz of the ini"
	return ascend910B(variant910B{"Ascend910B4", "ascend910b4", 20, 1_500_000_000, 96 << 20,
		fact(32<<30, INI), noted(800_000_000_000, Notes910B, "nominal; a real kernel reached 550 GB/s"),
		noted(280_000_000_000_000, Web, boost), noted(560_000_000_000_000, Web, boost)})
}

func ascend910B(v variant910B) *Chip {
	c := &Chip{name: v.name, family: Ascend910B, texts: texts910B}
	c.texts[SOCVersion] = TextFact{v.soc, CMake}
	c.facts = facts910B
	c.facts[AICores] = fact(v.cores, INI)
	c.facts[CubeUnits] = fact(v.cores, INI)
	c.facts[VectorUnits] = fact(2*v.cores, INI)
	c.facts[CubeClock] = fact(v.hz, INI)
	c.facts[VectorClock] = noted(v.hz, Catlass,
		"the documented vector peak of 48 · 128 · 1.8 GHz uses the matrix unit's clock")
	c.facts[L2Bytes] = fact(v.l2, INI)
	c.facts[DRAMBytes] = v.dram
	c.facts[DRAMRate] = v.dramRate
	c.facts[DRAMRateOfCores] = noted(v.cores*32*v.hz, Calc,
		"ai_cores · ddr_rate · cube_clock; one side of each core draws")
	c.facts[PublishedHalf] = v.half
	c.facts[PublishedInt8] = v.integer
	return c
}

// facts910B is what the family shares.
var facts910B = [paramEnd]Fact{
	VectorsPerCube:   fact(2, Docs2201),
	ExtraVectorCores: noted(0, INI, "none: all vector units are cores of their own"),
	ExtraVectorClock: fact(0, INI),
	LogicalBlocks:    fact(65535, Docs),

	CubeM:       fact(16, INI),
	CubeN:       fact(16, INI),
	CubeKHalf:   fact(16, INI),
	CubeKInt8:   fact(32, INI),
	CubeKInt4:   fact(64, INI),
	MACHalf:     noted(4096, Calc, "16·16·16"),
	MACFloat:    noted(1024, Docs2201, "a quarter of half"),
	MACInt8:     noted(8192, Calc, "16·32·16; no source says less"),
	MACInt8Peak: noted(8192, Calc, "16·32·16"),
	MACInt4:     noted(16384, Calc, "16·64·16"),
	MmadKPerIssue: noted(4064, Assumed, "mmad_k_per_issue of the Ascend310P3; the parameter has the same range").
		also(4095, Docs),
	MmadBarrierTiles: fact(10, Docs),
	LanesHalf:        fact(128, INI),
	LanesFloat:       noted(64, Calc, "a repeat of 256 bytes a cycle"),
	RepeatBytes:      fact(256, Docs),
	BlockBytes:       fact(32, Docs),

	UBBytes: fact(192<<10, INI),
	UBUsable: noted(192<<10-8<<10-256, Docs2201, "256 bytes are the compiler's for kernels of both "+
		"sides, 8 KiB the API's scratch unless built with --cce-disable-asc-reserved-ubuf, which takes "+
		"Select and others away").
		also(184<<10, Headers).also(192<<10-256, Docs2201),
	UBAlign:      fact(32, Docs2201),
	UBScratch:    noted(8<<10, Headers, "TOTAL_UB_SIZE - TMP_UB_OFFSET"),
	UBBanks:      fact(64, INI),
	UBBankBytes:  fact(4096, INI),
	UBBankGroups: fact(16, INI),
	L1Bytes:      fact(512<<10, INI),
	L1Usable:     noted(512<<10-256, Docs2201, "256 bytes are the compiler's for kernels of both sides"),
	L1Align:      fact(32, Docs2201),
	L0ABytes:     fact(64<<10, INI),
	L0AAlign:     fact(512, Docs2201),
	L0BBytes:     fact(64<<10, INI),
	L0BAlign:     fact(512, Docs2201),
	L0CBytes:     fact(128<<10, INI),
	L0CAlign:     fact(64, Docs2201),
	L0CMmadAlign: fact(1024, Docs),
	BTBytes:      fact(1024, INI),
	BTAlign:      fact(64, Docs2201),
	FBBytes:      noted(2048, INI, "fb0; fb1 has 1024, fb2 and fb3 have 2048"),
	FBAlign:      noted(128, Docs2201, "the constraints say 128, the specification 64").also(64, Docs2201),
	GMAlign:      noted(32, Docs, "DataCopyPad takes any address; whole blocks are faster"),
	GMFastAlign:  fact(512, Docs2201),

	DDRRate:      fact(32, INI),
	L2ReadRate:   fact(110, INI),
	L2WriteRate:  fact(86, INI),
	L1L0ARate:    noted(256, Docs2201, "the lower reading: documented for this architecture").also(512, INI),
	L1L0BRate:    noted(128, Docs2201, "the lower reading: documented for this architecture").also(256, INI),
	L1UBRate:     noted(128, INI, "listed, but the two sides meet in device memory only"),
	L0CUBRate:    noted(256, INI, "listed, but the two sides meet in device memory only"),
	L0CGMRate:    unknown("l2_write_rate bounds it"),
	UBL2Rate:     fact(64, INI),
	UBGMRate:     fact(64, INI),
	UBL1Rate:     noted(128, INI, "listed, but the two sides meet in device memory only"),
	ExtraDDRRate: fact(0, INI),
	ExtraL2Rate:  fact(0, INI),
	DMASetup: noted(422, Assumed, "dma_setup of the Ascend310P3; it fits the 16 KiB of dma_full_rate, "+
		"which take 512 cycles at ddr_rate"),
	DMAFullRate: fact(16<<10, Docs2201),

	EventIDs:         fact(8, Docs),
	EventIDsByHand:   noted(6, Docs2201, "ids 6 and 7 may be reserved by the system"),
	QueueBuffers:     fact(8, Docs),
	BuffersPerQueue:  fact(2, Docs),
	BuffersPerKernel: fact(64, Docs),
	CrossCoreFlags: noted(11, Docs2201, "ids 11 to 15 are left to SyncAll, which sets such flags itself").
		also(16, Docs),
	CrossCoreCounter: fact(15, Docs2201),
	SoftSyncBytes:    noted(32, Docs, "of the form of SyncAll with workspaces; the hardware form needs none"),
	QueueDepthMTE1:   fact(32, Docs2201),
	QueueDepthM:      fact(32, Docs2201),

	StackBytes:     noted(0x8000, CMake, "-cce-aicore-stack-size"),
	ICacheBytes:    fact(32<<10, Docs2201),
	DCacheBytes:    fact(32<<10, Docs2201),
	DCacheLine:     fact(64, Docs),
	DrainScaleBits: noted(10, Docs, "Fixpipe reads the scale as 1+8+10 bits"),
	MaxStreams:     unknown("not in the ini of this family"),
	MaxEvents:      unknown("not in the ini of this family"),
	MaxNotifies:    unknown("not in the ini of this family"),

	HasBF16:            fact(1, INI),
	HasUnalignedCopy:   fact(1, Docs),
	HasFixpipe:         fact(1, INI),
	HasCoreSync:        fact(1, INI),
	HasGlobalConstants: unknown("no page restricts them; kernels for both families do without"),
	HasWideMultiply:    unknown("no page restricts it; kernels for both families do without"),
	Saturates:          noted(0, Docs, "default mode: infinity and NaN"),
}

var texts910B = [textEnd]TextFact{
	ShortName:   {"Ascend910B", INI},
	AICVersion:  {"AIC-C-220", INI},
	NPUArch:     {"2201", Docs},
	CCEAICore:   {"220", CMake},
	Macro:       {"__DAV_C220__", CMake},
	MacroCube:   {"__DAV_C220_CUBE__", CMake},
	MacroVector: {"__DAV_C220_VEC__", CMake},
	ArchFlag:    {"dav-2201", Docs},
	CCECube:     {"dav-c220-cube", CMake},
	CCEVector:   {"dav-c220-vec", CMake},
	CCEExtra:    {"", CMake},
	OpConfig:    {"ascend910b", CMake},
	Flags: {"--cce-aicore-only -mllvm -cce-aicore-stack-size=0x8000 " +
		"-mllvm -cce-aicore-function-stack-size=0x8000 " +
		"-mllvm -cce-aicore-record-overflow=true -mllvm -cce-aicore-addr-transform " +
		"-mllvm -cce-aicore-dcci-insert-for-scalar=false", CMake},
}
