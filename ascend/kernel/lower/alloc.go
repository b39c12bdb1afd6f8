package lower

import (
	"fmt"
	"strings"

	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// assignAddresses gives every buffer its address: those of the kernel from the start of each
// memory, those of a phase after them. What ends a phase, where something follows it, is a barrier of
// all pipes.
func (l *lowerer) assignAddresses() error {
	for _, space := range []soc.Space{soc.UB, soc.L1, soc.L0A, soc.L0B, soc.L0C} {
		base := l.bump(space, l.prog.Body, 0)
		device.Walk(l.prog.Body, func(_ *device.Block, _ int, n device.Node) {
			if p, ok := n.(*device.Phase); ok {
				l.bump(space, p.Body, base)
			}
		})
		if err := l.fits(space); err != nil {
			return err
		}
	}
	last := lastPhase(l.prog.Body)
	device.Walk(l.prog.Body, func(_ *device.Block, _ int, n device.Node) {
		if p, ok := n.(*device.Phase); ok && p != last {
			p.Body.Nodes = append(p.Body.Nodes, &device.Barrier{Pipe: device.All})
		}
	})
	return nil
}

// lastPhase is the phase after which a kernel touches no memory, if it ends with one.
func lastPhase(b *device.Block) *device.Phase {
	for i := len(b.Nodes) - 1; i >= 0; i-- {
		if p, ok := b.Nodes[i].(*device.Phase); ok {
			return p
		}
		touches := false
		device.Walk(&device.Block{Nodes: b.Nodes[i : i+1]}, func(_ *device.Block, _ int, n device.Node) {
			c, ok := n.(*device.Call)
			touches = touches || ok && len(c.Access) > 0
		})
		if touches {
			return nil
		}
	}
	return nil
}

// bump places the buffers of one scope one after another and returns where they end.
func (l *lowerer) bump(space soc.Space, scope *device.Block, at int) int {
	align := alignment(l.chip, space)
	for _, b := range l.prog.Buffers {
		if b.Space != space || l.bodies[l.scopes[b]] != scope {
			continue
		}
		b.Bytes = roundUp(b.Bytes, align)
		b.Addr = at
		at += b.Bytes * b.Depth
	}
	return at
}

func alignment(chip *soc.Chip, space soc.Space) int {
	if space == soc.L0C {
		return int(chip.At(soc.L0CMmadAlign))
	}
	return int(chip.Memory(space).Align.Value)
}

// fits checks the capacity of a memory.
func (l *lowerer) fits(space soc.Space) error {
	usable := l.chip.Memory(space).Usable
	end := 0
	var sizes []string
	for _, b := range l.prog.Buffers {
		if b.Space == space {
			end = max(end, b.Addr+b.Bytes*b.Depth)
			sizes = append(sizes, fmt.Sprintf("%s %d×%d", b.Name, b.Depth, b.Bytes))
		}
	}
	if int64(end) <= usable.Value {
		return nil
	}
	return fmt.Errorf("%d bytes of %s do not fit the %d usable on %s (%s): %s; "+
		"use smaller tiles, fewer slots or phases",
		end, space, usable.Value, l.chip.Name(), usable.Source, strings.Join(sizes, ", "))
}
