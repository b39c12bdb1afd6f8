package soc

import "slices"

// Event is an ordered pair of pipes between which flags exist, HardEvent in kernels.
type Event struct {
	From, To Pipe
	cores    coreSet
}

type coreSet uint8

const (
	onWhole  coreSet = 1 << CoreWhole
	onCube   coreSet = 1 << CoreCube
	onVector coreSet = 1 << CoreVector
)

// EventSource is where the pairs are from.
const EventSource = Impl

// events is the enumeration HardEvent and, for split cores, HardEventAic and HardEventAiv.
var events = []Event{
	{PipeMTE2, PipeMTE1, onWhole | onCube},
	{PipeMTE1, PipeMTE2, onWhole | onCube},
	{PipeMTE1, PipeM, onWhole | onCube},
	{PipeM, PipeMTE1, onWhole | onCube},
	{PipeMTE2, PipeV, onWhole | onVector},
	{PipeV, PipeMTE2, onWhole | onVector},
	{PipeMTE3, PipeV, onWhole | onVector},
	{PipeV, PipeMTE3, onWhole | onVector},
	{PipeM, PipeV, onWhole},
	{PipeV, PipeM, onWhole},
	{PipeV, PipeV, onWhole | onVector},
	{PipeMTE3, PipeMTE1, onWhole | onCube},
	{PipeMTE1, PipeMTE3, onWhole | onCube},
	{PipeMTE1, PipeV, onWhole},
	{PipeMTE2, PipeM, onWhole | onCube},
	{PipeM, PipeMTE2, onWhole | onCube},
	{PipeV, PipeMTE1, onWhole},
	{PipeM, PipeFIX, onCube},
	{PipeFIX, PipeM, onCube},
	{PipeMTE3, PipeMTE2, onWhole | onCube | onVector},
	{PipeMTE2, PipeMTE3, onWhole | onCube | onVector},
	{PipeS, PipeV, onWhole | onVector},
	{PipeV, PipeS, onWhole | onVector},
	{PipeS, PipeMTE2, onWhole | onCube | onVector},
	{PipeMTE2, PipeS, onWhole | onCube | onVector},
	{PipeS, PipeMTE3, onWhole | onCube | onVector},
	{PipeMTE3, PipeS, onWhole | onCube | onVector},
	{PipeMTE2, PipeFIX, onCube},
	{PipeFIX, PipeMTE2, onCube},
	{PipeFIX, PipeS, onCube},
	{PipeM, PipeS, onWhole | onCube},
	{PipeFIX, PipeMTE3, onCube},
	{PipeMTE1, PipeFIX, onCube},
	{PipeFIX, PipeMTE1, onCube},
	{PipeFIX, PipeFIX, onCube},
}

// String is the enumerator of HardEvent, such as "MTE2_V".
func (e Event) String() string { return e.From.String() + "_" + e.To.String() }

// Events lists the pairs between which a kind of core has flags; none if the chip has no
// such core.
func (c *Chip) Events(core Core) []Event {
	if !slices.Contains(c.Cores(), core) {
		return nil
	}
	var list []Event
	for _, e := range events {
		if e.cores>>core&1 == 1 {
			list = append(list, e)
		}
	}
	return list
}

// CanSignal reports whether a kind of core has flags from one pipe to another.
func (c *Chip) CanSignal(core Core, from, to Pipe) bool {
	return slices.ContainsFunc(c.Events(core), func(e Event) bool { return e.From == from && e.To == to })
}
