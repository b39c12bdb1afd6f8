package soc

import (
	"slices"
	"strings"
	"testing"

	"moge/ir/dtype"
)

func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		"300i-duo": "Ascend310P3", "300I-Duo": "Ascend310P3", "300i-duo-96g": "Ascend310P3", "atlas-300i-duo": "Ascend310P3",
		"800i-a2": "Ascend910B4", "ascend910b1": "Ascend910B1", "Ascend910B2": "Ascend910B2", "ascend310p3": "Ascend310P3",
		"910b4": "Ascend910B4", "310P3": "Ascend310P3",
	} {
		if c, err := Find(name); err != nil || c.Name() != want {
			t.Errorf("%s: got %v, %v, want %s", name, c, err, want)
		}
	}
}

func TestFindErrors(t *testing.T) {
	const known = "? known are 300i-duo, 300i-duo-96g, 800i-a2, Ascend310P3, Ascend910B1, Ascend910B2, " +
		"Ascend910B3, Ascend910B4"
	for name, want := range map[string]string{
		"300i-dou":  `unknown chip or product "300i-dou": did you mean "300i-duo"`,
		"Ascend910": `unknown chip or product "Ascend910": did you mean "Ascend910B1"`,
		"":          `unknown chip or product "": did you mean "800i-a2"`,
	} {
		_, err := Find(name)
		if err == nil || err.Error() != want+known {
			t.Errorf("%q: got %v, want %s%s", name, err, want, known)
		}
		if _, targetErr := Target(name); targetErr == nil || targetErr.Error() != err.Error() {
			t.Errorf("%q: Target says %v", name, targetErr)
		}
	}
}

func TestProductNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Products() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if seen[name] || name != strings.ToLower(name) {
				t.Errorf("%s is there twice or not in lower case", name)
			}
			seen[name] = true
		}
		for _, f := range []Fact{p.CardChips, p.ServerChips, p.MemoryBytes} {
			if !knownSource(f.Source) || f.Value <= 0 {
				t.Errorf("%s: %+v", p.Name, f)
			}
		}
		p.chip() // panics if the product names no chip
	}
	for _, c := range Chips() {
		if seen[strings.ToLower(c.Name())] || seen[c.Text(SOCVersion).Value] {
			t.Errorf("%s is also a product", c.Name())
		}
	}
}

func TestTarget300iDuo(t *testing.T) {
	m, err := Target("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "300i-duo" || m.Chip != "Ascend310P3" || m.CardChips != 2 || m.ServerChips != 8 ||
		m.Streams != 1024 {
		t.Errorf("got %+v", m)
	}
	if want := []dtype.Type{dtype.F32, dtype.F16, dtype.I32}; !slices.Equal(m.Compute, want) {
		t.Errorf("computes in %v, want %v", m.Compute, want)
	}
	if m.Stores(dtype.BF16) || !m.Stores(dtype.I8) || !m.Stores(dtype.I64) {
		t.Errorf("stores %v", m.Store)
	}
	if !m.Saturates || m.Align.Row != 32 || m.Align.Rows != 16 {
		t.Errorf("saturates %v, align %+v", m.Saturates, m.Align)
	}
	if !m.Multiplies(dtype.I8, dtype.I8, dtype.I32) || m.Multiplies(dtype.BF16, dtype.BF16, dtype.F32) {
		t.Errorf("multiplies %v", m.Matmuls)
	}
	if d, _ := m.Memory("dram"); d.Bytes != 21_527_000_000 || d.OnCore {
		t.Errorf("dram: got %+v", d)
	}
	if ub, _ := m.Memory("ub"); ub.Usable != 248<<10 || !ub.OnCore {
		t.Errorf("ub: got %+v", ub)
	}
	if _, ok := m.Memory("bt"); ok {
		t.Error("there is no bias table")
	}
	if r, _ := m.Rate("dram", "l1"); r.BytesPerCycle != 17 || r.Hz != 1_060_000_000 {
		t.Errorf("rate: got %+v", r)
	}
	if u, _ := m.Unit("extra_vector"); u.Count != 7 {
		t.Errorf("extra vector cores: got %+v", u)
	}
	for _, op := range []string{"broadcast", "send", "recv"} {
		if _, ok := m.Collective(op); ok {
			t.Errorf("HCCL has no %s there", op)
		}
	}
	if c, _ := m.Collective("all_reduce"); c.Takes(dtype.BF16, 2) || !c.Takes(dtype.F16, 8) || c.SingleServer {
		t.Errorf("all_reduce: got %+v", c)
	}
	if c, _ := m.Collective("all_to_all"); !c.Takes(dtype.F16, 4) || c.Takes(dtype.F16, 8) {
		t.Errorf("all_to_all: got %+v", c)
	}
}

func TestTarget800iA2(t *testing.T) {
	m, err := Target("800i-a2")
	if err != nil {
		t.Fatal(err)
	}
	if m.ServerChips != 8 || m.Saturates || !m.Computes(dtype.BF16) || !m.Stores(dtype.BF16) {
		t.Errorf("got %+v", m)
	}
	if _, ok := m.Memory("bt"); !ok {
		t.Error("the bias table is missing")
	}
	if _, ok := m.Rate("l0c", "dram"); ok {
		t.Error("a rate is given that nobody knows")
	}
	if c, _ := m.Collective("all_to_all"); !c.Takes(dtype.BF16, 64) {
		t.Errorf("all_to_all: got %+v", c)
	}
	if _, ok := m.Collective("send"); !ok {
		t.Error("send is missing")
	}
}

func TestTargetOfAChip(t *testing.T) {
	m, err := Target("Ascend910B1")
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := m.Memory("dram"); m.ServerChips != 1 || d.Bytes != 64<<30 {
		t.Errorf("got %d chips with %d bytes", m.ServerChips, d.Bytes)
	}
}

func TestCollectives(t *testing.T) {
	p, b := chip(t, "300i-duo"), chip(t, "800i-a2")
	for _, op := range strings.Fields("AlltoAllVC Broadcast Send Recv Reduce Scatter BatchSendRecv") {
		if _, ok := p.Collective(op); ok {
			t.Errorf("300I Duo has %s", op)
		}
		if _, ok := b.Collective(op); !ok {
			t.Errorf("800I A2 lacks %s", op)
		}
	}
	for op, ranks := range map[string]int{"AllReduce": 0, "AllGather": 32, "ReduceScatter": 32,
		"AlltoAll": 4, "AlltoAllV": 4, "AllGatherV": 4, "ReduceScatterV": 4} {
		if c, ok := p.Collective(op); !ok || c.MaxRanks != ranks {
			t.Errorf("300I Duo %s: got %+v", op, c)
		}
	}
	for _, c := range Chips() {
		for _, x := range c.Collectives() {
			if !knownSource(x.Source) || x.Supported != (len(x.Types()) > 0) {
				t.Errorf("%s %s: wrong row", c.Name(), x.Op)
			}
			if slices.Contains(x.Types(), BFloat16) && !c.Has(HasBF16) {
				t.Errorf("%s %s takes bfloat16", c.Name(), x.Op)
			}
		}
	}
}

func TestElems(t *testing.T) {
	if got := len(Elems()); got != int(elemEnd)-1 {
		t.Errorf("%d types are listed", got)
	}
	for _, e := range Elems() {
		if d, ok := e.DType(); ok {
			if back, found := ElemOf(d); !found || back != e || d.Bits() != e.Bits() {
				t.Errorf("%s is %s is %s", e, d, back)
			}
		}
	}
	for _, d := range dtype.All() {
		if _, ok := ElemOf(d); !ok {
			t.Errorf("%s has no type in kernels", d)
		}
	}
	if _, ok := ElemOf(dtype.Invalid); ok {
		t.Error("the invalid type has one in kernels")
	}
	if got := Int4.Bytes(3); got != 2 {
		t.Errorf("3 int4 take %d bytes", got)
	}
}
