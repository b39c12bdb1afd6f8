package lower

import "moge/ascend/kernel/device"

// gap is the flags between node at-1 and node at of a block, in the order of their kinds.
type gap struct {
	block *device.Block
	at    int
	flags [4][]device.Node
}

// Kinds of flags in a gap.
const (
	setting = iota
	draining
	priming
	waiting
)

// placeFlags puts the flags of every edge into the tree.
func (l *lowerer) placeFlags() {
	var gaps []*gap
	for _, e := range l.edges {
		gaps = putFlags(gaps, place{e.set.block, e.set.at + 1}, setting, flagAt(e, true))
		gaps = putFlags(gaps, e.wait, waiting, flagAt(e, false))
	}
	for _, f := range l.families() {
		if f.back {
			gaps = closeFamily(gaps, f)
		}
	}
	blocks := []*device.Block{l.prog.Body}
	device.Walk(l.prog.Body, func(_ *device.Block, _ int, n device.Node) {
		blocks = append(blocks, device.Blocks(n)...)
	})
	for _, b := range blocks {
		rebuild(b, gaps)
	}
}

func flagAt(e *edge, set bool) device.Node {
	return &device.Flag{Set: set, Event: e.event, Index: e.slot.At()}
}

// closeFamily primes the flags of a family before the first node of the kernel or phase that uses
// them, and drains them at the end.
func closeFamily(gaps []*gap, f *family) []*gap {
	scope := f.scope()
	first := len(scope.Nodes)
	for _, e := range f.edges {
		first = min(first, indexIn(scope, e.wait))
	}
	for i := range f.depth() {
		gaps = putFlags(gaps, place{scope, first}, priming, &device.Flag{Set: true,
			Event: f.edges[0].event, Index: c(i)})
		gaps = putFlags(gaps, place{scope, len(scope.Nodes)}, draining,
			&device.Flag{Event: f.edges[0].event, Index: c(i)})
	}
	return gaps
}

// indexIn is the node of scope that holds a place.
func indexIn(scope *device.Block, p place) int {
	if p.block == scope {
		return p.at
	}
	for i, n := range scope.Nodes {
		for _, b := range device.Blocks(n) {
			if b == p.block || holds(b, p.block) {
				return i
			}
		}
	}
	panic("BUG: a flag is outside the block that its buffer lives in")
}

func holds(b, inner *device.Block) bool {
	found := false
	device.Walk(b, func(_ *device.Block, _ int, n device.Node) {
		for _, x := range device.Blocks(n) {
			found = found || x == inner
		}
	})
	return found
}

func putFlags(gaps []*gap, p place, kind int, n device.Node) []*gap {
	for _, g := range gaps {
		if g.block == p.block && g.at == p.at {
			g.flags[kind] = append(g.flags[kind], n)
			return gaps
		}
	}
	g := &gap{block: p.block, at: p.at}
	g.flags[kind] = append(g.flags[kind], n)
	return append(gaps, g)
}

func rebuild(b *device.Block, gaps []*gap) {
	var out []device.Node
	for i := 0; i <= len(b.Nodes); i++ {
		for _, g := range gaps {
			if g.block == b && g.at == i {
				for _, flags := range g.flags {
					out = append(out, flags...)
				}
			}
		}
		if i < len(b.Nodes) {
			out = append(out, b.Nodes[i])
		}
	}
	b.Nodes = out
}
