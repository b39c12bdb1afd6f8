package lower

import (
	"fmt"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
)

// Each fault is found by the verifier, without running anything.
func TestVerifierCatchesMutants(t *testing.T) {
	for _, b := range []*kernel.Builder{scaleRows(), addNorm(), int8Linear(32, 48, 64)} {
		p := lowered(t, b)
		if err := device.FirstBreach(p); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		mutants := device.Mutants(p)
		if len(mutants) < 20 {
			t.Errorf("%s has only %d mutants", p.Name, len(mutants))
		}
		for _, m := range mutants {
			if device.Verify(m.Program) == nil {
				t.Errorf("%s: not caught: %s", p.Name, m.What)
			}
			if device.FirstBreach(m.Program) == nil {
				t.Errorf("%s: no breach comes first: %s", p.Name, m.What)
			}
		}
	}
}

// The same faults are found by running the printed text, whatever the verifier says.
func TestEmulatorCatchesMutants(t *testing.T) {
	for _, c := range []struct {
		chip   string
		b      *kernel.Builder
		params map[string]int
		blocks int
	}{
		{"Ascend310P3", scaleRows(), map[string]int{"rows": 70}, 1},
		{"Ascend310P3", addNorm(), map[string]int{"rows": 7}, 2},
		{"Ascend310P3", int8Linear(32, 112, 64), nil, 1},
		{"Ascend310P3", quantizedLinear(16, 32, 128), map[string]int{"rows": 9}, 1},
		{"Ascend310P3", attend(16, 64, 96), map[string]int{"pages": 5}, 1},
		{"Ascend910B4", int8Linear(32, 112, 64), nil, 1},
		{"Ascend910B4", attend(16, 64, 96), map[string]int{"pages": 5}, 1},
	} {
		p := loweredFor(t, c.b, chipNamed(t, c.chip))
		mutants := device.Mutants(p)
		programs := []*device.Program{p}
		for i, m := range mutants {
			q := *m.Program
			q.Name = fmt.Sprintf("%s_%d", p.Name, i)
			programs = append(programs, &q)
		}
		r := compile(t, programs...)
		caught := 0
		for i, q := range programs {
			found := r.launch(q, &trial{blocks: c.blocks, params: c.params,
				data: map[string][]byte{}, seed: uint64(i)})
			switch {
			case i == 0 && len(found) > 0:
				t.Fatalf("%s: the kernel itself: %v", p.Name, found[0])
			case i > 0 && len(found) > 0:
				caught++
			case i > 0:
				t.Logf("%s: not caught by running: %s", p.Name, mutants[i-1].What)
			}
		}
		if 100*caught < 95*len(mutants) {
			t.Errorf("%s: running catches %d of %d mutants, below 95 %%", p.Name, caught, len(mutants))
		}
	}
}
