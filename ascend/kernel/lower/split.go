package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// On split cores a kernel with products is cut at the accumulators, and where tiles go the other
// way: the cube's program has the loads of operands, the products and the drains to device memory,
// the vector's has everything else; both have the loops and conditions. A tile passes through a
// ring of slots in device memory. Two counters bound it: one counts slots that are full, the other
// credits, slots that may be filled, which the reader grants at the start and the writer collects
// at the end.

// trade is one statement at which tiles pass between the halves of a core.
type trade struct {
	global     *kernel.Global
	turn       *device.Turn
	rows, cols int
	full, free int  // ids of the counters
	toVector   bool // the cube writes
}

// tradeSlots is the slots of a trade: one is filled while the other is read.
const tradeSlots = 2

// usesMatrix reports whether a kernel has tiles of the matrix side.
func usesMatrix(k *kernel.Kernel) bool {
	for _, b := range k.Buffers {
		if b.Type.Memory != kernel.Vec {
			return true
		}
	}
	return false
}

// concerns reports whether the half being lowered has a part in a statement.
func (l *lowerer) concerns(s kernel.Stmt) bool {
	cube := l.core == soc.CoreCube
	switch s := s.(type) {
	case *kernel.Slot:
		return (s.Buf.Type.Memory != kernel.Vec) == cube
	case *kernel.Load:
		return (s.Dst.Buf.Type.Memory != kernel.Vec) == cube
	case *kernel.MatMul:
		return cube
	case *kernel.Store, *kernel.Vector, *kernel.Reduce, *kernel.Gather, *kernel.Iota, *kernel.Transpose,
		*kernel.ReadFloat, *kernel.Write, *kernel.LetFloat:
		return !cube
	}
	return true
}

// exchangeAll lowers the whole kernel for one half: which core it is, credits, body, credits back.
func (l *lowerer) exchangeAll() {
	cores := int(l.chip.At(soc.AICores))
	l.coreNo = scalar.NewRead(l.unique("core"), c(0), c(cores-1))
	l.call("GetBlockIdx", device.S, nil).Int = l.coreNo
	l.openMail()
	first := len(l.block.Nodes)
	l.body(l.kernel.Body)
	rest := append([]device.Node(nil), l.block.Nodes[first:]...)
	l.block.Nodes = l.block.Nodes[:first]
	for _, t := range l.trades {
		l.grant(t)
	}
	l.block.Nodes = append(l.block.Nodes, rest...)
	for _, t := range l.trades {
		l.collect(t)
	}
	l.checkFlags()
	dropIdle(l.block)
}

// reads reports whether this half reads what passes.
func (l *lowerer) readsFrom(t *trade) bool { return t.toVector == (l.core == soc.CoreVector) }

// grant lets the writer fill every slot.
func (l *lowerer) grant(t *trade) {
	for range t.turn.Depth {
		if l.readsFrom(t) {
			l.signal(t.free, either(t == l.mail, device.S, device.MTE2))
		}
	}
}

// collect takes the credits back, so that the counter ends at zero.
func (l *lowerer) collect(t *trade) {
	for range t.turn.Depth {
		if !l.readsFrom(t) {
			l.await(t.free)
		}
	}
}

func (l *lowerer) signal(id int, p device.Pipe) {
	n := l.call("CrossCoreSetFlag", p, []device.Arg{lit(id)})
	n.Types = []string{"2", p.CppName()}
}

func (l *lowerer) await(id int) { l.call("CrossCoreWaitFlag", device.S, []device.Arg{lit(id)}) }

// newTrade makes the ring of a statement: tiles of rows × cols, two slots for each core.
func (l *lowerer) newTrade(name string, e soc.Elem, rows, cols int, toVector bool) *trade {
	name = l.unique(name + "Exchange")
	t := l.newRing(name, tradeSlots)
	t.rows, t.cols, t.toVector = roundUp(rows, kernel.FractalRows), cols, toVector
	cores := int(l.chip.At(soc.AICores))
	t.global = &kernel.Global{Name: name, Elem: e, Role: kernel.Exchange,
		Shape: kernel.Matrix(c(cores*tradeSlots*t.rows), cols)}
	l.prog.Globals = append(l.prog.Globals, t.global)
	return t
}

// newRing makes the counters and the turn of a ring that nothing is said of yet.
func (l *lowerer) newRing(name string, slots int) *trade {
	id := 2 * len(l.trades)
	t := &trade{full: id, free: id + 1, turn: &device.Turn{Name: l.unique(name + "Next"),
		Depth: slots}}
	l.prog.Turns = append(l.prog.Turns, t.turn)
	l.trades = append(l.trades, t)
	return t
}

// slotOf takes the next slot of a ring: its number among those of all cores.
func (l *lowerer) slotOf(t *trade) Int {
	index := scalar.NewTurn(l.unique(t.global.Name+"Slot"), t.turn.Depth)
	l.emit(&device.Take{Slot: &device.Slot{Index: index}, Turn: t.turn})
	return l.coreNo.Int().MulN(t.turn.Depth).Add(index.Int())
}

// region takes the next slot of a trade.
func (l *lowerer) region(t *trade, rows, cols Int) kernel.Region {
	return t.global.Sub(l.slotOf(t).MulN(t.rows), rows, c(0), cols)
}

// tradeDrain passes an accumulator to the vector half, which converts it.
func (l *lowerer) tradeDrain(d *drainage) {
	acc, dst := d.s.Acc, d.s.Dst
	if d.s.Spec.Deq.Buf != nil {
		l.errorf("Drain of %s: %s has no conversion by the unit that keeps scales whole; use Scale",
			acc.Buf.Name, l.chip.Name())
		return
	}
	t := l.newTrade(acc.Buf.Name, acc.Elem(), acc.Buf.Type.Rows, d.n, true)
	r := l.region(t, dst.Rows, c(d.n))
	if l.core == soc.CoreCube {
		l.await(t.free)
		l.fixpipe(d, r)
		l.signal(t.full, device.FIX)
		return
	}
	l.await(t.full)
	raw, floats := dst, dst
	if d.s.Spec.Scale.Buf != nil {
		raw = l.tempTile("drained", acc.Elem(), dst, d.n)
		floats = raw
		floats.View = soc.Float
	}
	n := blocks(c(d.n), raw.Elem())
	l.copyRows(device.MTE2, l.tileRectangle(raw, n, true), l.regionRectangle(r, n, false),
		dst.Rows, n, raw.Elem())
	l.signal(t.free, device.MTE2)
	if d.s.Spec.Scale.Buf == nil {
		return
	}
	if acc.Elem() == soc.Int32 {
		l.vector(&kernel.Vector{Op: kernel.OpCast, Dst: floats, Src: []kernel.Tile{raw},
			Round: kernel.Exact})
	}
	l.vector(&kernel.Vector{Op: kernel.OpMul, Dst: dst, Src: []kernel.Tile{floats, d.s.Spec.Scale}})
}

// tempTile is a tile of lowering's own with the extent of another, of cols columns.
func (l *lowerer) tempTile(name string, e soc.Elem, like kernel.Tile, cols int) kernel.Tile {
	ty := kernel.VecTile(e, like.Buf.Type.Rows, cols)
	local := l.temp(name, e, soc.UB, ty.Bytes())
	buf := &kernel.Buffer{Name: local.Buf.Name, Type: ty, Depth: 1}
	slot := &kernel.Slot{Buf: buf}
	l.bufs[buf] = local.Buf
	l.hold(slot, local.Slot)
	return kernel.Tile{Buf: buf, Slot: slot, Rows: like.Rows, Cols: like.Cols}
}

// fixpipe drains an accumulator to rows in device memory.
func (l *lowerer) fixpipe(d *drainage, r kernel.Region) {
	acc := l.local(d.s.Acc)
	es := size(acc.Elem)
	params := device.Struct{Type: "FixpipeParamsV220", Fields: []device.Field{
		field("nSize", c(d.n)), field("mSize", d.s.Dst.Rows), field("srcStride", d.m),
		field("dstStride", c(r.Global.Pitch())), {Name: "reluEn", Value: device.Bool{}}}}
	l.guarded(func() {
		l.call("Fixpipe", device.FIX, []device.Arg{device.Global{Global: r.Global,
			Off: r.Offset()}, acc, params},
			rowsOf(globalAccess(r, c(0), c(d.n*es), true), d.s.Dst.Rows, r.Global.Pitch()*es),
			reads(acc, c(0), d.m.MulN(d.n*es)))
	}, d.s.Dst.Rows)
}

// tradeToMat passes a vector tile to the cube half.
func (l *lowerer) tradeToMat(s *kernel.ToMat) {
	ty := s.Src.Buf.Type
	t := l.newTrade(s.Dst.Buf.Name, ty.Elem, ty.Rows, s.Dst.Buf.Type.Cols, false)
	r := l.region(t, s.Src.Rows, s.Src.Cols)
	if l.core == soc.CoreVector {
		l.await(t.free)
		l.store(&kernel.Store{Dst: r, Src: s.Src})
		l.signal(t.full, device.MTE3)
		return
	}
	l.await(t.full)
	l.load(&kernel.Load{Dst: s.Dst, Src: r})
	l.signal(t.free, device.MTE2)
}

// checkFlags refuses more trades than there are counters.
func (l *lowerer) checkFlags() {
	limit := l.chip.Fact(soc.CrossCoreFlags)
	if n := 2 * len(l.trades); int64(n) > limit.Value {
		l.errorf("%d statements pass tiles between cube and vector and need %d counters, %s has %d (%s)",
			len(l.trades), n, l.chip.Name(), limit.Value, limit.Source)
	}
}

// dropIdle removes loops, conditions and names of which this half has no part.
func dropIdle(b *device.Block) {
	var kept []device.Node
	for _, n := range b.Nodes {
		busy := len(device.Blocks(n)) == 0
		for _, inner := range device.Blocks(n) {
			dropIdle(inner)
			busy = busy || hasCalls(inner)
		}
		if busy {
			kept = append(kept, n)
		}
	}
	b.Nodes = kept
}

func hasCalls(b *device.Block) bool {
	found := false
	device.Walk(b, func(_ *device.Block, _ int, n device.Node) {
		_, ok := n.(*device.Call)
		found = found || ok
	})
	return found
}
