package lower

import "moge/ascend/kernel/device"

// prune drops events and barriers without which every path is still ordered: what fault seeding
// could not tell from the kernel itself. Barriers go last, so that flags do not lean on them.
func (l *lowerer) prune() error {
	paths := device.Paths(l.prog)
	for _, e := range append([]*device.Event(nil), l.prog.Events...) {
		isFlag := func(n device.Node) bool {
			f, ok := n.(*device.Flag)
			return ok && f.Event == e
		}
		if l.dropIfOrdered(paths, isFlag) {
			l.forget(e)
		}
	}
	for _, b := range l.barriers() {
		l.dropIfOrdered(paths, func(n device.Node) bool { return n == b })
	}
	l.hoist(paths, l.prog.Body)
	l.number()
	return nil
}

// hoist moves barriers that only separate a loop from what is before it to before the loop.
func (l *lowerer) hoist(paths []device.Path, b *device.Block) {
	for i := 0; i < len(b.Nodes); i++ {
		for _, inner := range device.Blocks(b.Nodes[i]) {
			l.hoist(paths, inner)
		}
		loop, ok := b.Nodes[i].(*device.Loop)
		if !ok {
			continue
		}
		for j := 0; j < len(loop.Body.Nodes); j++ {
			if bar, ok := loop.Body.Nodes[j].(*device.Barrier); ok && bar.Pipe != device.All &&
				l.hoistOne(paths, b, i, loop, j) {
				i, j = i+1, j-1
			}
		}
	}
}

// hoistOne moves node j of a loop before it, unless some path then is no longer ordered.
func (l *lowerer) hoistOne(paths []device.Path, b *device.Block, at int, loop *device.Loop,
	j int) bool {
	outer, inner := b.Nodes, loop.Body.Nodes
	b.Nodes = append(append(outer[:at:at], inner[j]), outer[at:]...)
	loop.Body.Nodes = append(inner[:j:j], inner[j+1:]...)
	if l.ordered(paths, nil) {
		return true
	}
	b.Nodes, loop.Body.Nodes = outer, inner
	return false
}

// ordered reports whether every path is in order without the nodes that match. The path that told
// otherwise the last time comes first: it often does so again.
func (l *lowerer) ordered(paths []device.Path, without func(device.Node) bool) bool {
	for i := range paths {
		at := (l.telling + i) % len(paths)
		path := paths[at]
		path.Without, path.First = without, true
		found := device.Run(l.prog, path)
		if found.Any() {
			l.telling = at
			return false
		}
	}
	return true
}

// dropIfOrdered removes the nodes that match, unless some path then is no longer ordered.
func (l *lowerer) dropIfOrdered(paths []device.Path, match func(device.Node) bool) bool {
	if !l.ordered(paths, match) {
		return false
	}
	remove(l.prog.Body, match)
	return true
}

func remove(b *device.Block, match func(device.Node) bool) {
	var kept []device.Node
	for _, n := range b.Nodes {
		for _, inner := range device.Blocks(n) {
			remove(inner, match)
		}
		if !match(n) {
			kept = append(kept, n)
		}
	}
	b.Nodes = kept
}

func (l *lowerer) forget(e *device.Event) {
	var kept []*device.Event
	for _, x := range l.prog.Events {
		if x != e {
			kept = append(kept, x)
		}
	}
	l.prog.Events = kept
}

// barriers lists the barriers of single pipes.
func (l *lowerer) barriers() []*device.Barrier {
	var out []*device.Barrier
	device.Walk(l.prog.Body, func(_ *device.Block, _ int, n device.Node) {
		if b, ok := n.(*device.Barrier); ok && b.Pipe != device.All {
			out = append(out, b)
		}
	})
	return out
}
