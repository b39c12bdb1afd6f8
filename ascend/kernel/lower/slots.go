package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// take lowers the taking of a slot.
func (l *lowerer) take(s *kernel.Slot) {
	l.hold(s, l.takeOf(l.buffer(s.Buf)))
}

// hold lets the statements of the block, and no others, use a slot.
func (l *lowerer) hold(s *kernel.Slot, d *device.Slot) {
	l.slots[s] = d
	l.held = append(l.held, s)
}

// takeOf takes the next slot of buffers of one depth.
func (l *lowerer) takeOf(bufs ...*device.Buffer) *device.Slot {
	b := bufs[0]
	slot := &device.Slot{Bufs: bufs}
	for _, x := range bufs {
		slot.Names = append(slot.Names, l.slotName(x))
	}
	n := &device.Take{Slot: slot}
	if b.Depth > 1 {
		if l.turns[b] == nil {
			l.turns[b] = &device.Turn{Name: l.unique(b.Name + "Next"), Depth: b.Depth}
			l.prog.Turns = append(l.prog.Turns, l.turns[b])
		}
		n.Turn = l.turns[b]
		slot.Index = scalar.NewTurn(l.unique(b.Name+"Slot"), b.Depth)
	}
	l.emit(n)
	return slot
}

// slotName names the tensor of a slot: as the author named the ring, numbered where it is taken
// more than once.
func (l *lowerer) slotName(b *device.Buffer) string {
	if b.Depth == 1 || !l.taken[b] {
		l.taken[b] = true
		return b.Name
	}
	return l.unique(b.Name)
}

var spaces = [...]soc.Space{kernel.Vec: soc.UB, kernel.Mat: soc.L1, kernel.Acc: soc.L0C}

// buffer makes the storage of an author's buffer.
func (l *lowerer) buffer(b *kernel.Buffer) *device.Buffer {
	if d := l.bufs[b]; d != nil {
		return d
	}
	depth := min(b.Depth, max(l.mostSlots, leastSlots(l.kernel.Body, b)))
	d := l.storage(b.Name, b.Type.Elem, spaces[b.Type.Memory], b.Type.Bytes(), depth, b.Scope)
	l.bufs[b] = d
	return d
}

func (l *lowerer) storage(name string, e soc.Elem, space soc.Space, bytes, depth int,
	scope *kernel.Body) *device.Buffer {
	d := &device.Buffer{Name: name, Elem: e, Space: space, Bytes: bytes, Depth: depth}
	l.prog.Buffers = append(l.prog.Buffers, d)
	l.scopes[d] = scope
	return d
}

// temp takes storage for the statement being lowered. Statements of one phase share it: the widest
// decides, and others read it as their own type.
func (l *lowerer) temp(name string, e soc.Elem, space soc.Space, bytes int) device.Local {
	key := tempKey{name, l.scope}
	b := l.temps[key]
	if b == nil {
		b = l.storage(l.unique(name), e, space, 0, 1, l.scope)
		l.temps[key] = b
	}
	b.Bytes = max(b.Bytes, roundUp(bytes, kernel.Block))
	return device.Local{Buf: b, Slot: l.takeOf(b), Elem: e}
}

type tempKey struct {
	name  string
	scope *kernel.Body
}

// local is the tensor that a tile starts at.
func (l *lowerer) local(t kernel.Tile) device.Local {
	d := device.Local{Buf: l.buffer(t.Buf), Elem: t.Elem(), Off: t.Offset()}
	if t.Slot != nil {
		d.Slot = l.slots[t.Slot]
		if d.Slot == nil {
			l.errorf("tile %s is used outside the block that took it", t.Buf.Name)
			d.Slot = &device.Slot{Bufs: []*device.Buffer{d.Buf}}
		}
	}
	return d
}
