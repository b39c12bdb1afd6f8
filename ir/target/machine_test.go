package target

import (
	"testing"

	"moge/ir/dtype"
)

func sample() *Machine {
	return &Machine{
		Compute:  []dtype.Type{dtype.F32, dtype.F16},
		Store:    []dtype.Type{dtype.F16, dtype.I8},
		Matmuls:  []Matmul{{dtype.I8, dtype.I8, dtype.I32}},
		Memories: []Memory{{Name: "dram", Bytes: 8, Usable: 6}, {Name: "ub", Bytes: 4, Usable: 3, OnCore: true}},
		Units:    []Unit{{"core", 8, 100}},
		Rates:    []Rate{{"dram", "ub", 17, 100}},
		Collectives: []Collective{
			{Op: "all_reduce", Types: []dtype.Type{dtype.F16}},
			{Op: "all_to_all", Types: []dtype.Type{dtype.F16}, MaxRanks: 4},
		},
	}
}

func TestTypes(t *testing.T) {
	m := sample()
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"computes f16", m.Computes(dtype.F16), true},
		{"computes i8", m.Computes(dtype.I8), false},
		{"stores i8", m.Stores(dtype.I8), true},
		{"stores f32", m.Stores(dtype.F32), false},
		{"multiplies i8", m.Multiplies(dtype.I8, dtype.I8, dtype.I32), true},
		{"multiplies i8 to f32", m.Multiplies(dtype.I8, dtype.I8, dtype.F32), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v", c.what, c.got)
		}
	}
}

func TestLookups(t *testing.T) {
	m := sample()
	if ub, ok := m.Memory("ub"); !ok || ub.Usable != 3 || !ub.OnCore {
		t.Errorf("memory ub: got %+v, %v", ub, ok)
	}
	if u, ok := m.Unit("core"); !ok || u.Count != 8 {
		t.Errorf("unit core: got %+v, %v", u, ok)
	}
	if r, ok := m.Rate("dram", "ub"); !ok || r.BytesPerCycle != 17 {
		t.Errorf("rate dram to ub: got %+v, %v", r, ok)
	}
	if _, ok := m.Memory("l1"); ok {
		t.Error("a memory l1 is found, which the machine does not have")
	}
	if _, ok := m.Unit("cube"); ok {
		t.Error("a unit cube is found, which the machine does not have")
	}
	if _, ok := m.Rate("ub", "dram"); ok {
		t.Error("a rate from ub to dram is found, which the machine does not have")
	}
	if _, ok := m.Collective("send"); ok {
		t.Error("a collective send is found, which the machine does not have")
	}
}

func TestCollectiveTakes(t *testing.T) {
	m := sample()
	reduce, _ := m.Collective("all_reduce")
	all, _ := m.Collective("all_to_all")
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"all_reduce f16, 64 ranks", reduce.Takes(dtype.F16, 64), true},
		{"all_reduce f32", reduce.Takes(dtype.F32, 2), false},
		{"all_to_all, 4 ranks", all.Takes(dtype.F16, 4), true},
		{"all_to_all, 5 ranks", all.Takes(dtype.F16, 5), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v", c.what, c.got)
		}
	}
}
