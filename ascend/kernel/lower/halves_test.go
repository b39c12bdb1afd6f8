package lower

import (
	"errors"
	"testing"

	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
)

// crossCall matches calls of an API on a pipe.
func crossCall(api string, pipe device.Pipe) func(device.Node) bool {
	return func(n device.Node) bool {
		c, ok := n.(*device.Call)
		return ok && c.API == api && c.Pipe == pipe
	}
}

// A signal or a wait that only one half of a split core has is a breach, where it is.
func TestHalvesMustMatch(t *testing.T) {
	const inLoop = `halves: attend: for page = 0..pages step 1: `
	for _, c := range []struct {
		name, want string
		edit       func(cube, vector *device.Program)
	}{
		{"nothing", "", func(_, _ *device.Program) {}},
		{"no signal", inLoop + "one half sets flag 0 0 times, the other waits for it 1 times",
			func(cube, _ *device.Program) { drop(cube.Body, crossCall("CrossCoreSetFlag", device.FIX)) }},
		{"no credit", "halves: attend: the whole kernel: " +
			"one half sets flag 1 1 times, the other waits for it 2 times",
			func(_, vector *device.Program) {
				drop(vector.Body, crossCall("CrossCoreSetFlag", device.MTE2))
			}},
		{"no wait", inLoop + "one half sets flag 0 1 times, the other waits for it 0 times",
			func(_, vector *device.Program) {
				drop(loopOf(vector).Body, crossCall("CrossCoreWaitFlag", device.S))
			}},
		{"another loop", `halves: attend: the whole kernel: ` +
			`one half sets flags in ["for page = 0..pages step 1"], ` +
			`the other waits for them in ["for page = 0..8 step 1"]`,
			func(_, vector *device.Program) { loopOf(vector).Hi = scalar.C(8) }},
	} {
		p := loweredFor(t, attend(16, 64, 96), chipNamed(t, "Ascend910B4"))
		c.edit(p, p.Peer)
		first := ""
		var got device.RuleErrors
		if errors.As(device.VerifyHalves(p), &got) {
			b := got[0]
			first = b.Rule.Label + ": " + b.Kernel + ": " + b.Where + ": " + b.Why
		}
		if first != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, first, c.want)
		}
		if whole := device.Verify(p); (whole == nil) != (c.want == "") {
			t.Errorf("%s: verified: %v", c.name, whole)
		}
	}
}

// loopOf is the loop over pages.
func loopOf(p *device.Program) *device.Loop {
	var out *device.Loop
	device.Walk(p.Body, func(_ *device.Block, _ int, n device.Node) {
		if l, ok := n.(*device.Loop); ok && l.Var.Name == "page" {
			out = l
		}
	})
	return out
}
