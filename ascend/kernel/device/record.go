package device

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
)

// record is an access that may still run.
type record struct {
	call   *Call
	pipe   Pipe
	seq    int
	access Access // offsets with loop variables replaced
	slot   int
	text   string // of the bytes
}

// selfConflict reports whether n depends on an earlier call of its own pipe that may still run.
func (m *machine) selfConflict(n *Call) bool {
	if n.Pipe == S {
		return false
	}
	now := m.start(n.Pipe)
	for _, a := range n.Access {
		r, key, ok := m.record(n, a)
		for _, old := range m.records[key] {
			if ok && old.pipe == n.Pipe && m.conflicts(old, r, now) {
				return true
			}
		}
	}
	return false
}

// record is an access with what its variables hold, and the storage it belongs to; inputs are not
// recorded, nor what counters between the halves of a core order.
func (m *machine) record(n *Call, a Access) (r *record, key any, ok bool) {
	key = keyOf(&a)
	if a.Global != nil {
		if a.Global.Role == kernel.In || a.Global.Role == kernel.Exchange {
			return nil, nil, false
		}
	}
	a.Off, a.Len = m.value(a.Off), m.value(a.Len)
	if a.Count != nil {
		count := m.value(*a.Count)
		a.Count = &count
	}
	r = &record{call: n, pipe: n.Pipe, seq: m.count[n.Pipe], access: a}
	if a.Slot != nil {
		r.slot = m.number(a.Slot.At())
	}
	return r, key, true
}

func (m *machine) access(n *Call, now clock, a Access) {
	r, key, ok := m.record(n, a)
	if !ok {
		return
	}
	kept := m.records[key][:0]
	for _, old := range m.records[key] {
		if (old.call != n || old.seq != r.seq) && m.conflicts(old, r, now) {
			m.report(old, r)
		}
		if !m.settled(old, key) {
			kept = append(kept, old)
		}
	}
	m.records[key] = append(kept, r)
}

// settled reports whether every pipe that may touch the storage knows old to be complete, so that
// it can be forgotten.
func (m *machine) settled(old *record, key any) bool {
	for _, p := range m.users[key] {
		if m.clocks[p][old.pipe] < old.seq {
			return false
		}
	}
	return true
}

// conflicts reports whether r touches what old may still be at, one of them writing.
func (m *machine) conflicts(old, r *record, now clock) bool {
	if !old.access.Write && !r.access.Write || old.slot != r.slot || now[old.pipe] >= old.seq {
		return false
	}
	return !m.memo.areApart(old, r)
}

func (m *machine) report(old, r *record) {
	for _, c := range m.out.Conflicts {
		if c.First == old.call && c.Second == r.call {
			return
		}
	}
	m.out.Conflicts = append(m.out.Conflicts, Conflict{old.call, r.call, accessName(&r.access)})
}

// apart reports whether two accesses provably have no byte in common.
func apart(a, b *Access) bool {
	if scalar.Proves(a.End(), b.Off) || scalar.Proves(b.End(), a.Off) {
		return true
	}
	if a.Count == nil || b.Count == nil || a.Pitch != b.Pitch {
		return false
	}
	d, ok := b.Off.Sub(a.Off).Mod(a.Pitch).Const()
	if !ok {
		return false
	}
	d = (d + a.Pitch) % a.Pitch
	return scalar.Proves(a.Len, scalar.C(d)) && scalar.Proves(b.Len, scalar.C(a.Pitch-d))
}
