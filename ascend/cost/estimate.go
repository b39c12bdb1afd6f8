package cost

import "moge/ir/dtype"

// Pipe is what moves or computes at the same time as the others.
type Pipe uint8

// The pipes. Launch is what an op waits for before any of them starts.
const (
	DRAM Pipe = iota
	L2
	Cube
	Vector
	Link
	Launch
	pipeEnd
)

var pipeNames = [pipeEnd]string{"dram", "l2", "cube", "vector", "link", "launch"}

// String is the name in reports.
func (p Pipe) String() string { return pipeNames[p] }

// Style is who runs the ops.
type Style uint8

// Compiled is this project's kernels; Operators launches every op of the graph by itself, as frameworks do.
const (
	Compiled Style = iota
	Operators
)

// Line is an op with its time.
type Line struct {
	Op
	Pipes   [pipeEnd]float64 // s of one occurrence, each as if alone
	Seconds float64          // of one occurrence
	Slowest Pipe             // of those that work
	Bound   Pipe             // Slowest, or Launch where that takes longer
}

// Total is the time of all occurrences, s.
func (l *Line) Total() float64 { return float64(l.Repeat) * l.Seconds }

// Estimate is a step op by op.
type Estimate struct {
	Lines   []Line
	Seconds float64
}

// Estimate predicts each op: its slowest pipe, after its launches.
func (m *Machine) Estimate(ops []Op, style Style) *Estimate {
	e := &Estimate{Lines: make([]Line, len(ops))}
	for i := range ops {
		l := &e.Lines[i]
		l.Op = ops[i]
		l.Seconds, l.Slowest = m.time(&l.Op, style, &l.Pipes)
		if l.Bound = l.Slowest; l.Pipes[Launch] > l.Pipes[l.Slowest] {
			l.Bound = Launch
		}
		e.Seconds += l.Total()
	}
	return e
}

// Seconds is the time of a step, as Estimate has it.
func (m *Machine) Seconds(ops []Op, style Style) float64 {
	var total float64
	var pipes [pipeEnd]float64
	for i := range ops {
		s, _ := m.time(&ops[i], style, &pipes)
		total += float64(ops[i].Repeat) * s
	}
	return total
}

// time fills in pipes and gives the time of one occurrence and the slowest of what works.
func (m *Machine) time(o *Op, style Style, pipes *[pipeEnd]float64) (float64, Pipe) {
	calls, acts := o.Calls, o.Acts
	if style == Compiled {
		if calls = o.Kernels; calls == 0 {
			acts = 0 // they never leave the unit that another op is done in
		}
	}
	dram := float64(o.Weights)/(m.DRAM*m.WeightShare) + float64(o.Cache)/(m.DRAM*m.CacheShare)
	l2 := 0.0
	if m.Split {
		l2 = float64(o.Mail) / m.L2
	}
	if acts > m.L2Bytes {
		dram += float64(acts) / m.DRAM
	} else {
		l2 += float64(acts) / m.L2
	}
	macs := m.Half
	if o.DType == dtype.I8 {
		macs = m.Int8
	}
	*pipes = [pipeEnd]float64{DRAM: dram, L2: l2, Cube: float64(o.MACs) / (macs * m.CubeShare),
		Vector: float64(o.Vector) / m.Vector, Link: m.link(o), Launch: float64(calls) * m.Launch}
	slowest := DRAM
	for p := DRAM + 1; p < Launch; p++ {
		if pipes[p] > pipes[slowest] {
			slowest = p
		}
	}
	return pipes[slowest] + pipes[Launch], slowest
}

// link is the time of a collective on its links. In a mesh a rank sends to all others at the same
// time. In a ring the chips of a card share its link where every hop leaves the card.
func (m *Machine) link(o *Op) float64 {
	switch {
	case o.Sent == 0:
		return 0
	case m.Mesh:
		return float64(o.Sent) / float64(o.Group.Size-1) / m.Link
	case o.Group.Stride >= m.CardChips:
		return float64(o.Sent) * float64(m.CardChips) / m.Link
	}
	return float64(o.Sent) / m.Link
}

// Share is the part of the time that the ops for which is true take.
func (e *Estimate) Share(is func(*Line) bool) float64 {
	var part float64
	for i := range e.Lines {
		if is(&e.Lines[i]) {
			part += e.Lines[i].Total()
		}
	}
	if e.Seconds == 0 {
		return 0
	}
	return part / e.Seconds
}

// Communication is the share of collectives.
func (e *Estimate) Communication() float64 {
	return e.Share(func(l *Line) bool { return l.Kind.Collective() })
}

// Parts is the share of each pipe in the time, where an op's time is that of its slowest pipe and its
// launch.
func (e *Estimate) Parts() [pipeEnd]float64 {
	var parts [pipeEnd]float64
	for i := range e.Lines {
		l := &e.Lines[i]
		launch := l.Pipes[Launch]
		parts[Launch] += float64(l.Repeat) * launch / e.Seconds
		parts[l.Slowest] += float64(l.Repeat) * (l.Seconds - launch) / e.Seconds
	}
	return parts
}
