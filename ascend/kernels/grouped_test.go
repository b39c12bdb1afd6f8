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

// groupedCases are even, skewed and single groups over 6 experts, with empty ones at every place.
var groupedCases = []groupedCase{
	{"one row", []int32{0, 0, 1, 0, 0, 0}},
	{"one each", []int32{1, 1, 1, 1, 1, 1}},
	{"first only", []int32{33, 0, 0, 0, 0, 0}},
	{"last only", []int32{0, 0, 0, 0, 0, 64}},
	{"skewed", []int32{0, 31, 0, 2, 15, 1}},
	{"edges", []int32{16, 17, 0, 15, 0, 8}},
	{"nearly empty ends", []int32{7, 0, 0, 0, 0, 3}},
}

func smallGrouped() (gateUp, down GroupedSpec) {
	gateUp = GroupedSpec{Name: "gate_up_small", Experts: 6, Hidden: 96, Width: 80, MaxRows: 64,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 64, Step: 32, Staged: true}}
	down = gateUp
	down.Name, down.Tiling = "down_small", Tiling{Parts: 8, Rows: 32, Cols: 48, Step: 48, Staged: true}
	return gateUp, down
}

func TestGrouped(t *testing.T) {
	gateUp, down := smallGrouped()
	r := newRig(t, 64, built(t)(GroupedGateUp(gateUp)), built(t)(GroupedDown(down)))
	var w worst
	for i, g := range groupedCases {
		checkGateUp(t, r, gateUp, g, uint64(1+i%2), &w)
		checkDown(t, r, down, g, uint64(1+i%2))
	}
	checkNoRows(t, r, gateUp)
	t.Logf("gate and up: largest error %.2f of the bound", w.share)
}

// checkNoRows runs a step in which no expert has a row: nothing is written, and nothing else is
// wrong.
func checkNoRows(t *testing.T, r *rig, s GroupedSpec) {
	t.Helper()
	allowed := map[string]bool{"output-undefined": true, "unstable-output": true}
	c := gateUpLaunch(s, groupedCase{"none", make([]int32, s.Experts)}, 1, 3)
	for _, f := range r.launch(r.programs[c.kernel], c) {
		if !allowed[f.Rule] {
			t.Errorf("%v, want only that the result is not written", f)
		}
	}
}

func checkGateUp(t *testing.T, r *rig, s GroupedSpec, g groupedCase, seed uint64, w *worst) {
	t.Helper()
	offsets := g.offsets()
	c := gateUpLaunch(s, g, int(offsets[s.Experts]), seed)
	r.run(c)
	m, in := gateUpValues(s, int(offsets[s.Experts]), seed)
	checkProduct(t, c, m, in, offsets, true, w)
}

func gateUpValues(s GroupedSpec, rows int, seed uint64) (matrices, *quantizedRows) {
	m := matrices{experts: s.Experts, cols: 2 * s.Width, depth: s.Hidden}
	m.fill(seed, false)
	return m, newRows(seed+1, rows, s.Hidden)
}

func gateUpLaunch(s GroupedSpec, g groupedCase, rows int, seed uint64) *launch {
	m, in := gateUpValues(s, rows, seed)
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"rows": rows},
		tensors: in.tensors(false)}
	m.into(c)
	c.tensors["offsets"] = ints(g.offsets())
	return c
}

func checkDown(t *testing.T, r *rig, s GroupedSpec, g groupedCase, seed uint64) {
	t.Helper()
	offsets := g.offsets()
	rows := int(offsets[s.Experts])
	m := matrices{experts: s.Experts, cols: s.Hidden, depth: s.Width}
	m.fill(seed, false)
	in := newRows(seed+1, rows, s.Width)
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"rows": rows},
		tensors: in.tensors(true)}
	m.into(c)
	c.tensors["offsets"] = ints(offsets)
	r.run(c)
	checkProduct(t, c, m, in, offsets, false, nil)
}

// TestGroupedTrueShapes runs experts of the true size, whole and halved.
func TestGroupedTrueShapes(t *testing.T) {
	g := groupedCase{"skewed", []int32{1, 0, 17}}
	s := GroupedSpec{Experts: 3, Hidden: 5120, MaxRows: 64, Rows: 20}
	half, whole := s, s
	half.Width, whole.Width = 672, 1344
	gateUp, down := named(t, half, "half")
	gateUpWhole, downWhole := named(t, whole, "whole")
	r := newRig(t, 96, built(t)(GroupedGateUp(gateUp)), built(t)(GroupedDown(down)),
		built(t)(GroupedGateUp(gateUpWhole)), built(t)(GroupedDown(downWhole)))
	var w worst
	checkGateUp(t, r, gateUp, g, 1, &w)
	checkDown(t, r, down, g, 2)
	checkGateUp(t, r, gateUpWhole, g, 2, &w)
	checkDown(t, r, downWhole, g, 1)
	t.Logf("gate and up: largest error %.2f of the bound", w.share)
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
	if gateUp.Tiling, err = gateUp.ChooseGateUp(chip(t)); err != nil {
		t.Fatal(err)
	}
	if down.Tiling, err = down.ChooseDown(chip(t)); err != nil {
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
