package emu

import (
	"moge/ascend/soc"
)

// Timeline is a prediction from published rates: bank conflicts and instruction fetches are left
// out.
type Timeline struct {
	ClockHz   float64
	GMBytes   float64 // moved between global memory and the cores, L2 hits included
	HitBytes  float64 // of these, found in the L2, which is cold when the kernel starts
	Scenarios [2]Scenario
	Events    []TraceEvent // of the first scenario, when asked for
}

// Scenario is the timeline under one assumption about device memory.
type Scenario struct {
	Name   string
	Cycles float64 // until the last block ends
	Cores  []CoreTime
}

// CoreTime is one block's time: busy cycles of each pipe.
type CoreTime struct {
	Cube, Vector bool
	Cycles       float64
	Busy         [len(pipes)]float64 // by pipe, in the order of PipeNames
}

// TraceEvent is one instruction on one pipe.
type TraceEvent struct {
	Name       string
	Line       int
	Pipe       string
	Block      int
	Start, End float64 // cycles
}

// PipeNames are the pipes in the order of CoreTime.Busy.
func PipeNames() []string { return pipes[:] }

var scenarioNames = [2]string{
	"each core draws what the platform file says", "the cores share the rate of the chip's memory",
}

func decodeTimeline(r *reader, lib *Library) *Timeline {
	t := &Timeline{ClockHz: known(lib.chip, soc.CubeClock, 1e9), GMBytes: r.f64(), HitBytes: r.f64()}
	for s := range t.Scenarios {
		t.Scenarios[s] = Scenario{Name: scenarioNames[s], Cycles: r.f64()}
	}
	for range r.count(1) {
		kind := r.u8()
		for s := range t.Scenarios {
			c := CoreTime{Cube: kind&2 != 0, Vector: kind&1 != 0, Cycles: r.f64()}
			for p := range c.Busy {
				c.Busy[p] = r.f64()
			}
			t.Scenarios[s].Cores = append(t.Scenarios[s].Cores, c)
		}
	}
	for range r.count(29) {
		e := TraceEvent{Name: r.text(), Line: r.i32(), Pipe: pipeName(r.u8()), Block: r.i32()}
		e.Start, e.End = r.f64(), r.f64()
		t.Events = append(t.Events, e)
	}
	return t
}

// Busy is the mean share of the time that a pipe works, over the blocks that have it.
func (s Scenario) Busy(pipe string) float64 {
	total, n := 0.0, 0
	for i, name := range pipes {
		for _, c := range s.Cores {
			if name == pipe && s.Cycles > 0 && c.has(name) {
				total += c.Busy[i] / s.Cycles
				n++
			}
		}
	}
	return total / float64(max(n, 1))
}

func (c CoreTime) has(pipe string) bool {
	switch pipe {
	case "V":
		return c.Vector
	case "M", "MTE1", "FIX":
		return c.Cube
	}
	return true
}

// Bound is the pipe that works longest on the slowest block.
func (s Scenario) Bound() string {
	slowest, bound := -1.0, ""
	for _, c := range s.Cores {
		if c.Cycles <= slowest {
			continue
		}
		slowest, bound = c.Cycles, "S"
		best := 0.0
		for p, busy := range c.Busy {
			if busy > best {
				best, bound = busy, pipes[p]
			}
		}
	}
	return bound
}
