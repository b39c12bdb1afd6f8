package kernels

import (
	"fmt"
	"slices"
	"testing"

	"moge/ascend/emu"
)

// measured is a grouped product to measure: with the table that a bundle has, and what its tensors
// take.
type measured struct {
	GroupedSpec
	table                 []int32
	cols, depth, rowBytes int
}

// shareRig is the grouped products of one chip of eight, as a bundle with the limits by default has
// them: of 16 experts, two for each of 512 tokens. Alone are the same with one tiling.
func shareRig(t testing.TB) (r *rig, products, alone []measured) {
	gateUp, down := named(t, trueExperts("", 2*512), "share")
	products = []measured{gateUpOf(t, gateUp), downOf(t, down)}
	gateUp.Name, down.Name = "gate_up_alone", "down_alone"
	gateUp.Few, down.Few = Tiling{}, Tiling{}
	alone = []measured{gateUpOf(t, gateUp), downOf(t, down)}
	return newRig(t, 256, built(t)(GroupedGateUp(products[0].GroupedSpec)),
		built(t)(GroupedDown(products[1].GroupedSpec)), built(t)(GroupedGateUp(gateUp)),
		built(t)(GroupedDown(down))), products, alone
}

func gateUpOf(t testing.TB, s GroupedSpec) measured {
	return measured{s, s.GateUpTable(chip(t)), 2 * s.Width, s.Hidden, s.Hidden}
}

func downOf(t testing.TB, s GroupedSpec) measured {
	return measured{s, s.DownTable(chip(t)), s.Hidden, s.Width, 2 * s.Width}
}

// shareCases are what steps of decoding give the experts: 2 to 20 rows each.
func shareCases() []groupedCase {
	return []groupedCase{rowsOfExperts(1, 2, 2), rowsOfExperts(2, 2, 20), rowsOfExperts(3, 20, 20)}
}

// halfOfExperts gives so many rows to every other expert.
func halfOfExperts(rows int) groupedCase {
	g := rowsOfExperts(1, rows, rows)
	for i := range g.rows {
		g.rows[i] *= int32(i % 2)
	}
	return g
}

// launched measures one launch.
func (r *rig) launched(m measured, g groupedCase) *emu.Timeline {
	offsets := g.offsets()
	total := int(offsets[len(offsets)-1])
	tensors := map[string][]byte{"offsets": ints(offsets), "x": make([]byte, total*m.rowBytes)}
	if m.TwoTilings() {
		tensors["tilings"] = ints(m.table)
	}
	return r.timeline(&launch{kernel: m.Name, params: map[string]int{"rows": total}, tensors: tensors})
}

// bytes is the weights of all experts.
func (m measured) bytes(g groupedCase) float64 { return float64(len(g.rows) * m.cols * m.depth) }

func TestGroupedTimes(t *testing.T) {
	r, products, alone := shareRig(t)
	t.Run("decode", func(t *testing.T) { wantShare(t, r, products) })
	t.Run("prompts", func(t *testing.T) { wantTimeKept(t, r, products, alone) })
	t.Run("tables", func(t *testing.T) { wantFaster(t, r, products) })
}

// wantShare: the paper's figure for these kernels is 95 % (§4.2.3).
func wantShare(t *testing.T, r *rig, products []measured) {
	for _, g := range shareCases() {
		for _, m := range products {
			if got := usefulShare(t, r.launched(m, g), 0, m.bytes(g)); got < 0.95 {
				t.Errorf("%s, %d to %d rows: useful share %.3f, want 0.95", m.Name, slices.Min(g.rows),
					slices.Max(g.rows), got)
			}
		}
	}
}

// wantTimeKept: a second tiling costs prompts next to nothing, whose experts have more rows than few.
func wantTimeKept(t *testing.T, r *rig, products, alone []measured) {
	g := halfOfExperts(maxPassRows)
	for i, m := range products {
		both, one := r.launched(m, g).Scenarios[0].Cycles, r.launched(alone[i], g).Scenarios[0].Cycles
		if both > 1.02*one {
			t.Errorf("%s: %.0f cycles, with one tiling %.0f", m.Name, both, one)
		}
	}
}

// wantFaster: the tiling that a table gives is the faster one, just below and just above the edge.
func wantFaster(t *testing.T, r *rig, products []measured) {
	for _, m := range products {
		edge := tableRows * slices.Index(m.table, 1)
		for _, rows := range []int{edge, edge + 1} {
			g := halfOfExperts(rows)
			chosen, other := r.launched(m, g).Scenarios[0].Cycles, m
			other.table = slices.Repeat([]int32{1}, tableWords)
			if rows > edge {
				clear(other.table)
			}
			if cycles := r.launched(other, g).Scenarios[0].Cycles; cycles < chosen {
				t.Errorf("%s, %d rows: %.0f cycles, with the other tiling %.0f", m.Name, rows, chosen, cycles)
			}
		}
	}
}

// BenchmarkGroupedShare prints tilings and useful share of MTE2.
func BenchmarkGroupedShare(b *testing.B) {
	r, products, _ := shareRig(b)
	for i := 0; i < b.N; i++ {
		for _, m := range products {
			fmt.Printf("%s: few rows: %v; many: %v; by 16 rows: %v\n", m.Name, m.Few, m.Tiling, m.table)
		}
		for _, g := range append(shareCases(), rowsOfExperts(4, 32, 32), rowsOfExperts(5, 64, 64)) {
			for _, m := range products {
				r.printShare(m, g)
			}
		}
	}
}

func (r *rig) printShare(m measured, g groupedCase) {
	tl, bytes := r.launched(m, g), m.bytes(g)
	fmt.Printf("%s, %d to %d rows an expert: %.0f cycles, "+
		"useful share of MTE2 %.1f %% at a core's rate, %.1f %% at the chip's memory, bound by %s\n",
		m.Name, slices.Min(g.rows), slices.Max(g.rows), tl.Scenarios[0].Cycles,
		100*usefulShare(r.t, tl, 0, bytes), 100*usefulShare(r.t, tl, 1, bytes), tl.Scenarios[0].Bound())
}
