package device

import "moge/ascend/soc"

// Pipe is a queue of a core, or the scalar unit.
type Pipe = soc.Pipe

// The pipes. All stands for every pipe, in barriers.
const (
	All  Pipe = 0
	S         = soc.PipeS
	V         = soc.PipeV
	M         = soc.PipeM
	MTE1      = soc.PipeMTE1
	MTE2      = soc.PipeMTE2
	MTE3      = soc.PipeMTE3
	FIX       = soc.PipeFIX
)

// Pipes is one more than the greatest pipe.
const Pipes = int(FIX) + 1
