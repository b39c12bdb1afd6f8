package page

import (
	"fmt"
	"strings"

	"moge/cmd/internal/units"
	"moge/codegen/report"
)

// bar is a stacked bar of parts of a whole, drawn 1000 wide and stretched to its place.
type bar struct {
	ID, Title, Desc string
	Segments        []segment
	Legend          []legend
}

type segment struct {
	X, W  int
	Class string
}

// legend is an entry that says what a colour is.
type legend struct{ Class, Name, Value, Share string }

// amount is a part of a bar.
type amount struct {
	part  string
	value float64
	text  string
}

// barOf draws amounts; those without value are left out.
func barOf(id, title string, list []amount) *bar {
	b, whole := &bar{ID: id, Title: title}, 0.0
	for _, a := range list {
		whole += max(a.value, 0)
	}
	if whole <= 0 {
		return nil
	}
	var said []string
	sum := 0.0
	for _, a := range list {
		if a.value <= 0 {
			continue
		}
		lo := int(1000 * sum / whole)
		sum += a.value
		share := percent(a.value, whole)
		b.Segments = append(b.Segments, segment{lo, int(1000*sum/whole) - lo, classOf(a.part)})
		b.Legend = append(b.Legend, legend{classOf(a.part), a.part, a.text, share})
		said = append(said, fmt.Sprintf("%s %s, %s", a.part, a.text, share))
	}
	b.Desc = strings.Join(said, "; ")
	return b
}

// freeShown is how many times as large as what is used free memory may be: beyond that one would
// see nothing else.
const freeShown = 10

// memoryBar is what a rank's memory is for, with the cache of all sequences at their limit, or with
// what the chip has left.
func memoryBar(m *report.Memory) *bar {
	var list []amount
	add := func(part string, n int64) {
		list = append(list, amount{part, float64(n), units.Bytes(max(n, 0))})
	}
	for _, p := range m.Parts {
		add(p.Name, p.Bytes)
	}
	add(partArena, m.Arena)
	cache := m.Caches[len(m.Caches)-1].Bytes
	if m.Chip == nil || m.Free >= cache {
		add(partCache, cache)
	}
	title := "Memory of a rank: weights by part, arena, and the cache of all sequences at their limit"
	if used := m.Weights + m.Arena + cache; m.Chip != nil && m.Free-cache < freeShown*used {
		title = "Memory of a chip: weights by part, arena, cache of all sequences at their limit if it " +
			"fits, and what is free, without what is kept for driver and runtime"
		add(partFree, m.Free-cache)
	}
	return barOf("memory-bar", title, list)
}

// totalBars are the bytes and times of a step by part.
func totalBars(r *report.Report) (moved, took *bar) {
	var bytes, times []amount
	for _, t := range r.Totals {
		bytes = append(bytes, amount{t.Part, float64(t.Bytes), units.Bytes(t.Bytes)})
		if t.Seconds != nil {
			times = append(times, amount{t.Part, *t.Seconds, seconds(t.Seconds)})
		}
	}
	moved = barOf("bytes-bar", "Bytes that a rank moves in a step, by part", bytes)
	if r.Timing != nil && r.Timing.OfStep {
		took = barOf("time-bar", "Predicted time of a step, by part", times)
	}
	return moved, took
}
