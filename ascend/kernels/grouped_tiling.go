package kernels

import (
	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// fewRows is the rows of one expert that the tiling for few rows is chosen for: the most that
// experts have while a step generates (the paper's §4.2.3 measures 2 to 20).
const fewRows = 20

// A table has an entry for every tableRows rows of an expert, the last one for all that have more.
const (
	tableRows  = kernel.FractalRows
	tableWords = lanes
)

// TilingTable is the shape of what the grouped kernels with two tilings look up at run time: i32
// [1, 8]. Entry i is for experts of 16·i+1 to 16·i+16 rows, the last one for those of more, too: 0
// for Few; anything else is Tiling.
func TilingTable() kernel.Shape { return kernel.Matrix(n(1), tableWords) }

// ChooseGateUp returns s with the legal tilings of least predicted cost of GroupedGateUp on a chip.
// There is no Few where experts have few rows anyway, or where it would be no other.
func (s GroupedSpec) ChooseGateUp(chip *soc.Chip) (GroupedSpec, error) {
	return s.choose(chip, GroupedSpec.gateUp)
}

// ChooseDown is ChooseGateUp for GroupedDown.
func (s GroupedSpec) ChooseDown(chip *soc.Chip) (GroupedSpec, error) {
	return s.choose(chip, GroupedSpec.down)
}

// GateUpTable is the TilingTable by which GroupedGateUp has the least predicted cost on a chip.
func (s GroupedSpec) GateUpTable(chip *soc.Chip) []int32 { return s.table(chip, GroupedSpec.gateUp) }

// DownTable is GateUpTable for GroupedDown.
func (s GroupedSpec) DownTable(chip *soc.Chip) []int32 { return s.table(chip, GroupedSpec.down) }

// expected is the rows of one expert that Tiling is chosen for.
func (s GroupedSpec) expected() int {
	if s.Rows == 0 {
		return min(2*ceilDiv(s.MaxRows, s.Experts), s.MaxRows)
	}
	return s.Rows
}

// TwoTilings reports whether the kernel takes a table, which chooses between Few and Tiling.
func (s GroupedSpec) TwoTilings() bool { return s.Few != Tiling{} }

func (s GroupedSpec) choose(chip *soc.Chip, of func(GroupedSpec) *quantized) (GroupedSpec, error) {
	if err := s.check(); err != nil {
		return s, err
	}
	alone := of(s).shape()
	var err error
	if s.Few = (Tiling{}); s.expected() > fewRows {
		few := alone
		few.rows, few.lists = fewRows, 2
		s.Few, _ = few.tallest(chip) // none is no fault: Tiling serves all
	}
	if s.TwoTilings() {
		both := alone
		both.kept += alone.listBytes(s.Few)
		s.Tiling, err = both.choose(chip)
		if err == nil && s.Tiling.Rows > s.Few.Rows {
			return s, nil
		}
		s.Few = Tiling{}
	}
	s.Tiling, err = alone.choose(chip)
	return s, err
}

// tallest returns the legal tiling of most rows whose cost is next to the least, so that experts with
// some rows more still take one pass.
func (s productShape) tallest(chip *soc.Chip) (Tiling, error) {
	best, err := s.choose(chip)
	limit := best.Cycles + best.Cycles/200
	for _, t := range s.tilings(chip) {
		near := t.Cycles <= limit && s.whole(t) == s.whole(best)
		if near && (t.Rows > best.Rows || t.Rows == best.Rows && t.Cycles < best.Cycles) {
			best = t
		}
	}
	return best, err
}

func (s GroupedSpec) table(chip *soc.Chip, of func(GroupedSpec) *quantized) []int32 {
	out := make([]int32, tableWords)
	shape := of(s).shape()
	for i := range out {
		shape.rows = (i + 1) * tableRows
		if !s.TwoTilings() || shape.cycles(s.Tiling, chip) < shape.cycles(s.Few, chip) {
			out[i] = 1
		}
	}
	return out
}
