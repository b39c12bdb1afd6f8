package lower

import (
	"slices"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// The cube's half of a split core reads no tile of the vector's. An integer that the vector half
// reads and the cube depends on comes by mail: a slot in device memory, a line of the scalar unit's
// cache of its own, in the order in which both halves read integers. What was written just before
// it is read needs no mail: the cube computes it too.

const (
	mailSlots = 8
	lineBytes = 64
)

// openMail makes the ring that integers pass through, if any do.
func (l *lowerer) openMail() {
	if len(l.mailed) == 0 {
		return
	}
	l.mail = l.newRing("integers", mailSlots)
	l.mail.global = &kernel.Global{Name: l.unique("integersExchange"), Elem: soc.Int32,
		Role:  kernel.Exchange,
		Shape: kernel.Matrix(c(int(l.chip.At(soc.AICores))*mailSlots), lineBytes/4)}
	l.prog.Globals = append(l.prog.Globals, l.mail.global)
}

// readInt lowers the reading of an integer from a tile.
func (l *lowerer) readInt(s *kernel.ReadInt) {
	vector := l.core != soc.CoreCube
	if vector {
		l.getValue(s.Tile).Int = s.Var
	}
	if !l.mailed[s.Var] {
		return
	}
	l.await(either(vector, l.mail.free, l.mail.full))
	word := device.Global{Global: l.mail.global, Off: l.slotOf(l.mail).MulN(lineBytes / 4)}
	at := device.Access{Global: word.Global, Off: word.Off.MulN(4), Len: c(4), Write: vector}
	if vector {
		l.call("SetValue", device.S, []device.Arg{word, num(s.Var.Int())}, at)
		l.cleanLine(word)
		l.signal(l.mail.full, device.S)
		return
	}
	l.cleanLine(word)
	l.call("GetValue", device.S, []device.Arg{word}, at).Int = s.Var
	l.signal(l.mail.free, device.S)
}

// cleanLine writes back and forgets the line that the scalar unit keeps of a word.
func (l *lowerer) cleanLine(word device.Global) {
	l.call("DataCacheCleanAndInvalid", device.S, []device.Arg{word}).Types = []string{"int32_t",
		"CacheLine::SINGLE_CACHE_LINE", "DcciDst::CACHELINE_OUT"}
}

func either[T any](which bool, yes, no T) T {
	if which {
		return yes
	}
	return no
}

// known tells the cube an integer that the vector half writes and reads back: statement i of b.
func (l *lowerer) known(b *kernel.Body, i int) bool {
	if i == 0 || l.core != soc.CoreCube {
		return false
	}
	w, written := b.Stmts[i-1].(*kernel.Write)
	r, read := b.Stmts[i].(*kernel.ReadInt)
	if !written || !read || w.Tile.Buf != r.Tile.Buf || w.Tile.Slot != r.Tile.Slot ||
		!w.Tile.Offset().Same(r.Tile.Offset()) {
		return false
	}
	l.call(device.Known, device.S, []device.Arg{num(w.Int)}).Int = r.Var
	return true
}

// unknown lists the integers that the half depends on and does not know.
func (l *lowerer) unknown() []*scalar.Var {
	known := []*scalar.Var{l.coreNo}
	device.Walk(l.prog.Body, func(_ *device.Block, _ int, n device.Node) {
		if call, ok := n.(*device.Call); ok && call.Int != nil {
			known = append(known, call.Int)
		}
	})
	var out []*scalar.Var
	device.EachInt(l.prog, func(x Int) {
		for _, v := range x.Vars(nil) {
			if v.Kind == scalar.Read && !slices.Contains(known, v) && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	})
	return out
}

// mailOf finds the integers that must come by mail: what the cube depends on, and what it then
// depends on to wait for those.
func mailOf(k *kernel.Kernel, chip *soc.Chip) map[*scalar.Var]bool {
	mailed := map[*scalar.Var]bool{}
	for {
		l := newLowerer(k, chip)
		l.core, l.mixed, l.prog.Core, l.mailed = soc.CoreCube, true, soc.CoreCube, mailed
		l.exchangeAll()
		l.dropNames()
		missing := l.unknown()
		if len(missing) == 0 {
			return mailed
		}
		for _, v := range missing {
			if mailed[v] {
				panic("BUG: " + v.Name + " comes by mail and is not known")
			}
			mailed[v] = true
		}
	}
}
