package emu

import (
	"moge/ascend/soc"
)

// memories in the order of the runtime: GM has no size of its own.
const memories = 8

// machine is what the runtime needs to know of a chip.
type machine struct {
	size, usable              [memories]uint32
	cubes, vectors, queue, id uint32
	dram, dramChip            [2]float64
	rates                     []float64
}

// cost constants that no source publishes; a timeline says that it is a prediction.
const (
	scalarIssue = 4  // cycles the scalar unit spends on a call
	barrierCost = 16 // cycles to drain a pipe
	flagCost    = 4
	vectorStart = 12
	mmadStart   = 16
	slowVector  = 4 // Exp, Ln, Div, Sqrt and gathers against an addition
	cacheMiss   = 300
	ubToUB      = 256
)

func known(c *soc.Chip, p soc.Param, otherwise float64) float64 {
	if f := c.Fact(p); f.Known() && f.Value != 0 {
		return float64(f.Value)
	}
	return otherwise
}

func machineOf(c *soc.Chip) machine {
	var m machine
	type row struct{ size, usable soc.Param }
	for at, r := range []row{
		1: {soc.UBBytes, soc.UBUsable}, 2: {soc.L1Bytes, soc.L1Usable}, 3: {soc.L0ABytes, soc.L0ABytes},
		4: {soc.L0BBytes, soc.L0BBytes}, 5: {soc.L0CBytes, soc.L0CBytes}, 6: {soc.BTBytes, soc.BTBytes},
		7: {soc.FBBytes, soc.FBBytes},
	} {
		if at > 0 {
			m.size[at] = uint32(known(c, r.size, 0))
			m.usable[at] = uint32(known(c, r.usable, 0))
		}
	}
	m.cubes = uint32(known(c, soc.CubeUnits, known(c, soc.AICores, 1)))
	m.vectors = uint32(known(c, soc.VectorUnits, 0))
	if !c.Split() {
		m.vectors = 0
	}
	m.queue = uint32(known(c, soc.QueueDepthM, 32))
	m.id = uint32(known(c, soc.EventIDsByHand, 8))
	m.bandwidth(c)
	m.rates = ratesOf(c)
	return m
}

// bandwidth fills both assumptions about device memory: what one core can draw by the platform
// file, and an equal part of the rate of the whole chip.
func (m *machine) bandwidth(c *soc.Chip) {
	core := known(c, soc.DDRRate, 16)
	cores := float64(m.cubes + m.vectors)
	clock := known(c, soc.CubeClock, 1e9)
	whole := known(c, soc.DRAMRate, core*cores*clock) / clock
	m.dram = [2]float64{core, max(core, whole/cores)}
	m.dramChip = [2]float64{core * cores, whole}
	if c.Split() {
		m.dramChip[0] = whole
	}
}

func ratesOf(c *soc.Chip) []float64 {
	return []float64{
		known(c, soc.L2ReadRate, 110), known(c, soc.L2WriteRate, 86), known(c, soc.L2Bytes, 16<<20),
		known(c, soc.L1L0ARate, 512), known(c, soc.L1L0BRate, 256), known(c, soc.L1UBRate, 128),
		known(c, soc.UBL1Rate, 128), known(c, soc.L0CUBRate, known(c, soc.L0CGMRate, 256)), ubToUB,
		known(c, soc.MACInt8, 8192), known(c, soc.MACHalf, 4096), known(c, soc.RepeatBytes, 256),
		known(c, soc.DMASetup, 422), scalarIssue, barrierCost, flagCost, vectorStart, mmadStart,
		slowVector, cacheMiss,
	}
}

// coreMacro is __CCE_AICORE__ of the chip.
func coreMacro(c *soc.Chip) int {
	if c.Split() {
		return 220
	}
	return 200
}
