package lower

import (
	"slices"

	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
)

// dropNames removes names that nothing uses: conditions and tiles looked through them, or the other
// half of a core does.
func (l *lowerer) dropNames() {
	for {
		var used []*scalar.Var
		device.EachInt(l.prog, func(x Int) { used = x.Vars(used) })
		dropped := false
		dropLets(l.block, func(v *scalar.Var) bool {
			idle := !slices.Contains(used, v)
			dropped = dropped || idle
			return idle
		})
		if !dropped {
			return
		}
	}
}

func dropLets(b *device.Block, idle func(*scalar.Var) bool) {
	b.Nodes = slices.DeleteFunc(b.Nodes, func(n device.Node) bool {
		for _, inner := range device.Blocks(n) {
			dropLets(inner, idle)
		}
		let, ok := n.(*device.Let)
		return ok && idle(let.Var)
	})
}
