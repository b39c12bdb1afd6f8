package lower

import (
	"errors"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// firstCall is the first call of an API.
func firstCall(p *device.Program, api string) *device.Call {
	var out *device.Call
	device.Walk(p.Body, func(_ *device.Block, _ int, n device.Node) {
		if c, ok := n.(*device.Call); ok && c.API == api && out == nil {
			out = c
		}
	})
	return out
}

// setField changes an integer field of a parameter struct.
func setField(c *device.Call, name string, x scalar.Int) {
	for _, a := range c.Args {
		s, ok := a.(device.Struct)
		if !ok {
			continue
		}
		for i, f := range s.Fields {
			if f.Name == name {
				s.Fields[i].Value = device.Number{X: x}
			}
		}
	}
}

func setNumber(c *device.Call, arg int, x scalar.Int) { c.Args[arg] = device.Number{X: x} }

func event(p *device.Program, name string) *device.Event {
	for _, e := range p.Events {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// drop removes the first node that matches.
func drop(b *device.Block, match func(device.Node) bool) bool {
	for i, n := range b.Nodes {
		if match(n) {
			b.Nodes = append(b.Nodes[:i:i], b.Nodes[i+1:]...)
			return true
		}
		for _, inner := range device.Blocks(n) {
			if drop(inner, match) {
				return true
			}
		}
	}
	return false
}

func isFlag(name string, set bool) func(device.Node) bool {
	return func(n device.Node) bool {
		f, ok := n.(*device.Flag)
		return ok && f.Event.Name == name && f.Set == set
	}
}

func linear() *kernel.Builder { return int8Linear(32, 48, 64) }

// breaches are edits that break one rule each.
var breaches = []struct {
	rule, name string
	kernel     func() *kernel.Builder
	edit       func(*device.Program)
}{
	{"api", "call that the chip lacks", scaleRows, func(p *device.Program) {
		firstCall(p,
			"Muls").API = "DataCopyPad"
	}},
	{"api", "type that the call does not take", scaleRows, func(p *device.Program) {
		for _, b := range p.Buffers {
			b.Elem = soc.Int8
		}
		c := firstCall(p, "Muls")
		for i, a := range c.Args {
			if l, ok := a.(device.Local); ok {
				l.Elem = soc.Int8
				c.Args[i] = l
			}
		}
	}},
	{"api", "copy on another pipe than its path's", scaleRows,
		func(p *device.Program) { firstCall(p, "DataCopy").Pipe = device.MTE1 }},
	{"cast", "mode that the pair lacks", addNorm, func(p *device.Program) {
		firstCall(p, "Cast").Args[2] = device.Enum("RoundMode::CAST_CEIL")
	}},
	{"types", "operands of two types", addNorm, func(p *device.Program) {
		c := firstCall(p, "Add")
		l := c.Args[2].(device.Local)
		l.Elem = soc.Int16
		c.Args[2] = l
	}},
	{"types", "product that the chip lacks", linear, func(p *device.Program) {
		c := firstCall(p, "Mmad")
		l := c.Args[0].(device.Local)
		l.Elem = soc.Float
		c.Args[0] = l
	}},
	{"types", "drain that the chip lacks", linear, func(p *device.Program) {
		device.Walk(p.Body, func(_ *device.Block, _ int, n device.Node) {
			if c, ok := n.(*device.Call); ok && c.API == "DataCopy" && c.Pipe == device.V {
				c.Args[3].(device.Named).Fields[1].Value = device.Enum("DeqScale::VDEQ8")
			}
		})
	}},
	{"capacity", "end of the memory", scaleRows,
		func(p *device.Program) { p.Buffers[1].Addr = 250 << 10 }},
	{"capacity", "two buffers at one place", scaleRows,
		func(p *device.Program) { p.Buffers[1].Addr = 4096 }},
	{"alignment", "address of a vector operand", scaleRows, func(p *device.Program) {
		c := firstCall(p, "Muls")
		l := c.Args[1].(device.Local)
		l.Off = scalar.C(8)
		c.Args[1] = l
	}},
	{"alignment", "address in the accumulators", linear, func(p *device.Program) {
		c := firstCall(p, "Mmad")
		l := c.Args[0].(device.Local)
		l.Off = scalar.C(64)
		c.Args[0] = l
	}},
	{"limit", "blocks of a copy", linear, func(p *device.Program) {
		setField(firstCall(p, "DataCopy"), "blockLen", scalar.C(1))
		setField(strided(p), "blockCount", scalar.C(5000))
	}},
	{"limit", "gap of 17 bits", linear, func(p *device.Program) {
		setField(strided(p),
			"srcGap", scalar.C(70000))
	}},
	{"limit", "depth of 13 bits", linear, func(p *device.Program) {
		setField(firstCall(p,
			"Mmad"), "k", scalar.C(4096))
	}},
	{"limit", "repeats of 9 bits", linear, func(p *device.Program) {
		setNumber(firstCall(p,
			"Mul"), 4, scalar.C(256))
	}},
	{"limit", "stride of 9 bits", linear, func(p *device.Program) {
		setField(firstCall(p,
			"Mul"), "dstRepStride", scalar.C(256))
	}},
	{"limit", "mask of more than a repeat", linear, func(p *device.Program) {
		firstCall(p, "Mul").Args[3] = device.Number{X: scalar.C(65), Type: "uint64_t"}
	}},
	{"limit", "copy of a part of a block", scaleRows,
		func(p *device.Program) { setNumber(firstCall(p, "DataCopy"), 2, scalar.C(8)) }},
	{"zero count", "count that may be zero", scaleRows, func(p *device.Program) {
		setNumber(firstCall(p, "Muls"), 3, p.Params[0].Int().SubN(1))
	}},
	{"bounds", "tile", scaleRows, func(p *device.Program) {
		firstCall(p,
			"Muls").Access[0].Len = scalar.C(8194)
	}},
	{"bounds", "tensor", scaleRows, func(p *device.Program) {
		a := firstCall(p, "DataCopy").Access
		a[1].Off = a[1].Off.AddN(8192)
	}},
	{"bounds", "before the tensor", scaleRows, func(p *device.Program) {
		a := firstCall(p, "DataCopy").Access
		a[1].Off = a[1].Off.SubN(32)
	}},
	{"int32", "product of 33 bits", scaleRows, func(p *device.Program) {
		c := firstCall(p, "DataCopy")
		g := c.Args[1].(device.Global)
		g.Off = p.Params[0].Int().MulN(1 << 23)
		c.Args[1] = g
	}},
	{"overlap", "source and result a block apart", scaleRows, func(p *device.Program) {
		c := firstCall(p, "Muls")
		c.Access[1].Buf, c.Access[1].Slot = c.Access[0].Buf, c.Access[0].Slot
		c.Access[1].Off = scalar.C(32)
		c.Access[0].Len, c.Access[1].Len = scalar.C(512), scalar.C(512)
	}},
	{"pairs", "flag that does not exist", scaleRows, func(p *device.Program) {
		e := event(p,
			"xTileReady")
		e.From, e.To = device.M, device.MTE3
	}},
	{"pairs", "barrier that does not exist", addNorm, func(p *device.Program) {
		device.Walk(p.Body, func(_ *device.Block, _ int, n device.Node) {
			if b, ok := n.(*device.Barrier); ok {
				b.Pipe = device.FIX
			}
		})
	}},
	{"flag ids", "id beyond the last", scaleRows, func(p *device.Program) {
		event(p,
			"xTileFree").Base = 7
	}},
	{"flag ids", "ids shared", linear, func(p *device.Program) {
		e := event(p, "wTileReady")
		e.Base = event(p, "xTileReady").Base
	}},
	{"flag ids", "index beyond the event", scaleRows, func(p *device.Program) {
		event(p,
			"xTileFree").Count = 1
	}},
	{"balance", "set without wait", scaleRows, func(p *device.Program) {
		drop(p.Body,
			isFlag("xTileReady", false))
	}},
	{"protocol", "wait without set", scaleRows, func(p *device.Program) {
		drop(p.Body,
			isFlag("yTileReady", true))
	}},
	{"protocol", "not primed", scaleRows, func(p *device.Program) {
		drop(p.Body,
			isFlag("xTileFree", true))
	}},
	{"order", "event missing", scaleRows, func(p *device.Program) {
		for drop(p.Body, isFlag("xTileReady", true)) || drop(p.Body, isFlag("xTileReady", false)) {
		}
	}},
	{"order", "barrier missing", addNorm, func(p *device.Program) {
		drop(p.Body, func(n device.Node) bool { _, ok := n.(*device.Barrier); return ok })
	}},
}

// Each rule has at least one program that breaks it and, with the edit undone, no rule.
func TestEachRuleCatchesItsBreach(t *testing.T) {
	covered := map[string]bool{"halves": true} // by TestHalvesMustMatch
	for _, c := range breaches {
		covered[c.rule] = true
		p := lowered(t, c.kernel())
		c.edit(p)
		var got device.RuleErrors
		if !errors.As(device.Verify(p), &got) {
			t.Errorf("%s: %s: nothing found", c.rule, c.name)
			continue
		}
		found := false
		for _, b := range got {
			found = found || b.Rule.Label == c.rule
		}
		if !found {
			t.Errorf("%s: %s: found only %v", c.rule, c.name, got)
		}
	}
	for _, r := range device.Rules() {
		if !covered[r.Label] || r.What == "" || r.Source == "" {
			t.Errorf("rule %s has no test, text or source", r.Label)
		}
	}
}

// strided is the first copy with gaps that are not part of a row scatter.
func strided(p *device.Program) *device.Call {
	var out *device.Call
	device.Walk(p.Body, func(_ *device.Block, _ int, n device.Node) {
		c, ok := n.(*device.Call)
		if ok && c.API == "DataCopy" && c.Pipe == device.MTE3 {
			out = c
		}
	})
	return out
}

func TestBreachIsOneLineWithItsSource(t *testing.T) {
	p := lowered(t, scaleRows())
	event(p, "xTileFree").Base = 7
	want := "rule flag ids: scale_rows: event xTileFree: ids 7 to 8, allowed are 0 to 7 (asc-devkit docs) " +
		"(asc-devkit docs)"
	if got := device.Verify(p).Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What cannot be lowered says why, and what to do.
func TestLowerRefuses(t *testing.T) {
	cases := []struct {
		name, want string
		write      func(*kernel.Builder)
	}{
		{"too large",
			"kernel k: assign addresses: 262144 bytes of ub do not fit the 253952 usable on " +
				"Ascend310P3 (headers 8.1.RC1): " +
				"t 2×131072; use smaller tiles, fewer slots or phases", func(k *kernel.Builder) {
				r := k.Ring("t", 2, kernel.VecTile(kernel.F32, 1, 32768))
				k.Fill(r.Next(), kernel.F(0))
			}},
		{"no such cast",
			"kernel k: lower statements: cast of a to b: " +
				"Ascend310P3 has no Cast from float to int8_t (asc-devkit docs)",
			func(k *kernel.Builder) {
				k.Cast(k.Tile("b", kernel.VecTile(kernel.I8, 1, 32)),
					k.Tile("a", kernel.VecTile(kernel.F32, 1, 32)), kernel.Nearest)
			}},
		{"no such rounding",
			`kernel k: lower statements: cast of a from float to half has no rounding "up" on Ascend310P3`,
			func(k *kernel.Builder) {
				k.Cast(k.Tile("b", kernel.VecTile(kernel.F16, 1, 32)),
					k.Tile("a", kernel.VecTile(kernel.F32, 1, 32)), kernel.Up)
			}},
		{"shared by load and use",
			"kernel k: derive flags: t is shared by the load and the use of a stream: " +
				"only slots that the load takes may be",
			func(k *kernel.Builder) {
				x := k.Input("x", kernel.F32, kernel.Matrix(n(4), 64))
				a := k.Tile("t", kernel.VecTile(kernel.F32, 1, 64))
				k.Stream("i", n(0), n(4), 1, func(i kernel.Int) { k.Load(a, x.Rows(i, n(1))) },
					func(kernel.Int) { k.Exp(a, a) })
			}},
		{"ring of one in a stream",
			"kernel k: derive flags: tile t passes from the load of a stream to its use: " +
				"it must be a ring of at least 2",
			func(k *kernel.Builder) {
				x := k.Input("x", kernel.F32, kernel.Matrix(n(4), 64))
				var a kernel.Tile
				k.Stream("i", n(0), n(4), 1, func(i kernel.Int) {
					a = k.Tile("t", kernel.VecTile(kernel.F32, 1, 64))
					k.Load(a, x.Rows(i, n(1)))
				}, func(kernel.Int) { k.Exp(a, a) })
			}},
		{"used outside",
			"kernel k: lower statements: tile t is used outside the block that took it", func(k *kernel.Builder) {
				var a kernel.Tile
				k.For("i", n(0), n(4), 1, func(kernel.Int) {
					a = k.Tile("t", kernel.VecTile(kernel.F32, 1, 64))
					k.Fill(a, kernel.F(0))
				})
				k.Exp(a, a)
			}},
	}
	for _, c := range cases {
		k := kernel.New("k", "test")
		c.write(k)
		_, err := Lower(build(t, k), chip310P(t))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
}
