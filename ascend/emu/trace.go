package emu

import (
	"encoding/json"
	"fmt"
	"io"
)

// Trace collects the instructions of timelines in the form of Chrome's trace viewer and Perfetto: a
// process is a core in one launch, a thread a pipe. Launches follow one another.
type Trace struct {
	events    []any
	start     float64 // of the next launch, in microseconds
	processes int
}

type traceEvent struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	Start float64        `json:"ts"`
	Dur   float64        `json:"dur"`
	Block int            `json:"pid"`
	Pipe  string         `json:"tid"`
	Args  map[string]int `json:"args"`
}

type traceName struct {
	Name  string            `json:"name"`
	Phase string            `json:"ph"`
	Block int               `json:"pid"`
	Args  map[string]string `json:"args"`
}

// Add appends a launch of a kernel. The timeline must have been asked for with Events.
func (t *Trace) Add(kernel string, line *Timeline) {
	micro := 1e6 / line.ClockHz
	end, blocks := t.start, 0
	for _, e := range line.Events {
		blocks = max(blocks, e.Block+1)
		end = max(end, t.start+e.End*micro)
		t.events = append(t.events, traceEvent{e.Name, "X", t.start + e.Start*micro,
			(e.End - e.Start) * micro, t.processes + e.Block, e.Pipe, map[string]int{"line": e.Line}})
	}
	for b := range blocks {
		t.events = append(t.events, traceName{"process_name", "M", t.processes + b,
			map[string]string{"name": fmt.Sprintf("%s, core %d", kernel, b)}})
	}
	t.start, t.processes = end, t.processes+blocks
}

// Write writes the trace as JSON.
func (t *Trace) Write(w io.Writer) error {
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": t.events, "displayTimeUnit": "ns"})
}
