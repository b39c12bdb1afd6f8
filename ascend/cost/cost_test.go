package cost

import (
	"math"
	"testing"

	"moge/ascend/cards"
	"moge/ascend/soc"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/passes"
	"moge/tests/fixture"
)

// near allows for rounding of a sum.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

func TestRatesByHand(t *testing.T) {
	duo, a2 := machine(t, "300i-duo"), machine(t, "800i-a2-64g")
	for _, c := range []struct {
		what      string
		got, want float64
	}{{"int8 of 310P3", duo.Int8, 140e12 / 2}, {"half of 310P3", duo.Half, 140e12 / 4},
		{"vector of 310P3", duo.Vector, 8 * 64 * 140e12 / 2 / 8192 / 8},
		{"L2 of 310P3", duo.L2, 8 * 114 * 140e12 / 2 / 8192 / 8}, {"int8 of 910B4", a2.Int8, 560e12 / 2},
		{"vector of 910B4", a2.Vector, 40 * 64 * 560e12 / 2 / 8192 / 20},
		{"L2 of 910B4", a2.L2, 20 * 86 * 560e12 / 2 / 8192 / 20}} {
		if !near(c.got, c.want) {
			t.Errorf("%s: %g, want %g", c.what, c.got, c.want)
		}
	}
	if duo.Mesh || duo.Split || !a2.Mesh || !a2.Split || duo.MaxRanks != 32 || duo.Chips != 8 ||
		a2.CardChips != 1 {
		t.Errorf("%+v\n%+v", duo, a2)
	}
}

// TestRatesOfTablesAreThoseOfTheTables: what is said of package soc holds.
func TestRatesOfTablesAreThoseOfTheTables(t *testing.T) {
	for _, name := range []string{"300i-duo", "800i-a2"} {
		if m := machine(t, name); m.DRAM != float64(m.Chip.At(soc.DRAMRate)) {
			t.Errorf("%s: %g, want %d", name, m.DRAM, m.Chip.At(soc.DRAMRate))
		}
	}
}

func TestOpsByHand(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, want int64
	}{{"weights of a product", product("", 80, 1792, 5120, dtype.I8, true).Weights, 1792*5120 + 6*1792},
		{"weights in halves", product("", 80, 64, 5120, dtype.F16, false).Weights, 2 * 64 * 5120},
		{"activations of a product", product("", 80, 1792, 5120, dtype.I8, false).Acts, 80*5120 + 2*80*1792},
		{"multiplications of 3 rows", product("", 3, 64, 128, dtype.I8, false).MACs, 16 * 64 * 128},
		{"of 33 rows", product("", 33, 64, 128, dtype.I8, false).MACs, 48 * 64 * 128},
		{"weights of 4 experts of 16", grouped("", 4, 4, 64, 128, dtype.I8).Weights, 4 * (64*128 + 4*64)},
		{"each expert at least a fractal", grouped("", 4, 4, 64, 128, dtype.I8).MACs, 64 * 64 * 128},
		{"200 rows of 4 experts", grouped("", 200, 4, 64, 128, dtype.I8).MACs, 230 * 64 * 128},
		{"a token looks at all", attended{fresh: 1, context: 2048}.scores(), 2048},
		{"a prompt of 4", attended{fresh: 4, context: 4}.scores(), 1 + 2 + 3 + 4},
		{"2 after 3", attended{fresh: 2, context: 5}.scores(), 4 + 5},
		{"cache of a decode", attention("", attended{40, 1, 2048, 10, 2, 128, dtype.F16}).Cache, 40 * 2048 * 2 * 2 * 128 * 2},
		{"5 heads are rows of 16", attention("", attended{1, 1, 100, 10, 2, 128, dtype.F16}).MACs, 2 * 2 * 16 * 100 * 128},
		{"sent in a gather", collective(AllGather, "", placement.Group{Size: 4, Stride: 1}, 40, 5120, 2).Sent, 30 * 10240},
		{"sent in a sum", collective(AllReduce, "", placement.Group{Size: 4, Stride: 1}, 40, 5120, 2).Sent, 60 * 10240}} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

// TestTimesByHand uses a machine of round numbers.
func TestTimesByHand(t *testing.T) {
	m := &Machine{DRAM: 1000, WeightShare: 0.5, CacheShare: 0.25, L2: 100, L2Bytes: 1000, Int8: 1000,
		Half: 500, CubeShare: 0.5, Vector: 10, Link: 10, CardChips: 2, Launch: 1}
	for _, c := range []struct {
		what    string
		op      Op
		style   Style
		seconds float64
		bound   Pipe
	}{{"weights", Op{Weights: 1000, Kernels: 1}, Compiled, 3, DRAM},
		{"cache", Op{Cache: 1000, Kernels: 1}, Compiled, 5, DRAM},
		{"activations in L2", Op{Acts: 1000, Kernels: 1}, Compiled, 11, L2},
		{"activations beyond L2", Op{Acts: 2000, Kernels: 1}, Compiled, 3, DRAM},
		{"int8", Op{MACs: 1000, DType: dtype.I8, Kernels: 1}, Compiled, 3, Cube},
		{"halves", Op{MACs: 1000, DType: dtype.F16, Kernels: 1}, Compiled, 5, Cube},
		{"the slowest pipe", Op{Vector: 30, MACs: 1000, DType: dtype.I8, Kernels: 1}, Compiled, 4, Vector},
		{"launches", Op{Vector: 10, Calls: 8, Kernels: 1}, Operators, 9, Launch},
		{"inside another kernel", Op{Acts: 1000, Vector: 10, Calls: 1}, Compiled, 1, Vector},
		{"the same alone", Op{Acts: 1000, Vector: 10, Calls: 1}, Operators, 11, L2},
		{"a ring inside cards", Op{Sent: 30, Group: placement.Group{Size: 4, Stride: 1}, Kernels: 1}, Compiled, 4, Link},
		{"a ring between cards", Op{Sent: 30, Group: placement.Group{Size: 4, Stride: 2}, Kernels: 1}, Compiled, 7, Link}} {
		c.op.Repeat = 3
		e := m.Estimate([]Op{c.op}, c.style)
		if l := e.Lines[0]; !near(l.Seconds, c.seconds) || l.Bound != c.bound ||
			!near(e.Seconds, 3*c.seconds) {
			t.Errorf("%s: %g s bound by %v, want %g by %v", c.what, l.Seconds, l.Bound, c.seconds, c.bound)
		}
	}
	mesh := *m
	mesh.Mesh = true
	e := mesh.Estimate([]Op{{Repeat: 1, Sent: 30, Group: placement.Group{Size: 4, Stride: 2}}}, Compiled)
	if !near(e.Seconds, 1) { // 10 to each of 3 at the same time
		t.Errorf("a mesh: %g s", e.Seconds)
	}
}

// TestTrafficIsThatOfTheFormulas: paper §4.2.1 and the arithmetic on it. Of the width of the model, a rank
// sends 4.75 times the batch in each layer with all-reduces, 2.5 times after the passes, and 1.229 MB a
// sequence in a step of 48 layers.
func TestTrafficIsThatOfTheFormulas(t *testing.T) {
	const batch = 80
	m, p := PanguProMoE(), placement.H2P(8)
	for _, c := range []struct {
		schedule Schedule
		perLayer int64 // sent, in halves of rows of the model, times 4
		count    int64
	}{{Reduced, 19, 4}, {Scattered, 10, 4}} {
		var sent, count int64
		for _, o := range m.Ops(nil, p, Decode(batch, 2048), c.schedule) {
			if o.Kind.Collective() && o.Repeat == m.Layers {
				sent, count = sent+o.Sent, count+1
			}
		}
		if want := c.perLayer * batch * m.Hidden * 2 / 4; sent != want || count != c.count {
			t.Errorf("schedule %d: %d collectives send %d, want %d and %d", c.schedule, count, sent, c.count,
				want)
		}
	}
	if perStep := 10 * batch * m.Hidden * 2 / 4 * m.Layers; perStep != 1_228_800*batch {
		t.Errorf("%d bytes a step", perStep)
	}
}

// TestFasterIsNeverSlower changes one rate at a time.
func TestFasterIsNeverSlower(t *testing.T) {
	for _, name := range MachineNames() {
		base := machine(t, name)
		for _, s := range []Step{Decode(1, 2048), Decode(64, 4096), Prefill(2, 2048)} {
			ops := PanguProMoE().Ops(nil, placement.H2P(8), s, Scattered)
			for what, change := range map[string]func(m *Machine){
				"dram": func(m *Machine) { m.DRAM *= 2 }, "weights": func(m *Machine) { m.WeightShare *= 1.2 },
				"cache": func(m *Machine) { m.CacheShare *= 1.2 }, "l2": func(m *Machine) { m.L2 *= 2 },
				"int8": func(m *Machine) { m.Int8 *= 2 }, "half": func(m *Machine) { m.Half *= 2 },
				"vector": func(m *Machine) { m.Vector *= 2 }, "link": func(m *Machine) { m.Link *= 2 },
				"launch": func(m *Machine) { m.Launch /= 2 },
			} {
				m := *base
				change(&m)
				for _, style := range []Style{Compiled, Operators} {
					if before, after := base.Seconds(ops, style), m.Seconds(ops, style); after > before {
						t.Errorf("%s, %v: a better %s takes %g s, not %g", name, s, what, after, before)
					}
				}
			}
		}
	}
}

func TestMoreWorkIsNeverFaster(t *testing.T) {
	m, model, p := machine(t, "300i-duo"), PanguProMoE(), Plan{placement.H2P(8), Scattered, Compiled}
	last := 0.0
	for batch := int64(1); batch <= 512; batch++ {
		if now := m.Seconds(p.Ops(nil, model, Decode(batch, 2048)), p.Style); now < last {
			t.Fatalf("batch %d takes %g s, one less %g", batch, now, last)
		} else {
			last = now
		}
	}
}

func TestSumsAreEqual(t *testing.T) {
	m := machine(t, "800i-a2")
	ops := PanguProMoE().Ops(nil, placement.H2P(8), Decode(100, 2048), Scattered)
	e := m.Estimate(ops, Operators)
	var lines, parts float64
	for i := range e.Lines {
		lines += e.Lines[i].Total()
	}
	for _, share := range e.Parts() {
		parts += share
	}
	if !near(lines, e.Seconds) || !near(m.Seconds(ops, Operators), e.Seconds) || !near(parts, 1) {
		t.Errorf("lines %g, step %g, of ops %g; shares %g", lines, e.Seconds, m.Seconds(ops, Operators),
			parts)
	}
	if c := e.Communication(); !(0 < c && c < 1) {
		t.Errorf("communication takes %g", c)
	}
}

// TestPlacementsAreThoseOfTheCompiler holds the rules together; the compiler asks for equal widths where it
// finds dynamic scales, which all models here have.
func TestPlacementsAreThoseOfTheCompiler(t *testing.T) {
	for _, name := range []string{"300i-duo", "800i-a2"} {
		want, err := cards.Rules(name, 0.25)
		want.EqualWidths = true
		if got := machine(t, name).Rules(0.25); err != nil || got != want {
			t.Errorf("%s: %+v, want %+v, %v", name, got, want, err)
		}
	}
}

func TestUnknownMachine(t *testing.T) {
	_, err := Find("800i-a3")
	want := `unknown target "800i-a3": did you mean 800i-a2? ` +
		"known are 300i-duo, 300i-duo-96g, 800i-a2, 800i-a2-64g"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestUnknownOp(t *testing.T) {
	g := fixture.ForCard(t, fixture.Graph(t, tinyConfig),
		passes.Options{Scheme: fixture.Scheme(t, "w8a16")})
	_, err := ModelOf(g)
	want := "layers.0.self_attn.q+k+v: no cost of w8linear: only steps of models in w8a8 or halves are predicted"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
