package kernels

import (
	"slices"
	"testing"

	"moge/ascend/soc"
)

// A bundle with the limits by default has two tilings of each half of the experts; one that is for few
// rows has one.
func TestTilingsOfExperts(t *testing.T) {
	for _, c := range []struct {
		maxRows                 int
		choose                  func(GroupedSpec, *soc.Chip) (GroupedSpec, error)
		table                   func(GroupedSpec, *soc.Chip) []int32
		few, many               string
		rowsOfFew, rowsOfTiling []int // by the table
	}{
		{2 * 512, GroupedSpec.ChooseGateUp, GroupedSpec.GateUpTable,
			"8 parts, 32 rows, 64 columns a chunk, 64 a step, staged true",
			"8 parts, 64 rows, 64 columns a chunk, 64 a step, staged false",
			[]int{16, 32}, []int{48, 64, 80, 96, 112, 128}},
		{2 * 512, GroupedSpec.ChooseDown, GroupedSpec.DownTable,
			"8 parts, 80 rows, 704 columns a chunk, 64 a step, staged true",
			"8 parts, 128 rows, 672 columns a chunk, 48 a step, staged false",
			[]int{16, 32, 48, 64, 80}, []int{96, 112, 128}},
		{160, GroupedSpec.ChooseGateUp, GroupedSpec.GateUpTable, Tiling{}.String(),
			"8 parts, 32 rows, 64 columns a chunk, 64 a step, staged true",
			nil, []int{16, 32, 48, 64, 80, 96, 112, 128}},
	} {
		s, err := c.choose(trueExperts("experts", c.maxRows), chip(t))
		if err != nil {
			t.Fatal(err)
		}
		if few, many := s.Few.String(), s.Tiling.String(); few != c.few || many != c.many {
			t.Errorf("%d rows: few rows: %s, want %s; many: %s, want %s", c.maxRows, few, c.few, many, c.many)
		}
		var by [2][]int
		for i, x := range c.table(s, chip(t)) {
			by[x] = append(by[x], 16*(i+1))
		}
		if !slices.Equal(by[0], c.rowsOfFew) || !slices.Equal(by[1], c.rowsOfTiling) {
			t.Errorf("%d rows: few rows are %v, want %v; many %v, want %v", c.maxRows, by[0], c.rowsOfFew,
				by[1], c.rowsOfTiling)
		}
	}
}
