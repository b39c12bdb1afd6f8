package kernels

import (
	"fmt"
	"slices"
	"testing"

	"moge/ascend/emu"
)

// shareRig is the grouped products of one chip of eight: 16 experts, up to 20 rows each.
func shareRig(t testing.TB) (r *rig, gateUp, down GroupedSpec) {
	gateUp, down = trueExperts("gate_up", 320), trueExperts("down", 320)
	gateUp.Rows, down.Rows = 20, 20
	var err error
	if gateUp.Tiling, err = gateUp.ChooseGateUp(chip(t)); err != nil {
		t.Fatal(err)
	}
	if down.Tiling, err = down.ChooseDown(chip(t)); err != nil {
		t.Fatal(err)
	}
	return newRig(t, 256, built(t)(GroupedGateUp(gateUp)), built(t)(GroupedDown(down))), gateUp, down
}

func shareCases() []groupedCase {
	return []groupedCase{rowsOfExperts(1, 2, 2), rowsOfExperts(2, 2, 20), rowsOfExperts(3, 20, 20)}
}

// share measures one launch: with the bytes of the weights of all experts.
func (r *rig) share(name string, cols, depth, rowBytes int, g groupedCase) (tl *emu.Timeline,
	weights float64) {
	offsets := g.offsets()
	total := int(offsets[len(offsets)-1])
	tl = r.timeline(&launch{kernel: name, params: map[string]int{"rows": total},
		tensors: map[string][]byte{"offsets": ints(offsets), "x": make([]byte, total*rowBytes)}})
	return tl, float64(len(g.rows) * cols * depth)
}

// The paper's figure for these kernels is 95 % (§4.2.3).
func TestGroupedShare(t *testing.T) {
	r, gateUp, down := shareRig(t)
	for _, g := range shareCases() {
		for _, k := range []struct {
			spec                  GroupedSpec
			cols, depth, rowBytes int
		}{
			{gateUp, 2 * gateUp.Width, gateUp.Hidden, gateUp.Hidden},
			{down, down.Hidden, down.Width, 2 * down.Width},
		} {
			tl, bytes := r.share(k.spec.Name, k.cols, k.depth, k.rowBytes, g)
			if got := usefulShare(t, tl, 0, bytes); got < 0.95 {
				t.Errorf("%s, %d to %d rows: useful share %.3f, want 0.95", k.spec.Name, slices.Min(g.rows),
					slices.Max(g.rows), got)
			}
		}
	}
}

// BenchmarkGroupedShare prints tiling and useful share of MTE2.
func BenchmarkGroupedShare(b *testing.B) {
	r, gateUp, down := shareRig(b)
	for i := 0; i < b.N; i++ {
		for _, g := range shareCases() {
			r.printShare(gateUp, 2*gateUp.Width, gateUp.Hidden, gateUp.Hidden, g)
			r.printShare(down, down.Hidden, down.Width, 2*down.Width, g)
		}
	}
}

func (r *rig) printShare(s GroupedSpec, cols, depth, rowBytes int, g groupedCase) {
	tl, bytes := r.share(s.Name, cols, depth, rowBytes, g)
	fmt.Printf("%s, %d to %d rows an expert: %v (%d KiB); %.0f cycles, "+
		"useful share of MTE2 %.1f %% at a core's rate, %.1f %% at the chip's memory, bound by %s\n",
		s.Name, slices.Min(g.rows), slices.Max(g.rows), s.Tiling, s.Tiling.Cols*depth>>10,
		tl.Scenarios[0].Cycles, 100*usefulShare(r.t, tl, 0, bytes),
		100*usefulShare(r.t, tl, 1, bytes), tl.Scenarios[0].Bound())
}
