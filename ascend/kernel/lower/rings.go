package lower

import "moge/ascend/kernel"

// deepest is the slots of the deepest ring of a kernel.
func deepest(k *kernel.Kernel) int {
	most := 0
	for _, b := range k.Buffers {
		most = max(most, b.Depth)
	}
	return most
}

// leastSlots is the slots that a ring cannot do without: what one block takes, twice that where
// the load of a stream does.
func leastSlots(b *kernel.Body, ring *kernel.Buffer) int {
	taken, least := 0, 0
	for _, s := range b.Stmts {
		switch s := s.(type) {
		case *kernel.Slot:
			if s.Buf == ring {
				taken++
			}
		case *kernel.Stream:
			least = max(least, 2*leastSlots(s.Load, ring), leastSlots(s.Use, ring))
		case *kernel.For:
			least = max(least, leastSlots(s.Body, ring))
		case *kernel.Phase:
			least = max(least, leastSlots(s.Body, ring))
		case *kernel.If:
			least = max(least, leastSlots(s.Then, ring))
			if s.Else != nil {
				least = max(least, leastSlots(s.Else, ring))
			}
		}
	}
	return max(taken, least)
}
