package report

import (
	"fmt"

	"moge/formats/bundle/bundlepb"
)

// timingOf is the caller's, or else the gate's predictions; nil if there are none.
func timingOf(m *bundlepb.Manifest, o Options) *Timing {
	if o.Timing != nil || o.Chip == nil || o.Chip.ClockHz <= 0 || len(m.Gate.GetRows()) == 0 {
		return o.Timing
	}
	cycles := cyclesOf(m)
	return &Timing{
		What: fmt.Sprintf("cycles that the gate predicted for the last case of each kernel on an emulated %s; "+
			"a case has its own shape, so these are not the times of this step", o.Chip.Name),
		Of: func(op *Op) (float64, string, bool) {
			n, ok := cycles[op.Kernel]
			return float64(n) / float64(o.Chip.ClockHz), "", ok
		},
	}
}

func cyclesOf(m *bundlepb.Manifest) map[string]int64 {
	cycles := map[string]int64{}
	for _, row := range m.Gate.GetRows() {
		if row.Cycles > 0 {
			cycles[row.Kernel] = row.Cycles
		}
	}
	return cycles
}

func kernelsOf(m *bundlepb.Manifest, p *bundlepb.Program, chip *Chip) (*Gate, []Kernel) {
	list := []Kernel{}
	if len(m.Kernels) == 0 {
		return nil, list
	}
	launches, rows := map[string]int64{}, map[string]*bundlepb.GateRow{}
	for _, s := range p.Steps {
		launches[s.Variant]++
	}
	for _, row := range m.Gate.GetRows() {
		rows[row.Kernel] = row
	}
	for _, k := range m.Kernels {
		row := rows[k.Name]
		kernel := Kernel{Name: k.Name, Source: k.Source, Blocks: int64(k.Blocks), Launches: launches[k.Name],
			Cases: row.GetCases(), Error: row.GetError(), Cycles: row.GetCycles()}
		if chip != nil && chip.ClockHz > 0 && kernel.Cycles > 0 {
			seconds := float64(kernel.Cycles) / float64(chip.ClockHz)
			kernel.Seconds = &seconds
		}
		list = append(list, kernel)
	}
	return &Gate{m.Gate.GetPassed(), m.Gate.GetSeed()}, list
}
