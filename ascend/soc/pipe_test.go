package soc

import "testing"

func TestEventsAreBetweenPipesOfTheCore(t *testing.T) {
	// Enumerators of HardEvent without FIX, of HardEventAic and of HardEventAiv.
	counts := map[Core]int{CoreWhole: 26, CoreCube: 24, CoreVector: 13}
	for _, c := range Chips() {
		for _, core := range c.Cores() {
			list, seen := c.Events(core), map[string]bool{}
			if len(list) != counts[core] {
				t.Errorf("%s %s: %d pairs, want %d", c.Name(), core, len(list), counts[core])
			}
			for _, e := range list {
				if seen[e.String()] {
					t.Errorf("%s has two rows", e)
				}
				seen[e.String()] = true
				if !containsOf(c.Pipes(core), e.From) || !containsOf(c.Pipes(core), e.To) {
					t.Errorf("%s %s: %s is between pipes that the core lacks", c.Name(), core, e)
				}
			}
		}
	}
}

func TestCanSignal(t *testing.T) {
	p, b := chip(t, "Ascend310P3"), chip(t, "Ascend910B4")
	for _, x := range []struct {
		what      string
		got, want bool
	}{
		{"310P M_V", p.CanSignal(CoreWhole, PipeM, PipeV), true},
		{"310P MTE3_MTE1", p.CanSignal(CoreWhole, PipeMTE3, PipeMTE1), true},
		{"310P M_FIX", p.CanSignal(CoreWhole, PipeM, PipeFIX), false},
		{"310P as AIC", p.CanSignal(CoreCube, PipeMTE2, PipeMTE1), false},
		{"910B AIC M_FIX", b.CanSignal(CoreCube, PipeM, PipeFIX), true},
		{"910B AIC MTE2_V", b.CanSignal(CoreCube, PipeMTE2, PipeV), false},
		{"910B AIV MTE2_V", b.CanSignal(CoreVector, PipeMTE2, PipeV), true},
		{"910B AIV M_V", b.CanSignal(CoreVector, PipeM, PipeV), false},
		{"910B as a whole", b.CanSignal(CoreWhole, PipeMTE2, PipeV), false},
		{"310P barrier of V", p.Barrier(CoreWhole, PipeV), true},
		{"310P barrier of S", p.Barrier(CoreWhole, PipeS), false},
		{"310P barrier of FIX", p.Barrier(CoreWhole, PipeFIX), false},
		{"910B AIV barrier of M", b.Barrier(CoreVector, PipeM), false},
	} {
		if x.got != x.want {
			t.Errorf("%s: got %v", x.what, x.got)
		}
	}
}

func TestPathsUseTheirCoresPipes(t *testing.T) {
	for _, c := range Chips() {
		seen := map[[2]Space]bool{}
		for _, p := range c.Paths() {
			if seen[[2]Space{p.From, p.To}] {
				t.Errorf("%s: %s to %s has two rows", c.Name(), p.From, p.To)
			}
			seen[[2]Space{p.From, p.To}] = true
			if !containsOf(c.Pipes(p.Core), p.Pipe) || !knownSource(p.Source) {
				t.Errorf("%s: %s to %s is on a pipe that its core lacks, or without a source", c.Name(), p.From, p.To)
			}
			for _, s := range []Space{p.From, p.To} {
				if c.Memory(s).Bytes.Value == 0 {
					t.Errorf("%s: a path touches %s, which the chip lacks", c.Name(), s)
				}
			}
			if p.Rate != 0 && p.Rate.Unit() != "B/cycle" {
				t.Errorf("%s: %s to %s: %s is no rate", c.Name(), p.From, p.To, p.Rate)
			}
		}
	}
}

func TestPath(t *testing.T) {
	p, b := chip(t, "Ascend310P3"), chip(t, "Ascend910B4")
	for _, x := range []struct {
		c        *Chip
		from, to Space
		want     string // pipe; empty if there is no way
	}{
		{p, L0C, UB, "V"}, {p, UB, L1, "MTE3"}, {p, GM, L1, "MTE2"}, {p, L0C, GM, ""}, {p, L1, BT, ""},
		{b, L0C, GM, "FIX"}, {b, L0C, UB, ""}, {b, UB, L1, ""}, {b, L1, BT, "MTE1"},
	} {
		path, ok := x.c.Path(x.from, x.to)
		if ok != (x.want != "") || ok && path.Pipe.String() != x.want {
			t.Errorf("%s %s to %s: got %v, %v", x.c.Name(), x.from, x.to, path.Pipe, ok)
		}
	}
}
