package soc

import "fmt"

// Pipe is a queue of instructions that runs beside the others, in order in itself.
type Pipe uint8

// The pipes.
const (
	PipeS    Pipe = iota + 1 // scalar unit, which issues to the others
	PipeV                    // vector unit; on a coupled core L0C to UB as well
	PipeM                    // matrix unit
	PipeMTE1                 // L1 to L0A, L0B, BT
	PipeMTE2                 // device memory to L1 or UB
	PipeMTE3                 // UB to device memory or L1
	PipeFIX                  // L0C to device memory or L1
	pipeEnd
)

var pipeNames = [pipeEnd]string{PipeS: "S", PipeV: "V", PipeM: "M", PipeMTE1: "MTE1",
	PipeMTE2: "MTE2", PipeMTE3: "MTE3", PipeFIX: "FIX"}

// String is the name within HardEvent, such as "MTE2".
func (p Pipe) String() string {
	if p == 0 || p >= pipeEnd {
		return fmt.Sprintf("pipe(%d)", uint8(p))
	}
	return pipeNames[p]
}

// CppName is the name in kernels, such as "PIPE_MTE2".
func (p Pipe) CppName() string { return "PIPE_" + p.String() }

// Core is a kind of core that runs a program of its own.
type Core uint8

// The kinds of core.
const (
	CoreWhole  Core = iota + 1 // coupled: all pipes under one scalar unit
	CoreCube                   // AIC
	CoreVector                 // AIV
	coreEnd
)

// String is "AICore", "AIC" or "AIV".
func (c Core) String() string {
	if c == 0 || c >= coreEnd {
		return fmt.Sprintf("core(%d)", uint8(c))
	}
	return [coreEnd]string{CoreWhole: "AICore", CoreCube: "AIC", CoreVector: "AIV"}[c]
}

// Cores lists the kinds of core a chip has: one coupled, or two split.
func (c *Chip) Cores() []Core {
	return pick(c.family, []Core{CoreWhole}, []Core{CoreCube, CoreVector})
}

// Pipes lists the pipes of a kind of core; none if the chip has no such core.
func (c *Chip) Pipes(core Core) []Pipe {
	switch {
	case core == CoreWhole && !c.Split():
		return []Pipe{PipeS, PipeV, PipeM, PipeMTE1, PipeMTE2, PipeMTE3}
	case core == CoreCube && c.Split():
		return []Pipe{PipeS, PipeM, PipeMTE1, PipeMTE2, PipeMTE3, PipeFIX}
	case core == CoreVector && c.Split():
		return []Pipe{PipeS, PipeV, PipeMTE2, PipeMTE3}
	}
	return nil
}

// Barrier reports whether PipeBarrier of the pipe is allowed on the core.
func (c *Chip) Barrier(core Core, p Pipe) bool { return p != PipeS && containsOf(c.Pipes(core), p) }

// Path is a way for data between two memories: the pipe that moves it and the row of its
// rate.
type Path struct {
	From, To Space
	Pipe     Pipe
	Core     Core
	Rate     Param // 0 where no rate is listed
	Source   Source
}

// Paths lists the ways that a kernel may use.
func (c *Chip) Paths() []Path { return pick(c.family, paths310P(), paths910B()) }

// Path finds the way between two memories.
func (c *Chip) Path(from, to Space) (Path, bool) {
	for _, p := range c.Paths() {
		if p.From == from && p.To == to {
			return p, true
		}
	}
	return Path{}, false
}

func paths310P() []Path {
	return []Path{
		{GM, UB, PipeMTE2, CoreWhole, DDRRate, Docs},
		{GM, L1, PipeMTE2, CoreWhole, DDRRate, Docs},
		{L1, L0A, PipeMTE1, CoreWhole, L1L0ARate, Docs},
		{L1, L0B, PipeMTE1, CoreWhole, L1L0BRate, Docs},
		{L0C, UB, PipeV, CoreWhole, L0CUBRate, Docs2002},
		{UB, L0C, PipeV, CoreWhole, 0, Docs},
		{UB, UB, PipeV, CoreWhole, 0, Docs},
		{UB, L1, PipeMTE3, CoreWhole, UBL1Rate, Shipped},
		{UB, GM, PipeMTE3, CoreWhole, UBGMRate, Docs},
	}
}

func paths910B() []Path {
	return []Path{
		{GM, UB, PipeMTE2, CoreVector, DDRRate, Docs},
		{GM, L1, PipeMTE2, CoreCube, DDRRate, Docs},
		{L1, L0A, PipeMTE1, CoreCube, L1L0ARate, Docs},
		{L1, L0B, PipeMTE1, CoreCube, L1L0BRate, Docs},
		{L1, BT, PipeMTE1, CoreCube, 0, Docs},
		{L1, FB, PipeFIX, CoreCube, 0, Docs},
		{L1, GM, PipeMTE3, CoreCube, 0, Docs},
		{L0C, GM, PipeFIX, CoreCube, L0CGMRate, Docs},
		{L0C, L1, PipeFIX, CoreCube, 0, Docs},
		{UB, UB, PipeV, CoreVector, 0, Docs},
		{UB, GM, PipeMTE3, CoreVector, UBGMRate, Docs},
	}
}

func containsOf[T comparable](list []T, want T) bool {
	for _, x := range list {
		if x == want {
			return true
		}
	}
	return false
}
