package kernels

import (
	"math/rand/v2"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/lower"
)

// groupedCase is offsets of rows by expert.
type groupedCase struct {
	name string
	rows []int32 // of each expert
}

func (g groupedCase) offsets() []int32 {
	out := []int32{0}
	for _, r := range g.rows {
		out = append(out, out[len(out)-1]+r)
	}
	return out
}

// TestGroupedWhole lowers all 64 experts of a layer for a prompt: offsets must stay inside fields.
func TestGroupedWhole(t *testing.T) {
	s := GroupedSpec{Experts: 64, Hidden: 5120, Width: 1344, MaxRows: 8 * 1025}
	gateUp, down := named(t, s, "all")
	for _, k := range []*kernel.Kernel{built(t)(GroupedGateUp(gateUp)), built(t)(GroupedDown(down))} {
		if _, err := lower.Lower(k, chip(t)); err != nil {
			t.Error(err)
		}
	}
}

// named is both halves of s with names and tilings.
func named(t testing.TB, s GroupedSpec, suffix string) (gateUp, down GroupedSpec) {
	t.Helper()
	gateUp, down = s, s
	gateUp.Name, down.Name = "gate_up_"+suffix, "down_"+suffix
	var err error
	if gateUp, err = gateUp.ChooseGateUp(chip(t)); err != nil {
		t.Fatal(err)
	}
	if down, err = down.ChooseDown(chip(t)); err != nil {
		t.Fatal(err)
	}
	return gateUp, down
}

// trueExperts is the experts of one chip of eight under the paper's hybrid parallelism (§4.1): 16
// experts, half of their width.
func trueExperts(name string, maxRows int) GroupedSpec {
	return GroupedSpec{Name: name, Experts: 16, Hidden: 5120, Width: 672, MaxRows: maxRows}
}

// rowsOfExperts is rows for each of 16 experts, between lo and hi.
func rowsOfExperts(seed uint64, lo, hi int) groupedCase {
	r := rand.New(rand.NewPCG(seed, 3))
	g := groupedCase{name: "random"}
	for range 16 {
		g.rows = append(g.rows, int32(lo+r.IntN(hi-lo+1)))
	}
	return g
}
