package device

import (
	"fmt"

	"moge/ascend/kernel/scalar"
)

// Mutant is a program with one fault, for tests of what finds faults.
type Mutant struct {
	What    string // what was taken away, as in the text form
	Program *Program
}

// Mutants takes away, one at a time: the order that each event gives, each setting and each wait,
// each barrier, each guard against zero counts, each bound of a name or of a loop by a minimum or a
// maximum, each filling and each setting of a register.
func Mutants(p *Program) []Mutant {
	out := mutantsOf(p)
	if p.Peer == nil {
		return out
	}
	for _, m := range mutantsOf(p.Peer) {
		whole := *p
		whole.Peer = m.Program
		out = append(out, Mutant{m.What, &whole})
	}
	return out
}

func mutantsOf(p *Program) []Mutant {
	var out []Mutant
	add := func(body *Block, format string, args ...any) {
		q := *p
		q.Body = body
		out = append(out, Mutant{fmt.Sprintf(format, args...), &q})
	}
	for _, e := range p.Events {
		add(replaced(p.Body, func(n Node) ([]Node, bool) {
			f, ok := n.(*Flag)
			return nil, ok && f.Event == e
		}), "event %s removed", e.Name)
	}
	streams := streamLoops(p.Body)
	Walk(p.Body, func(b *Block, at int, n Node) {
		if l, ok := n.(*Loop); ok && streams[l.Var] {
			return
		}
		for _, w := range weakened(n) {
			body := replaced(p.Body, func(x Node) ([]Node, bool) { return w.with, x == n })
			if l, ok := n.(*Let); ok {
				body = rename(body, l.Var, w.with[0].(*Let).Var)
			}
			add(body, "%s: %s", NodeLine(n), w.what)
		}
	})
	return out
}

// registers are calls that set what later calls depend on, and fillings.
var registers = map[string]bool{"SetDeqScale": true, "SetAtomicAdd": true, "SetAtomicNone": true,
	"Duplicate":        true,
	"CrossCoreSetFlag": true, "CrossCoreWaitFlag": true, "DataCacheCleanAndInvalid": true}

// weaker is what stands in place of a node in a mutant.
type weaker struct {
	with []Node
	what string
}

// weakened lists the mutants of a node.
func weakened(n Node) []weaker {
	switch n := n.(type) {
	case *Flag, *Barrier:
		return []weaker{{nil, "removed"}}
	case *If:
		if n.Guard {
			return []weaker{{n.Then.Nodes, "guard removed"}}
		}
	case *Let:
		if a, b, ok := bound(n.Var.Def); ok {
			return []weaker{unbounded(n, a), unbounded(n, b)}
		}
	case *Loop:
		if a, b, ok := bound(n.Hi); ok {
			return []weaker{endless(n, a), endless(n, b)}
		}
	case *Call:
		if registers[n.API] {
			return []weaker{{nil, "removed"}}
		}
	}
	return nil
}

// bound is the parts of a minimum or a maximum.
func bound(x Int) (a, b Int, ok bool) {
	a, b = x.Args()
	return a, b, x.Op() == scalar.OpMin || x.Op() == scalar.OpMax
}

// streamLoops is the loops whose iterations conditions ask for.
func streamLoops(b *Block) map[*scalar.Var]bool {
	out := map[*scalar.Var]bool{}
	Walk(b, func(_ *Block, _ int, n Node) {
		if f, ok := n.(*If); ok && f.Of != nil {
			out[f.Of] = true
		}
	})
	return out
}

// endless is n that ends at hi instead.
func endless(n *Loop, hi Int) weaker {
	c := *n
	c.Hi = hi
	c.Var = scalar.NewLoop(n.Var.Name, n.Lo, hi, n.Step)
	c.Body = CloneBlock(n.Body, n.Var, c.Var.Int())
	return weaker{[]Node{&c}, "only to " + hi.String()}
}

// unbounded is n without its minimum or maximum.
func unbounded(n *Let, x Int) weaker {
	return weaker{[]Node{&Let{scalar.NewNamed(n.Var.Name, x)}}, "only " + x.String()}
}

// NodeLine is the text of a node without what it holds.
func NodeLine(n Node) string {
	switch n := n.(type) {
	case *Loop:
		return "for " + n.Var.Name
	case *If:
		return "if " + n.Cond.String()
	case *Phase:
		return "phase " + n.Name
	}
	return NodeText(n)
}

// replaced copies a tree with nodes that match replaced; nodes that hold no others are shared.
func replaced(b *Block, match func(Node) ([]Node, bool)) *Block {
	if b == nil {
		return nil
	}
	out := &Block{}
	for _, n := range b.Nodes {
		with, ok := match(n)
		if ok {
			out.Nodes = append(out.Nodes, with...)
			continue
		}
		out.Nodes = append(out.Nodes, withBlocks(n, match))
	}
	return out
}

func withBlocks(n Node, match func(Node) ([]Node, bool)) Node {
	switch n := n.(type) {
	case *Loop:
		c := *n
		c.Body = replaced(n.Body, match)
		return &c
	case *If:
		c := *n
		c.Then, c.Else = replaced(n.Then, match), replaced(n.Else, match)
		return &c
	case *Phase:
		c := *n
		c.Body = replaced(n.Body, match)
		return &c
	}
	return n
}

// rename makes every use of from one of to.
func rename(b *Block, from, to *scalar.Var) *Block {
	s := &substitution{from: []*scalar.Var{from}, to: []Int{to.Int()}, keep: to}
	return s.finish(s.block(b))
}
