package cost

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
)

// event is one line of the trace format of chrome://tracing and Perfetto; times are in microseconds.
type event struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	Start float64        `json:"ts"`
	Dur   float64        `json:"dur,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// stepThread is the track of whole ops; those of the pipes follow in their order.
const stepThread = 0

// WriteTrace writes a step, op by op and layer by layer, and what each pipe does of it, for
// chrome://tracing or Perfetto.
func (e *Estimate) WriteTrace(w io.Writer) error {
	events := []event{named("step", stepThread)}
	for p := DRAM; p < Launch; p++ {
		events = append(events, named(p.String(), int(p)+1))
	}
	now := 0.0
	for _, o := range e.unrolled() {
		events = o.line.events(events, o.site, now*1e6)
		now += o.line.Seconds
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}

func named(name string, thread int) event {
	return event{Name: "thread_name", Phase: "M", TID: thread, Args: map[string]any{"name": name}}
}

func (l *Line) events(list []event, site string, start float64) []event {
	name := string(l.Kind) + " " + site
	list = append(list, event{Name: name, Phase: "X", TID: stepThread, Start: start, Dur: l.Seconds * 1e6,
		Args: map[string]any{"bound": l.Bound.String(), "rows": l.Rows, "n": l.N, "k": l.K, "macs": l.MACs,
			"weight_bytes": l.Weights, "cache_bytes": l.Cache, "sent_bytes": l.Sent}})
	for p := DRAM; p < Launch; p++ {
		if l.Pipes[p] > 0 {
			list = append(list, event{Name: name, Phase: "X", TID: int(p) + 1,
				Start: start + l.Pipes[Launch]*1e6, Dur: l.Pipes[p] * 1e6})
		}
	}
	return list
}

// occurrence is one op of one layer.
type occurrence struct {
	line *Line
	site string
}

const anyLayer = "layers.N"

// unrolled is the step in order: what comes before the layers, each of them, what comes after.
func (e *Estimate) unrolled() []occurrence {
	var list []occurrence
	layers, seen := int64(0), false
	for i := range e.Lines {
		if l := &e.Lines[i]; strings.HasPrefix(l.Site, anyLayer) {
			layers = max(layers, l.From+l.Repeat)
		}
	}
	var after []occurrence
	for i := range e.Lines {
		l := &e.Lines[i]
		switch {
		case strings.HasPrefix(l.Site, anyLayer):
			seen = true
		case seen:
			after = append(after, occurrence{l, l.Site})
		default:
			list = append(list, occurrence{l, l.Site})
		}
	}
	for n := range layers {
		list = append(list, e.layer(n)...)
	}
	return append(list, after...)
}

func (e *Estimate) layer(n int64) []occurrence {
	var list []occurrence
	for i := range e.Lines {
		l := &e.Lines[i]
		if strings.HasPrefix(l.Site, anyLayer) && l.From <= n && n < l.From+l.Repeat {
			list = append(list, occurrence{l, site(l.Site, n)})
		}
	}
	return list
}

// site is that of a layer.
func site(pattern string, n int64) string {
	return "layers." + strconv.FormatInt(n, 10) + strings.TrimPrefix(pattern, anyLayer)
}
