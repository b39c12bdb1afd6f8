package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// Flags are derived for each channel alone: a buffer, or a tensor that is both written and read.
// In each block the accesses form a sequence of steps; a step is either one pipe or several pipes
// that only read. Between consecutive steps every pipe of the first signals every other pipe of the
// second. In a loop the last step signals the first of the next iteration. Those flags stay set
// while the loop does not run: they are set once at the start of the kernel or phase (primed) and
// waited for once at its end (drained), so that a loop of no iterations stays balanced and
// prefetch continues across the iterations of outer loops. A branch is a loop of at most one
// iteration. A loop is open while the block around has no other step of the channel: its flags
// then serve that block's repetition as well.

// channel is what one derivation is about.
type channel struct {
	buf    *device.Buffer
	slot   *device.Slot // nil: accesses outside slots, and slots as a whole
	global *kernel.Global
}

func (ch channel) name() string {
	if ch.buf != nil {
		return ch.buf.Name
	}
	return ch.global.Name
}

// pipeSet is a set of pipes, bit p for pipe p.
type pipeSet uint16

func (s pipeSet) has(p device.Pipe) bool { return s>>p&1 == 1 }

func (s pipeSet) single() bool { return s != 0 && s&(s-1) == 0 }

// step is part of a sequence: at nodes first..last of the block.
type step struct {
	pipes       pipeSet
	write       bool
	first, last [device.Pipes]int
	fence       bool    // a barrier of all pipes: nothing needs an edge across it
	open        []*ring // loops that are not steps yet; then no pipes are set
	from, to    int     // nodes that an open step spans
}

// ring is the edges from the end of a loop body to its start.
type ring struct {
	last, first pipeSet
	edges       []*edge
}

func (r *ring) same(q *ring) bool { return r.last == q.last && r.first == q.first }

// join takes over the edges of q.
func (r *ring) join(q *ring) {
	for _, e := range q.edges {
		e.ring = r
	}
	r.edges = append(r.edges, q.edges...)
}

// edge is one ordered pair of pipes with the places of its flags.
type edge struct {
	ch       string
	from, to device.Pipe
	depth    int // flags: one for each slot
	slot     *device.Slot
	set      place // after this node
	wait     place // before this node
	ring     *ring // nil for edges within an iteration
	odd      bool  // its flag is not that of the edge before
	relay    bool  // it is at the start or the end of a branch
	scope    *device.Block
	level    *device.Block // the block whose sequence it is of; nil for that of a slot
	event    *device.Event
}

// place is before or after node at of a block.
type place struct {
	block *device.Block
	at    int
}

// deriveFlags finds the edges of every channel, drops those that others imply, gives them ids, and
// puts the flags into the tree.
func (l *lowerer) deriveFlags() error {
	for _, ch := range l.channels() {
		l.derive(ch)
	}
	if err := l.failed(); err != nil {
		return err
	}
	l.dropImplied()
	if err := l.allotEvents(); err != nil {
		return err
	}
	l.placeFlags()
	return nil
}

// channels lists buffers, and tensors that one kernel both writes and reads.
func (l *lowerer) channels() []channel {
	var out []channel
	for _, b := range l.prog.Buffers {
		out = append(out, channel{buf: b})
	}
	for _, g := range l.prog.Globals {
		if g.Role == kernel.InOut || g.Role == kernel.Scratch {
			out = append(out, channel{global: g})
		}
	}
	return out
}

func (l *lowerer) derive(ch channel) {
	steps := l.closeOpen(ch, l.prog.Body, l.steps(ch, l.prog.Body))
	l.chain(ch, l.prog.Body, steps)
}

// steps is the sequence of a channel in a block, with loops as composite steps.
func (l *lowerer) steps(ch channel, b *device.Block) []step {
	var out []step
	for i, n := range b.Nodes {
		switch n := n.(type) {
		case *device.Call:
			out = appendAccesses(out, ch, i, n)
		case *device.Barrier:
			if n.Pipe == device.All {
				out = append(out, step{fence: true})
			}
		case *device.Take:
			if ch.slot == nil && !n.Again && takes(n, ch.buf) {
				out = append(out, l.session(ch, b, n.Slot)...)
			}
		default:
			out = append(out, l.composite(ch, i, n)...)
		}
	}
	return joinOpen(out)
}

func takes(t *device.Take, b *device.Buffer) bool {
	for _, x := range t.Slot.Bufs {
		if x == b {
			return true
		}
	}
	return false
}

// appendAccesses adds the accesses of a call to the sequence.
func appendAccesses(out []step, ch channel, at int, n *device.Call) []step {
	touched, write := false, false
	for _, a := range n.Access {
		if ch.matches(a) {
			touched, write = true, write || a.Write
		}
	}
	if !touched {
		return out
	}
	s := step{pipes: 1 << n.Pipe, write: write}
	s.first[n.Pipe], s.last[n.Pipe] = at, at
	return appendStep(out, s)
}

// matches reports whether an access belongs to the channel itself, not to a slot within.
func (ch channel) matches(a device.Access) bool {
	if ch.global != nil {
		return a.Global == ch.global
	}
	return a.Buf == ch.buf && a.Slot == ch.slot
}

// appendStep joins s to the step before where both are the same one pipe, or both only read.
func appendStep(out []step, s step) []step {
	if len(out) == 0 {
		return append(out, s)
	}
	p := &out[len(out)-1]
	joins := !p.fence && !s.fence && len(p.open) == 0 && len(s.open) == 0 &&
		(p.pipes == s.pipes && p.pipes.single() || !p.write && !s.write)
	if !joins {
		return append(out, s)
	}
	for q := range s.first {
		if !s.pipes.has(device.Pipe(q)) {
			continue
		}
		if !p.pipes.has(device.Pipe(q)) {
			p.first[q] = s.first[q]
		}
		p.last[q] = s.last[q]
	}
	p.pipes |= s.pipes
	p.write = p.write || s.write
	return out
}

// session is the life of one slot, from its taking to the end of the block.
func (l *lowerer) session(ch channel, b *device.Block, slot *device.Slot) []step {
	own := channel{buf: ch.buf, slot: slot}
	l.takenIn[slot] = b
	steps := l.steps(own, b)
	if u := l.useOf(b); u != nil { // the load of a stream: the use continues the iteration
		return l.streamSession(own, b, u, steps)
	}
	return l.cycle(own, b, steps)
}

// composite is the steps that a loop, branch or phase amounts to.
func (l *lowerer) composite(ch channel, at int, n device.Node) []step {
	switch n := n.(type) {
	case *device.Phase:
		return l.at(at, l.phaseSteps(ch, n))
	case *device.Loop:
		return l.at(at, l.cycle(ch, n.Body, l.steps(ch, n.Body)))
	case *device.Stream:
		return l.at(at, l.streamSteps(ch, n))
	case *device.If:
		return l.at(at, l.branches(ch, n))
	}
	return nil
}

// phaseSteps is what a phase amounts to: what comes before its first barrier, and the barrier that
// ends it. What lives in the phase needs nothing outside.
func (l *lowerer) phaseSteps(ch channel, n *device.Phase) []step {
	inner := l.closeOpen(ch, n.Body, l.steps(ch, n.Body))
	l.chain(ch, n.Body, inner)
	if len(inner) == 0 || ch.buf != nil && l.bodies[l.scopes[ch.buf]] == n.Body {
		return nil
	}
	return []step{inner[0], {fence: true}}
}

// at moves steps of an inner block to the node that holds the block.
func (l *lowerer) at(at int, steps []step) []step {
	for i := range steps {
		s := &steps[i]
		s.from, s.to = at, at
		for p := range s.first {
			s.first[p], s.last[p] = at, at
		}
	}
	return steps
}

// joinOpen makes one step of neighbours that are open with the same pipes, so that they share
// their flags.
func joinOpen(steps []step) []step {
	var out []step
	for _, s := range steps {
		if len(out) > 0 && s.onlyOpen() {
			p := &out[len(out)-1]
			if p.onlyOpen() && p.open[0].same(s.open[0]) {
				p.open[0].join(s.open[0])
				p.from, p.to = min(p.from, s.from), max(p.to, s.to)
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// cycle closes the sequence of a body that may run any number of times, and returns what it amounts
// to: one plain step where no edge leads back, otherwise one open step.
func (l *lowerer) cycle(ch channel, b *device.Block, steps []step) []step {
	if len(steps) == 0 || l.allOpenAlike(steps) {
		return steps
	}
	steps = l.closeOpen(ch, b, steps)
	l.chain(ch, b, steps)
	return l.wrap(ch, place{b, 0}, place{b, 0}, steps)
}

func (l *lowerer) allOpenAlike(steps []step) bool { return len(steps) == 1 && steps[0].onlyOpen() }

// onlyOpen reports whether s is one ring of edges and nothing else.
func (s *step) onlyOpen() bool { return len(s.open) == 1 && s.pipes == 0 }

// wrap makes the edges from the last step to the first.
func (l *lowerer) wrap(ch channel, waits, sets place, steps []step) []step {
	first, last := &steps[0], &steps[len(steps)-1]
	if first.fence || last.fence {
		return flattened(steps)
	}
	span := step{from: first.lowest(), to: last.highest()}
	if len(steps) == 1 && (first.pipes.single() || !first.write) {
		return steps
	}
	r := &ring{last: last.pipes, first: first.pipes}
	for p := device.S; int(p) < device.Pipes; p++ {
		for q := device.S; int(q) < device.Pipes; q++ {
			if last.pipes.has(p) && first.pipes.has(q) && p != q {
				e := l.newEdge(ch, p, q, place{sets.block, last.last[p]}, place{waits.block, first.first[q]})
				e.ring, e.level = r, nil
				r.edges = append(r.edges, e)
			}
		}
	}
	if len(r.edges) == 0 {
		return []step{{pipes: first.pipes | last.pipes, write: true, first: spanEnds(span.from),
			last: spanEnds(span.to)}}
	}
	span.open = []*ring{r}
	return []step{span}
}

// flattened is one step for those of a block that begins or ends with a barrier of all pipes: it
// orders iterations, but not what is around them, since the block may not run.
func flattened(steps []step) []step {
	one := step{write: true}
	for _, s := range steps {
		one.pipes |= s.pipes
	}
	if one.pipes == 0 {
		return nil
	}
	return []step{one}
}

func spanEnds(at int) (ends [device.Pipes]int) {
	for p := range ends {
		ends[p] = at
	}
	return ends
}

func (s *step) lowest() int {
	n := -1
	for p := range s.first {
		if s.pipes.has(device.Pipe(p)) && (n < 0 || s.first[p] < n) {
			n = s.first[p]
		}
	}
	return n
}

func (s *step) highest() int {
	n := -1
	for p := range s.last {
		if s.pipes.has(device.Pipe(p)) {
			n = max(n, s.last[p])
		}
	}
	return n
}

func (l *lowerer) newEdge(ch channel, p, q device.Pipe, set, wait place) *edge {
	e := &edge{ch: ch.name(), from: p, to: q, depth: 1, set: set, wait: wait, slot: ch.slot,
		scope: l.prog.Body, level: set.block}
	if ch.slot != nil && (set.block == l.takenIn[ch.slot] || wait.block == l.takenIn[ch.slot] ||
		l.useOf(l.takenIn[ch.slot]) == set.block) {
		e.level = nil
	}
	if ch.buf != nil {
		e.scope = l.bodies[l.scopes[ch.buf]]
	}
	if ch.slot != nil && ch.slot.Index != nil {
		e.depth = ch.buf.Depth
	}
	if !l.chip.CanSignal(l.core, p, q) {
		l.errorf("%s: no flag exists from %s to %s (%s)", ch.name(), p, q, soc.EventSource)
	}
	l.edges = append(l.edges, e)
	return e
}
