package lower

import "moge/ascend/kernel/device"

// branches is what the two branches of a condition amount to, of which only one runs.
func (l *lowerer) branches(ch channel, n *device.If) []step {
	then := l.cycle(ch, n.Then, l.steps(ch, n.Then))
	if n.Else == nil {
		return then
	}
	other := l.cycle(ch, n.Else, l.steps(ch, n.Else))
	switch {
	case len(then) == 0:
		return other
	case len(other) == 0:
		return then
	}
	a, b := &then[0], &other[0]
	switch {
	case len(then) > 1 || len(other) > 1 || a.fence || b.fence:
		return flattened(append(then, other...))
	case a.onlyOpen() && b.onlyOpen() && a.open[0].same(b.open[0]):
		a.open[0].join(b.open[0])
		return then
	case alike(a, b):
		a.pipes |= b.pipes
		a.write = a.write || b.write
		return then
	}
	return l.throughPort(ch, n, then, other)
}

// alike reports whether two plain steps can stand for each other: both one pipe, or both reading.
func alike(a, b *step) bool {
	plain := len(a.open) == 0 && len(b.open) == 0
	return plain && (a.pipes == b.pipes && a.pipes.single() || !a.write && !b.write)
}

// throughPort makes both branches begin and end with one pipe, by signals inside them.
func (l *lowerer) throughPort(ch channel, n *device.If, then, other []step) []step {
	a := l.closeOpen(ch, n.Then, then)[0]
	b := l.closeOpen(ch, n.Else, other)[0]
	port := device.S
	for !(a.pipes | b.pipes).has(port) {
		port++
	}
	l.relay(ch, n.Then, &a, port)
	l.relay(ch, n.Else, &b, port)
	return []step{{pipes: 1 << port, write: true}}
}

// relay signals from the port to the other pipes of a branch at its start, and back at its end.
func (l *lowerer) relay(ch channel, b *device.Block, s *step, port device.Pipe) {
	for p := device.S; int(p) < device.Pipes; p++ {
		if !s.pipes.has(p) || p == port {
			continue
		}
		l.newEdge(ch, port, p, place{b, -1}, place{b, s.first[p]}).relay = true
		l.newEdge(ch, p, port, place{b, s.last[p]}, place{b, len(b.Nodes)}).relay = true
	}
}
