package soc

// PeakOps is the operations in a second of all matrix units on a combination of operands: two
// for each multiply-add of the unit's shape at the clock of the ini. For int8 it uses
// MACInt8Peak, not the rate to plan with. It is 0 for what the chip lacks.
func (c *Chip) PeakOps(a, b, accumulator Elem) int64 {
	m, ok := c.Mmad(a, b, accumulator)
	if !ok {
		return 0
	}
	rate := m.Rate
	if rate == MACInt8 {
		rate = MACInt8Peak
	}
	return 2 * c.At(CubeUnits) * c.At(rate) * c.At(CubeClock)
}

// PeakVectorOps is the operations in a second of all vector units but the extra ones, on
// elements of 2 or 4 bytes.
func (c *Chip) PeakVectorOps(e Elem) int64 {
	lanes := LanesHalf
	if e.Bits() == 32 {
		lanes = LanesFloat
	}
	return c.At(VectorUnits) * c.At(lanes) * c.At(VectorClock)
}

// ExtraDRAMRate is what the extra vector cores can draw together, B/s.
func (c *Chip) ExtraDRAMRate() int64 {
	return c.At(ExtraVectorCores) * c.At(ExtraDDRRate) * c.At(ExtraVectorClock)
}
