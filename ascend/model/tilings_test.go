package model

import (
	"bytes"
	"maps"
	"testing"

	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/tests/fixture"
)

// Kernels with two tilings have a table, once for all layers; others have none.
func TestTilingsSection(t *testing.T) {
	b := newBuilder(ir.NewBuilder("w").Graph, nil, Limits{})
	one := kernels.GroupedSpec{Name: "one", Tiling: kernels.Tiling{Rows: 64}}
	two := one
	two.Name, two.Few = "two", kernels.Tiling{Rows: 16}
	table := []int32{0, 1, -1, 1, 1, 1, 1, 1}
	of := func(s kernels.GroupedSpec) *bundlepb.Operand {
		a := args{}
		b.tilings(a, s, table)
		return a["tilings"]
	}
	if o := of(one); o != nil {
		t.Errorf("one tiling has a table: %v", o)
	}
	if first, again := of(two), of(two); first.String() != again.String() {
		t.Errorf("two layers have tables %v and %v", first, again)
	}
	want := []byte{0, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
		1, 0, 0, 0, 1, 0, 0, 0}
	got := filled(t, b, fixture.Memory{}, 1)
	if len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("sections are %v, want %v", got, want)
	}
	if name := b.sections[0].Name; name != "two.tilings" {
		t.Errorf("the section is %s", name)
	}
}

// Where experts of the published model have two tilings, the one for few rows has fewer. Gate and up
// have one: its 64 rows cost few rows next to nothing.
func TestTilingsOfThePublishedModel(t *testing.T) {
	two := map[string]bool{}
	for _, s := range selected(t, published, "w8a8-dynamic") {
		switch s := s.(type) {
		case kernels.GroupedGateUpSpec:
			two[s.Kind()] = s.Few.Rows > 0 && s.Few.Rows < s.Tiling.Rows
		case kernels.GroupedDownSpec:
			two[s.Kind()] = s.Few.Rows > 0 && s.Few.Rows < s.Tiling.Rows
		}
	}
	if want := map[string]bool{"grouped_gate_up": false, "grouped_down": true}; !maps.Equal(two, want) {
		t.Errorf("two tilings: %v, want %v", two, want)
	}
}
