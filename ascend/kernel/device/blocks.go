package device

import "moge/ascend/soc"

// Blocks is how many blocks a launch needs to use the whole chip: vector cores for a kernel of these
// alone, and groups of cores for any other.
func (p *Program) Blocks() int {
	if p.Core == soc.CoreVector {
		return int(p.Chip.At(soc.VectorUnits))
	}
	return int(p.Chip.At(soc.CubeUnits))
}
