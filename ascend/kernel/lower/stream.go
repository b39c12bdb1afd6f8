package lower

import (
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
)

// useOf returns the use of the stream whose load b is.
func (l *lowerer) useOf(b *device.Block) *device.Block {
	var use *device.Block
	device.Walk(l.prog.Body, func(_ *device.Block, _ int, n device.Node) {
		if s, ok := n.(*device.Stream); ok && s.Load == b {
			use = s.Use
		}
	})
	return use
}

// streamSession is the life of a slot that the load of a stream takes: the steps of the load, then
// those of the use, of which there may be none.
func (l *lowerer) streamSession(ch channel, load, use *device.Block, loads []step) []step {
	uses := l.steps(ch, use)
	if len(uses) == 0 {
		return l.cycle(ch, load, loads)
	}
	if ch.buf.Depth < 2 {
		l.errorf("tile %s passes from the load of a stream to its use: "+
			"it must be a ring of at least 2", ch.buf.Name)
		return nil
	}
	loads = l.closeOpen(ch, load, loads)
	uses = l.closeOpen(ch, use, uses)
	before := l.chainAfter(nil, ch, load, loads)
	before = l.link(ch, load, &loads[len(loads)-1], use, &uses[0], before)
	l.chainAfter(before, ch, use, uses)
	both := []step{loads[0], uses[len(uses)-1]}
	return l.wrap(ch, place{load, 0}, place{use, 0}, both)
}

// streamSteps is what a stream amounts to for a channel that is not a slot of its load: load and
// use must not depend on each other through it.
func (l *lowerer) streamSteps(ch channel, n *device.Stream) []step {
	loads := l.cycle(ch, n.Load, l.steps(ch, n.Load))
	uses := l.cycle(ch, n.Use, l.steps(ch, n.Use))
	switch {
	case len(loads) == 0:
		return uses
	case len(uses) == 0:
		return loads
	}
	a, b := &loads[0], &uses[0]
	reading := len(a.open) == 0 && len(b.open) == 0 && !a.write && !b.write
	onePipe := len(a.open) == 0 && len(b.open) == 0 && a.pipes == b.pipes && a.pipes.single()
	if !reading && !onePipe {
		l.errorf("%s is shared by the load and the use of a stream: "+
			"only slots that the load takes may be", ch.name())
		return nil
	}
	return appendStep(loads, *b)
}

// expandStreams turns each stream into its first load and a loop that loads one iteration ahead.
func (l *lowerer) expandStreams() error {
	l.expand(l.prog.Body)
	return l.failed()
}

func (l *lowerer) expand(b *device.Block) {
	var out []device.Node
	for _, n := range b.Nodes {
		for _, inner := range device.Blocks(n) {
			l.expand(inner)
		}
		s, ok := n.(*device.Stream)
		if !ok {
			out = append(out, n)
			continue
		}
		out = append(out, l.expanded(s)...)
	}
	b.Nodes = out
}

func (l *lowerer) expanded(s *device.Stream) []device.Node {
	i := s.Var.Int()
	some := s.Lo.Less(s.Hi)
	load := device.CloneBlock(s.Load, s.Var, s.Lo)
	dropDecided(load, scalar.Facts{some})
	first := l.conditional(some, load, s.Var)
	next := i.AddN(s.Step)
	ahead := l.conditional(next.Less(s.Hi), device.CloneBlock(s.Load, s.Var, next), s.Var)
	body := &device.Block{Nodes: append(ahead, s.Use.Nodes...)}
	loop := &device.Loop{Var: s.Var, Lo: s.Lo, Hi: s.Hi, Step: s.Step, Body: body}
	return append(first, loop)
}

// conditional is b under the condition that the iteration exists.
func (l *lowerer) conditional(cond device.Cond, b *device.Block, of *scalar.Var) []device.Node {
	return []device.Node{&device.If{Cond: cond, Then: b, Of: of}}
}

// dropDecided puts in place of conditions that the facts decide the branch that always runs: of the
// first load of a stream, which often has one way to go.
func dropDecided(b *device.Block, facts scalar.Facts) {
	var out []device.Node
	for _, n := range b.Nodes {
		for _, inner := range device.Blocks(n) {
			dropDecided(inner, facts)
		}
		branch, ok := n.(*device.If)
		switch {
		case !ok || branch.Of != nil:
			out = append(out, n)
		case facts.Implies(branch.Cond):
			out = append(out, branch.Then.Nodes...)
		case !facts.Implies(branch.Cond.Not()):
			out = append(out, n)
		case branch.Else != nil:
			out = append(out, branch.Else.Nodes...)
		}
	}
	b.Nodes = out
}
