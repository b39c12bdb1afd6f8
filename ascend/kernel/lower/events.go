package lower

import (
	"fmt"
	"strings"

	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// family is the edges that share an event: those of one channel and pair of pipes, within
// iterations of one block or of one ring. The order of the channel's steps keeps a flag from being
// set twice. Slots of a ring share their flags wherever they are taken.
type family struct {
	ch       string
	from, to device.Pipe
	back     bool
	edges    []*edge
}

func (l *lowerer) families() []*family {
	var out []*family
	for _, e := range l.edges {
		f := findFamily(out, e)
		if f == nil {
			f = &family{ch: e.ch, from: e.from, to: e.to, back: e.ring != nil}
			out = append(out, f)
		}
		f.edges = append(f.edges, e)
	}
	return out
}

func findFamily(fs []*family, e *edge) *family {
	for _, f := range fs {
		x := f.edges[0]
		if f.ch == e.ch && f.from == e.from && f.to == e.to && x.ring == e.ring && x.scope == e.scope &&
			x.odd == e.odd && x.relay == e.relay && x.level == e.level {
			return f
		}
	}
	return nil
}

func (f *family) depth() int {
	n := 0
	for _, e := range f.edges {
		n = max(n, e.depth)
	}
	return n
}

// dropImplied removes edges whose order others already give.
func (l *lowerer) dropImplied() {
	for _, f := range l.families() {
		if f.back {
			if l.backImplied(f) {
				l.remove(f.edges...)
			}
			continue
		}
		for _, e := range f.edges {
			if l.forwardImplied(e) {
				l.remove(e)
			}
		}
	}
}

func (l *lowerer) remove(edges ...*edge) {
	var kept []*edge
	for _, e := range l.edges {
		keep := true
		for _, r := range edges {
			keep = keep && e != r
		}
		if keep {
			kept = append(kept, e)
		}
	}
	l.edges = kept
}

// forwardImplied reports whether a path of other edges of the block leads from the setting pipe
// after e's access to the waiting pipe before e's.
func (l *lowerer) forwardImplied(e *edge) bool {
	if e.set.block != e.wait.block {
		return l.subsumed(e)
	}
	type point struct {
		pipe device.Pipe
		at   int // everything before node at is known
	}
	seen := []point{{e.from, e.set.at}}
	for i := 0; i < len(seen); i++ {
		p := seen[i]
		for _, x := range l.edges {
			usable := x != e && x.ring == nil && x.set.block == e.set.block && x.wait.block == e.set.block &&
				x.from == p.pipe && x.set.at >= p.at && x.wait.at <= e.wait.at
			if !usable {
				continue
			}
			if x.to == e.to {
				return true
			}
			if len(seen) < 64 {
				seen = append(seen, point{x.to, x.wait.at})
			}
		}
	}
	return false
}

// subsumed is forwardImplied for an edge from the load of a stream to its use.
func (l *lowerer) subsumed(e *edge) bool {
	for _, x := range l.edges {
		if x != e && x.ring == nil && covers(x, e) {
			return true
		}
	}
	return false
}

// covers reports whether x is set no earlier and waited for no later than e.
func covers(x, e *edge) bool {
	return x.from == e.from && x.to == e.to && x.set.block == e.set.block &&
		x.wait.block == e.wait.block &&
		x.set.at >= e.set.at && x.wait.at <= e.wait.at && x.depth <= e.depth
}

// backImplied reports whether one other family covers every edge of f.
func (l *lowerer) backImplied(f *family) bool {
	for _, g := range l.families() {
		if g.ch == f.ch || !g.back {
			continue
		}
		all := true
		for _, e := range f.edges {
			all = all && coveredBy(e, g)
		}
		if all {
			return true
		}
	}
	return false
}

func coveredBy(e *edge, g *family) bool {
	for _, x := range g.edges {
		if covers(x, e) {
			return true
		}
	}
	return false
}

// allotEvents gives every family its flags, merging families where a pair of pipes has too many.
func (l *lowerer) allotEvents() error {
	limit := int(l.chip.At(soc.EventIDsByHand))
	for {
		pair := l.overfull(limit)
		if pair == nil {
			break
		}
		if !l.mergeOne(pair) {
			return tooMany(pair, limit, l.chip)
		}
	}
	l.makeEvents()
	return nil
}

// overfull returns the families of a pair of pipes that need more flags than there are, if any.
func (l *lowerer) overfull(limit int) []*family {
	fs := l.families()
	for _, f := range fs {
		var pair []*family
		total := 0
		for _, g := range fs {
			if g.from == f.from && g.to == f.to && (g.scope() == f.scope() || g.scope() == l.prog.Body) {
				pair = append(pair, g)
				total += g.depth()
			}
		}
		if total > limit {
			return pair
		}
	}
	return nil
}

func (f *family) scope() *device.Block { return f.edges[0].scope }

// mergeOne joins one family to another of the pair: set with the later, waited for with the
// earlier.
func (l *lowerer) mergeOne(pair []*family) bool {
	for _, f := range pair {
		for _, g := range pair {
			if f != g && f.back == g.back && mergeable(f, g) {
				l.merge(f, g)
				return true
			}
		}
	}
	return false
}

func mergeable(f, g *family) bool {
	for _, e := range f.edges {
		if partner(e, g) == nil {
			return false
		}
	}
	return true
}

func partner(e *edge, g *family) *edge {
	for _, x := range g.edges {
		same := x.set.block == e.set.block && x.wait.block == e.wait.block
		forward := e.set.block != e.wait.block ||
			max(x.set.at, e.set.at) < min(x.wait.at, e.wait.at)
		known := takeIn(x.wait.block, x.slot) < min(x.wait.at, e.wait.at)
		if same && known && x.depth <= e.depth && (e.ring != nil || forward) {
			return x
		}
	}
	return nil
}

// takeIn is the node of b that takes a slot, so that its flags can be named from there on; -1 where
// that is outside.
func takeIn(b *device.Block, slot *device.Slot) int {
	for i, n := range b.Nodes {
		if t, ok := n.(*device.Take); ok && t.Slot == slot {
			return i
		}
	}
	return -1
}

func (l *lowerer) merge(f, g *family) {
	for _, e := range f.edges {
		x := partner(e, g)
		x.set.at = max(x.set.at, e.set.at)
		x.wait.at = min(x.wait.at, e.wait.at)
	}
	l.remove(f.edges...)
}

// flagsError says that a pair of pipes has too few flags.
type flagsError struct {
	chip     *soc.Chip
	from, to device.Pipe
	limit    int
	wanted   []string // buffers, with how many flags each wants
}

func (e *flagsError) Error() string {
	return fmt.Sprintf("%s has %d flags from %s to %s that a kernel may set (%s), "+
		"but these need more: %s; use fewer slots or tiles", e.chip.Name(), e.limit, e.from, e.to,
		e.chip.Fact(soc.EventIDsByHand).Source, strings.Join(e.wanted, ", "))
}

func tooMany(pair []*family, limit int, chip *soc.Chip) error {
	e := &flagsError{chip: chip, from: pair[0].from, to: pair[0].to, limit: limit}
	for _, f := range pair {
		e.wanted = append(e.wanted, fmt.Sprintf("%s (%d)", f.ch, f.depth()))
	}
	return e
}

// makeEvents makes an event for every family.
func (l *lowerer) makeEvents() {
	for _, f := range l.families() {
		suffix := "Ready"
		if f.back {
			suffix = "Free"
		}
		ev := &device.Event{Name: l.unique(f.ch + suffix), From: f.from, To: f.to, Count: f.depth()}
		for _, e := range f.edges {
			e.event = ev
		}
		l.within[ev] = f.scope()
		l.prog.Events = append(l.prog.Events, ev)
	}
	l.number()
}

// number gives the events their ids: those of the whole kernel first, those of each phase after.
func (l *lowerer) number() {
	for _, inPhase := range []bool{false, true} {
		for i, e := range l.prog.Events {
			if (l.within[e] != l.prog.Body) == inPhase {
				l.prog.Events[i].Base = l.firstFree(e, inPhase, i)
			}
		}
	}
}

// firstFree is the id after those of events of the same pair that are alive with e and numbered
// before it.
func (l *lowerer) firstFree(e *device.Event, inPhase bool, at int) int {
	base := 0
	for i, x := range l.prog.Events {
		whole := l.within[x] == l.prog.Body
		before := inPhase && whole || i < at && l.within[x] == l.within[e]
		if before && x.From == e.From && x.To == e.To {
			base = max(base, x.Base+x.Count)
		}
	}
	return base
}
