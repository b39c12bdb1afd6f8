package kernels

import (
	"fmt"

	"moge/runtime/cpu"
)

// active is the level in use. It is written at start and by Use only.
var active = initial()

// initial is what the machine or MOGE_CPU says. If MOGE_CPU is wrong the program reports the
// error of cpu.Level; until then the portable code is right everywhere.
func initial() cpu.ISA {
	isa, err := cpu.Level()
	if err != nil {
		return cpu.Generic
	}
	return isa
}

// Active is the instruction set level in use.
func Active() cpu.ISA { return active }

// Use selects the instruction set level of all kernels, so that a test can run under each of
// cpu.Available. It must not be called while kernels run.
func Use(isa cpu.ISA) error {
	if isa > cpu.Best() {
		return fmt.Errorf("kernels for %s: this machine or build has %s at most", isa, cpu.Best())
	}
	active = isa
	return nil
}

// need panics unless the slice called name has at least want elements.
func need(kernel, name string, have, want int) {
	if have < want {
		panic(fmt.Sprintf("BUG: %s: %s has %d elements, needs %d", kernel, name, have, want))
	}
}
