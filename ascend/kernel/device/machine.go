package device

import (
	"fmt"
	"slices"

	"moge/ascend/kernel/scalar"
)

// The abstract machine runs a program on one path: loops run a few iterations, conditions are
// decided by the path, offsets stay symbolic. It keeps for each pipe what is known to be complete
// of every pipe (vector clocks), and reports accesses that conflict without an order, and
// flags that are set twice, waited for in vain or left over.

// Conflict is two accesses of the same bytes, at least one a write, that nothing orders.
type Conflict struct {
	First, Second *Call
	What          string // buffer or tensor
}

// Findings is what a run saw.
type Findings struct {
	Conflicts []Conflict
	Flags     []string // breaches of the flags' protocol
}

// Any reports whether there is a finding.
func (f *Findings) Any() bool { return len(f.Conflicts)+len(f.Flags) > 0 }

type clock [Pipes]int

func (c *clock) join(d clock) {
	for i := range c {
		c[i] = max(c[i], d[i])
	}
}

type flagState struct {
	set    bool
	clock  clock
	waiter Pipe
	waited int // number of the wait among the waiter's instructions
}

type flagKey struct {
	event *Event
	index int
}

type machine struct {
	path     Path
	memo     *memo
	decide   *decider
	loops    map[*scalar.Var]*Loop
	barriers map[*Call]bool // gets the barriers that are missing; nil: what is missing is reported
	clocks   [Pipes]clock
	count    clock
	records  map[any][]*record
	users    map[any][]Pipe // pipes that touch a buffer or tensor anywhere
	flags    map[flagKey]*flagState
	order    []flagKey
	env      []binding
	turns    map[*Turn]int
	trips    map[*scalar.Var]int // iterations of running loops
	turn     map[*scalar.Var]int // current iteration
	reads    int
	out      Findings
}

type binding struct {
	v *scalar.Var
	x Int
}

// Run executes p on path and reports what it finds.
func Run(p *Program, path Path) Findings { return run(p, path, nil) }

// AddBarriers executes p on path and adds to barriers the calls that need one of their pipe before
// them, beyond those in the tree.
func AddBarriers(p *Program, path Path, barriers map[*Call]bool) { run(p, path, barriers) }

func run(p *Program, path Path, barriers map[*Call]bool) Findings {
	m := &machine{path: path, memo: path.memo, decide: newDecider(path), loops: loopsOf(p), barriers: barriers,
		records: map[any][]*record{}, users: usersOf(p),
		flags: map[flagKey]*flagState{}, turns: map[*Turn]int{},
		trips: map[*scalar.Var]int{}, turn: map[*scalar.Var]int{}}
	if m.memo == nil {
		m.memo = newMemo()
	}
	m.block(p.Body)
	for _, k := range m.order {
		if m.flags[k].set && !m.done() {
			m.breach("%s+%d is still set at the end", k.event.Name, k.index)
		}
	}
	return m.out
}

func loopsOf(p *Program) map[*scalar.Var]*Loop {
	loops := map[*scalar.Var]*Loop{}
	Walk(p.Body, func(_ *Block, _ int, n Node) {
		if l, ok := n.(*Loop); ok {
			loops[l.Var] = l
		}
	})
	return loops
}

// usersOf lists the pipes that touch each buffer and tensor.
func usersOf(p *Program) map[any][]Pipe {
	users := map[any][]Pipe{}
	Walk(p.Body, func(_ *Block, _ int, n Node) {
		c, ok := n.(*Call)
		if !ok {
			return
		}
		for i := range c.Access {
			key := keyOf(&c.Access[i])
			if !slices.Contains(users[key], c.Pipe) {
				users[key] = append(users[key], c.Pipe)
			}
		}
	})
	return users
}

// keyOf is the storage that an access belongs to.
func keyOf(a *Access) any {
	if a.Global != nil {
		return a.Global
	}
	return a.Buf
}

// done reports whether the run can end: only the first finding was wanted.
func (m *machine) done() bool {
	return m.path.First && m.out.Any()
}

func (m *machine) breach(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, f := range m.out.Flags {
		if f == text {
			return
		}
	}
	m.out.Flags = append(m.out.Flags, text)
}

func (m *machine) block(b *Block) {
	bound := len(m.env)
	for _, n := range b.Nodes {
		if m.done() {
			break
		}
		if m.path.Without == nil || !m.path.Without(n) {
			m.node(n)
		}
	}
	m.env = m.env[:bound]
}

func (m *machine) node(n Node) {
	switch n := n.(type) {
	case *Loop:
		m.loop(n)
	case *If:
		m.branch(n)
	case *Phase:
		m.block(n.Body)
	case *Take:
		m.take(n)
	case *Flag:
		m.flag(n)
	case *Barrier:
		m.barrier(n.Pipe)
	case *Call:
		m.call(n)
	}
}

func (m *machine) loop(n *Loop) {
	trips := m.decide.trips(n)
	m.trips[n.Var] = trips
	lo := m.value(n.Lo)
	if n.Units {
		lo = m.memo.read(n.Var, 0, n.Lo, n.Hi.SubN(1))
	}
	for t := 0; t < trips; t++ {
		m.turn[n.Var] = t
		bound := len(m.env)
		m.env = append(m.env, binding{n.Var, lo.AddN(t * n.Step)})
		m.block(n.Body)
		m.env = m.env[:bound]
	}
	delete(m.turn, n.Var)
}

func (m *machine) branch(n *If) {
	taken := false
	if n.Of != nil {
		taken = m.hasIteration(n)
	} else {
		taken = m.decide.taken(n)
	}
	switch {
	case taken:
		m.block(n.Then)
	case n.Else != nil:
		m.block(n.Else)
	}
}

// hasIteration answers conditions about streams as the loop itself will run.
func (m *machine) hasIteration(n *If) bool {
	if t, running := m.turn[n.Of]; running {
		return t+1 < m.trips[n.Of]
	}
	return m.decide.runsFirst(m.loops[n.Of])
}

func (m *machine) take(n *Take) {
	if n.Turn == nil {
		return
	}
	at := m.turns[n.Turn]
	m.turns[n.Turn] = (at + 1) % n.Turn.Depth
	m.env = append(m.env, binding{n.Slot.Index, scalar.C(at)})
}

// value replaces loop variables and slots by what they hold.
func (m *machine) value(x Int) Int {
	return m.memo.value(x, func(v *scalar.Var) (Int, bool) {
		for i := len(m.env) - 1; i >= 0; i-- {
			if m.env[i].v == v {
				return m.env[i].x, true
			}
		}
		return Int{}, false
	})
}

func (m *machine) number(x Int) int {
	v, ok := m.value(x).Const()
	if !ok {
		panic("BUG: slot index " + x.String() + " is not known")
	}
	return v
}

func (m *machine) flag(n *Flag) {
	k := flagKey{n.Event, m.number(n.Index)}
	f := m.flags[k]
	if f == nil {
		f = &flagState{}
		m.flags[k] = f
		m.order = append(m.order, k)
	}
	if n.Set {
		m.set(n.Event, k, f)
	} else {
		m.wait(n.Event, k, f)
	}
}

func (m *machine) set(e *Event, k flagKey, f *flagState) {
	p := e.From
	if f.set {
		m.breach("%s+%d is set twice", e.Name, k.index)
	} else if f.waited > 0 && m.start(p)[f.waiter] < f.waited && f.waiter != p {
		m.breach("%s+%d may be set again before it is waited for", e.Name, k.index)
	}
	done := m.start(p)
	done[p] = m.count[p]
	f.set, f.clock = true, done
}

func (m *machine) wait(e *Event, k flagKey, f *flagState) {
	q := e.To
	if !f.set {
		m.breach("%s+%d is waited for but not set", e.Name, k.index)
	}
	m.count[q]++
	m.clocks[q].join(m.start(q))
	m.clocks[q].join(f.clock)
	if q == S { // it has waited when it goes on
		m.clocks[S][S] = m.count[S]
	}
	f.set, f.waiter, f.waited = false, q, m.count[q]
}

// start is what is complete before the next instruction of p. That the scalar unit issues it after
// what it has done itself does not count: documents ask for flags from it as from any other pipe.
func (m *machine) start(p Pipe) clock { return m.clocks[p] }

func (m *machine) barrier(p Pipe) {
	if p != All {
		m.clocks[p].join(m.start(p))
		m.clocks[p][p] = m.count[p]
		return
	}
	for i := range m.clocks {
		m.clocks[i].join(m.count)
	}
}

func (m *machine) call(n *Call) {
	if m.barriers != nil && (m.barriers[n] || m.selfConflict(n)) {
		m.barriers[n] = true
		m.barrier(n.Pipe)
	}
	m.count[n.Pipe]++
	now := m.start(n.Pipe)
	if n.Pipe == S {
		now[S] = m.count[S]
	}
	m.clocks[n.Pipe].join(now)
	for _, a := range n.Access {
		m.access(n, now, a)
	}
	if n.Int != nil { // another value each time
		m.reads++
		fresh := m.memo.read(n.Int, m.reads, n.Int.Min, n.Int.Max)
		m.env = append(m.env, binding{n.Int, fresh})
	}
}
