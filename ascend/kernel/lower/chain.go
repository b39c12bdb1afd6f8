package lower

import "moge/ascend/kernel/device"

// closeOpen makes the open steps of a block plain: any of their pipes may be the last.
func (l *lowerer) closeOpen(ch channel, b *device.Block, steps []step) []step {
	var out []step
	for _, s := range steps {
		if len(s.open) == 0 {
			out = appendStep(out, s)
			continue
		}
		plain := step{write: true, first: spanEnds(s.from), last: spanEnds(s.to)}
		for _, r := range s.open {
			l.checkClosing(ch, b, r)
			plain.pipes |= r.first | r.last
		}
		out = append(out, plain)
	}
	return out
}

// chain makes the edges between consecutive steps of a block.
func (l *lowerer) chain(ch channel, b *device.Block, steps []step) {
	l.chainAfter(nil, ch, b,
		steps)
}

// chainAfter is chain after the edges that lead to the first step; it returns the last ones.
func (l *lowerer) chainAfter(before []*edge, ch channel, b *device.Block, steps []step) []*edge {
	for i := 1; i < len(steps); i++ {
		before = l.link(ch, b, &steps[i-1], b, &steps[i], before)
	}
	return before
}

// link makes the edges from one step to the next. Where the step before had an edge between the
// same pipes, nothing says that its flag has been waited for, so the next takes another one.
func (l *lowerer) link(ch channel, bs *device.Block, s *step, bt *device.Block, t *step,
	before []*edge) []*edge {
	if s.fence || t.fence || !s.write && !t.write {
		return nil
	}
	var out []*edge
	for p := device.S; int(p) < device.Pipes; p++ {
		for q := device.S; int(q) < device.Pipes; q++ {
			if s.pipes.has(p) && t.pipes.has(q) && p != q {
				e := l.newEdge(ch, p, q, place{bs, s.last[p]}, place{bt, t.first[q]})
				e.odd = oddAfter(before, e)
				out = append(out, e)
			}
		}
	}
	return out
}

func oddAfter(before []*edge, e *edge) bool {
	for _, x := range before {
		if x.from == e.from && x.to == e.to {
			return !x.odd
		}
	}
	return false
}

// checkClosing refuses to drain, in the load of a stream, flags that its use sets.
func (l *lowerer) checkClosing(ch channel, b *device.Block, r *ring) {
	use := l.useOf(b)
	for _, e := range r.edges {
		if use != nil && e.set.block == use {
			l.errorf("ring %s is taken by the load of a stream in ways that differ in their pipes",
				ch.name())
			return
		}
	}
}
