package device

import (
	"fmt"
	"slices"
	"sort"

	"moge/ascend/soc"
)

// checkCapacity checks that buffers end inside their memory, and that none overlap that live at
// the same time.
func checkCapacity(v *verifier) {
	for _, b := range v.prog.Buffers {
		usable := v.prog.Chip.Memory(b.Space).Usable
		if end := int64(b.Addr + b.Bytes*b.Depth); end > usable.Value {
			v.breach("buffer "+b.Name, "ends at %d of %d usable bytes of %s (%s)", end,
				usable.Value, b.Space, usable.Source)
		}
	}
	for _, scope := range v.lifetimes() {
		v.checkApart(scope)
	}
}

// lifetimes lists, for each phase and for the whole, the buffers used in it with those used outside
// of all phases.
func (v *verifier) lifetimes() [][]*Buffer {
	var phases []*Phase
	Walk(v.prog.Body, func(_ *Block, _ int, n Node) {
		if p, ok := n.(*Phase); ok {
			phases = append(phases, p)
		}
	})
	shared := map[*Buffer]int{} // phases that use a buffer; -1 for use outside
	for i, p := range phases {
		for _, b := range used(p.Body) {
			if at, ok := shared[b]; ok && at != i {
				shared[b] = -1
			} else {
				shared[b] = i
			}
		}
	}
	scopes := make([][]*Buffer, max(len(phases), 1))
	for _, b := range v.prog.Buffers {
		at, inPhase := shared[b]
		for i := range scopes {
			if !inPhase || at == -1 || at == i {
				scopes[i] = append(scopes[i], b)
			}
		}
	}
	return scopes
}

// used lists the buffers that calls in b touch.
func used(b *Block) []*Buffer {
	var out []*Buffer
	Walk(b, func(_ *Block, _ int, n Node) {
		if c, ok := n.(*Call); ok {
			for _, a := range c.Access {
				if a.Buf != nil {
					out = append(out, a.Buf)
				}
			}
		}
	})
	return out
}

func (v *verifier) checkApart(bs []*Buffer) {
	for i, a := range bs {
		for _, b := range bs[i+1:] {
			if a.Space == b.Space && a.Addr < b.Addr+b.Bytes*b.Depth && b.Addr < a.Addr+a.Bytes*a.Depth {
				v.breach("buffer "+a.Name, "overlaps %s", b.Name)
			}
		}
	}
}

// checkPairs checks that flags exist between the pipes, and barriers for the pipe.
func checkPairs(v *verifier) {
	core := v.prog.Core
	Walk(v.prog.Body, func(_ *Block, _ int, n Node) {
		switch n := n.(type) {
		case *Flag:
			if !v.prog.Chip.CanSignal(core, n.Event.From, n.Event.To) {
				v.breach(NodeText(n), "no flag exists from %s to %s", n.Event.From, n.Event.To)
			}
		case *Barrier:
			if n.Pipe != All && !v.prog.Chip.Barrier(core, n.Pipe) {
				v.breach(NodeText(n), "no barrier exists for %s", n.Pipe)
			}
		}
	})
}

// checkEventIDs checks that ids lie in what kernels may set, and that the flags of one pair that
// are alive together differ.
func checkEventIDs(v *verifier) {
	limit := v.prog.Chip.Fact(soc.EventIDsByHand)
	for _, e := range v.prog.Events {
		if e.Base < 0 || int64(e.Base+e.Count) > limit.Value {
			v.breach("event "+e.Name, "ids %d to %d, allowed are 0 to %d (%s)", e.Base,
				e.Base+e.Count-1, limit.Value-1, limit.Source)
		}
	}
	phase := v.phaseOfEvents()
	for i, e := range v.prog.Events {
		for _, f := range v.prog.Events[i+1:] {
			together := phase[e] == phase[f] || phase[e] == nil || phase[f] == nil
			if together && e.From == f.From && e.To == f.To && e.Base < f.Base+f.Count &&
				f.Base < e.Base+e.Count {
				v.breach("event "+e.Name, "shares ids of %s_%s with %s", e.From, e.To, f.Name)
			}
		}
	}
	v.checkIndices()
}

// phaseOfEvents maps events that one phase alone uses to it.
func (v *verifier) phaseOfEvents() map[*Event]*Phase {
	out := map[*Event]*Phase{}
	var visit func(b *Block, p *Phase)
	seen := map[*Event]bool{}
	visit = func(b *Block, p *Phase) {
		for _, n := range b.Nodes {
			switch n := n.(type) {
			case *Flag:
				if seen[n.Event] && out[n.Event] != p {
					out[n.Event] = nil
				} else {
					out[n.Event] = p
				}
				seen[n.Event] = true
			case *Phase:
				visit(n.Body, n)
				continue
			}
			for _, inner := range Blocks(n) {
				visit(inner, p)
			}
		}
	}
	visit(v.prog.Body, nil)
	return out
}

// checkIndices checks that a flag's index lies within its event.
func (v *verifier) checkIndices() {
	Walk(v.prog.Body, func(_ *Block, _ int, n Node) {
		if f, ok := n.(*Flag); ok {
			if lo, hi := f.Index.Range(); lo < 0 || hi >= int64(f.Event.Count) {
				v.breach(NodeText(f), "index can be %d to %d of %d flags", lo, hi, f.Event.Count)
			}
		}
	})
}

// checkBalance checks that bodies of loops and conditions, and the whole, set and wait equally
// often, so that no number of iterations leaves a flag over. Streams balance load against use.
func checkBalance(v *verifier) {
	v.balance(v.prog.Body, "the whole kernel")
}

// balance returns what a block sets minus what it waits for, for each flag.
func (v *verifier) balance(b *Block, what string) map[string]int {
	net := map[string]int{}
	for _, n := range b.Nodes {
		switch n := n.(type) {
		case *Flag:
			count(net, n)
		case *Loop:
			v.running = append(v.running, n.Var)
			v.balance(n.Body, "the body of "+n.Var.Name)
			v.running = v.running[:len(v.running)-1]
		case *If:
			v.balanceIf(n, net)
		case *Phase:
			v.balance(n.Body, "phase "+n.Name)
		}
	}
	for _, key := range sortedKeys(net) {
		if net[key] != 0 {
			v.breach(what, "sets %s %d times more than it waits for it", key, net[key])
		}
	}
	return net
}

func count(net map[string]int, n *Flag) {
	key := fmt.Sprintf("%s+%v", n.Event.Name, n.Index)
	if n.Set {
		net[key]++
	} else {
		net[key]--
	}
}

// balanceIf checks a condition; loads ahead of a stream count as part of the loop body, where the
// use of the same iteration number answers them.
func (v *verifier) balanceIf(n *If, net map[string]int) {
	if n.Of != nil {
		load := map[string]int{}
		for _, x := range n.Then.Nodes {
			if f, ok := x.(*Flag); ok {
				count(load, f)
			}
		}
		if !slices.Contains(v.running, n.Of) {
			return // the first load: the loop that follows is checked with a load in its body
		}
		for _, key := range sortedKeys(load) {
			net[key] += load[key]
		}
		return
	}
	v.balance(n.Then, "the branch "+n.Cond.String())
	if n.Else != nil {
		v.balance(n.Else, "the branch against "+n.Cond.String())
	}
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// checkProtocol reports what the abstract machine says about flags.
func checkProtocol(v *verifier) {
	paths := Paths(v.prog)
	for i, found := range v.findings() {
		for _, f := range found.Flags {
			v.breach("path "+paths[i].Name, "%s", f)
		}
	}
}

// checkOrder reports accesses that nothing orders.
func checkOrder(v *verifier) {
	paths := Paths(v.prog)
	for i, found := range v.findings() {
		for _, c := range found.Conflicts {
			v.breach(NodeText(c.Second), "conflicts on %s with %s when %s", c.What,
				NodeText(c.First), paths[i].Name)
		}
	}
}
