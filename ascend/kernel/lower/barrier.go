package lower

import "moge/ascend/kernel/device"

// insertBarriers runs the program on the abstract machine, on every sampled path, and puts a
// barrier before each call that depends on an earlier one of its own pipe which nothing else
// separates.
func (l *lowerer) insertBarriers() error {
	calls := map[*device.Call]bool{}
	for _, path := range device.Paths(l.prog) {
		device.AddBarriers(l.prog, path, calls)
	}
	insertBefore(l.prog.Body, calls)
	return nil
}

func insertBefore(b *device.Block, calls map[*device.Call]bool) {
	var out []device.Node
	for _, n := range b.Nodes {
		for _, inner := range device.Blocks(n) {
			insertBefore(inner, calls)
		}
		if c, ok := n.(*device.Call); ok && calls[c] {
			out = append(out, &device.Barrier{Pipe: c.Pipe})
		}
		out = append(out, n)
	}
	b.Nodes = out
}

// verify runs every rule over the finished program.
func (l *lowerer) verify() error { return device.Verify(l.prog) }
