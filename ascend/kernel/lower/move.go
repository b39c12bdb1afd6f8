package lower

import (
	"fmt"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// blocks is how many 32-byte blocks cols elements fill.
func blocks(cols Int, e soc.Elem) Int { return cols.MulN(size(e)).CeilDiv(kernel.Block) }

// copyParams is the strided form: count pieces of length blocks, gaps from tail to head.
func copyParams(count, length, srcGap, dstGap Int) device.Arg {
	return device.Struct{Type: "DataCopyParams", Fields: []device.Field{
		field("blockCount", count), field("blockLen", length),
		field("srcGap", srcGap), field("dstGap", dstGap)}}
}

// rectangle is one side of a copy of rows: a tensor, the distance of rows in blocks.
type rectangle struct {
	arg   device.Arg
	first device.Access // of the first row
	pitch int           // in bytes
}

// copyRows copies rows of length blocks; in one piece where rows touch on both sides.
func (l *lowerer) copyRows(p device.Pipe, dst, src rectangle, rows, length Int, e soc.Elem) {
	bytes := length.MulN(kernel.Block)
	touching := rows.Is(1) || bytes.Is(dst.pitch) && bytes.Is(src.pitch)
	l.guarded(func() {
		args := []device.Arg{dst.arg, src.arg}
		if touching {
			args = append(args, num(rows.Mul(length).MulN(kernel.Block/size(e))))
		} else {
			args = append(args, copyParams(rows, length,
				c(src.pitch/kernel.Block).Sub(length), c(dst.pitch/kernel.Block).Sub(length)))
		}
		l.call("DataCopy", p, args, rowsOf(dst.first, rows, dst.pitch), rowsOf(src.first, rows,
			src.pitch))
	}, rows, length)
}

func (l *lowerer) tileRectangle(t kernel.Tile, length Int, write bool) rectangle {
	d := l.local(t)
	a := reads(d, c(0), length.MulN(kernel.Block))
	a.Write = write
	return rectangle{d, a, t.Buf.Type.Pitch() * size(t.Elem())}
}

func (l *lowerer) regionRectangle(r kernel.Region, length Int, write bool) rectangle {
	g := device.Global{Global: r.Global, Off: r.Offset()}
	return rectangle{g, globalAccess(r, c(0), length.MulN(kernel.Block), write),
		r.Global.Pitch() * size(r.Global.Elem)}
}

func (l *lowerer) load(s *kernel.Load) {
	to, from := s.Dst.Buf.Type, s.Src.Global.Shape.Layout
	switch {
	case to.Memory == kernel.Vec && to.Layout == kernel.ND && from == kernel.ND:
		n := blocks(s.Dst.Cols, s.Dst.Elem())
		l.copyRows(device.MTE2, l.tileRectangle(s.Dst, n, true), l.regionRectangle(s.Src, n, false),
			s.Dst.Rows, n, s.Dst.Elem())
	case to.Memory == kernel.Mat && from == kernel.NZ:
		l.loadFractals(s)
	case to.Memory == kernel.Mat && from == kernel.ND:
		l.loadRows(s)
	default:
		l.errorf("load of %s (%s) to %s (%s) has no form", s.Src.Global.Name, from, s.Dst.Buf.Name, to)
	}
}

// loadFractals copies column blocks of an NZ tensor to an NZ tile: one piece of rows × 32 bytes for
// each block.
func (l *lowerer) loadFractals(s *kernel.Load) {
	e := s.Dst.Elem()
	count := s.Dst.Cols.CeilDiv(s.Src.Global.C0())
	rows := s.Dst.Rows.Align(kernel.FractalRows)
	srcRows, ok := s.Src.Global.PaddedRows().Const()
	if !ok {
		l.errorf("load of %s: an NZ tensor has rows that are not fixed", s.Src.Global.Name)
		return
	}
	dst, src := l.local(s.Dst), device.Global{Global: s.Src.Global, Off: s.Src.Offset()}
	dstPitch, srcPitch := s.Dst.Buf.Type.PaddedRows()*kernel.Block, srcRows*kernel.Block
	length := rows.MulN(kernel.Block)
	to := rectangle{dst, writes(dst, c(0), length), dstPitch}
	from := rectangle{src, globalAccess(s.Src, c(0), length, false), srcPitch}
	if srcRows <= 65535 || l.facts.Proves(c(srcRows), rows.AddN(65535)) {
		l.copyRows(device.MTE2, to, from, count, rows, e)
		return
	}
	c0 := s.Src.Global.C0()
	l.loop("block", count, 1, func(i Int) { // the gap does not fit its 16 bits
		to.arg = shifted(dst, i.MulN(dstPitch/size(e)))
		from.arg = device.Global{Global: s.Src.Global, Off: s.Src.Offset().Add(i.MulN(srcRows * c0))}
		to.first.Off = reads(dst, i.MulN(dstPitch), length).Off
		from.first.Off = globalAccess(s.Src, i.MulN(srcPitch), length, false).Off
		l.copyRows(device.MTE2, to, from, c(1), rows, e)
	})
}

// loadRows copies rows of an ND tensor to an NZ tile, 32 bytes to each column block.
func (l *lowerer) loadRows(s *kernel.Load) {
	ty := s.Dst.Buf.Type
	n := blocks(s.Dst.Cols, ty.Elem)
	dst, src := l.local(s.Dst), device.Global{Global: s.Src.Global, Off: s.Src.Offset()}
	pitch := s.Src.Global.Pitch()
	if l.chip.Split() {
		l.loadReordered(s, dst, src)
		return
	}
	l.scatterRows(device.MTE2, ty, dst, s.Dst.Rows, n, func(row Int) (device.Arg, device.Access) {
		from := src
		from.Off = src.Off.Add(row.MulN(pitch))
		return from, globalAccess(s.Src, row.MulN(pitch*size(ty.Elem)), n.MulN(kernel.Block), false)
	})
}

// loadReordered lets the copy itself put rows into column blocks.
func (l *lowerer) loadReordered(s *kernel.Load, dst device.Local, src device.Global) {
	ty := s.Dst.Buf.Type
	es := size(ty.Elem)
	padded := ty.PaddedRows()
	l.guarded(func() {
		params := device.Struct{Type: "Nd2NzParams", Fields: []device.Field{
			field("ndNum", c(1)), field("nValue", s.Dst.Rows), field("dValue", s.Dst.Cols),
			field("srcNdMatrixStride", c(0)), field("srcDValue", c(s.Src.Global.Pitch())),
			field("dstNzC0Stride", c(padded)), field("dstNzNStride",
				c(1)), field("dstNzMatrixStride", c(0))}}
		n := s.Dst.Cols.CeilDiv(ty.C0())
		l.call("DataCopy", device.MTE2, []device.Arg{dst, src, params},
			rowsOf(writes(dst, c(0), s.Dst.Rows.MulN(kernel.Block)), n, padded*kernel.Block),
			rowsOf(globalAccess(s.Src, c(0), s.Dst.Cols.MulN(es), false), s.Dst.Rows,
				s.Src.Global.Pitch()*es))
	}, s.Dst.Rows, s.Dst.Cols)
}

// scatterRows copies each row, n blocks in one piece, to the column blocks of an NZ tile.
func (l *lowerer) scatterRows(p device.Pipe, ty kernel.TileType, dst device.Local, rows, n Int,
	src func(row Int) (device.Arg, device.Access)) {
	c0 := ty.C0()
	padded := ty.PaddedRows()
	l.guarded(func() {
		l.rowLoop("row", rows, func(row Int) {
			arg, from := src(row)
			to := shifted(dst, row.MulN(c0))
			access := rowsOf(writes(to, c(0), c(kernel.Block)), n, padded*kernel.Block)
			l.call("DataCopy", p, []device.Arg{to, arg, copyParams(n, c(1), c(0), c(padded-1))},
				access, from)
		})
	}, n)
}

// toMat copies a vector tile to an NZ tile in L1, row by row.
func (l *lowerer) toMat(s *kernel.ToMat) {
	if l.mixed {
		l.tradeToMat(s)
		return
	}
	ty := s.Dst.Buf.Type
	n := blocks(s.Src.Cols, ty.Elem)
	src := l.local(s.Src)
	pitch := s.Src.Buf.Type.Pitch()
	l.scatterRows(device.MTE3, ty, l.local(s.Dst), s.Src.Rows, n, func(row Int) (device.Arg,
		device.Access) {
		from := shifted(src, row.MulN(pitch))
		return from, reads(from, c(0), n.MulN(kernel.Block))
	})
}

func (l *lowerer) store(s *kernel.Store) {
	if s.Src.Buf.Type.Memory != kernel.Vec || s.Src.Buf.Type.Layout != kernel.ND {
		l.errorf("store of %s: only row-major vector tiles are stored", s.Src.Buf.Name)
		return
	}
	if s.Add {
		n := l.call("SetAtomicAdd", device.S, nil)
		n.Types = []string{s.Src.Elem().String()}
	}
	n := blocks(s.Src.Cols, s.Src.Elem())
	if s.Dst.Global.Shape.Layout == kernel.NZ {
		l.storeRows(s, n)
	} else {
		l.copyRows(device.MTE3, l.regionRectangle(s.Dst, n, true), l.tileRectangle(s.Src, n, false),
			s.Src.Rows, n, s.Src.Elem())
	}
	if s.Add {
		l.call("SetAtomicNone", device.S, nil)
	}
}

// storeRows copies rows to the column blocks of an NZ tensor.
func (l *lowerer) storeRows(s *kernel.Store, n Int) {
	padded, ok := s.Dst.Global.PaddedRows().Const()
	if !ok {
		l.errorf("store to %s: an NZ tensor has rows that are not fixed", s.Dst.Global.Name)
		return
	}
	g, c0 := s.Dst.Global, s.Dst.Global.C0()
	src, pitch := l.local(s.Src), s.Src.Buf.Type.Pitch()
	l.guarded(func() {
		l.rowLoop("row", s.Src.Rows, func(row Int) {
			from := shifted(src, row.MulN(pitch))
			to := device.Global{Global: g, Off: s.Dst.Offset().Add(row.MulN(c0))}
			access := globalAccess(s.Dst, row.MulN(kernel.Block), c(kernel.Block), true)
			l.call("DataCopy", device.MTE3,
				[]device.Arg{to, from, copyParams(n, c(1), c(0), c(padded-1))},
				rowsOf(access, n, padded*kernel.Block), reads(from, c(0), n.MulN(kernel.Block)))
		})
	}, n)
}

// move copies within the vector memory; whole blocks.
func (l *lowerer) move(dst, src kernel.Tile) {
	n := blocks(dst.Cols, dst.Elem())
	l.copyRows(device.V, l.tileRectangle(dst, n, true), l.tileRectangle(src, n, false), dst.Rows,
		n, dst.Elem())
}

// syncAll waits for every core, by words in a workspace that the host has zeroed.
func (l *lowerer) syncAll() {
	if l.chip.Split() {
		l.emit(&device.Barrier{Pipe: device.All})
		l.call("SyncAll", device.S, nil).Types = []string{fmt.Sprint(!l.mixed)}
		return
	}
	cores := int(l.chip.At(soc.AICores))
	area := l.syncArea(cores)
	l.emit(&device.Barrier{Pipe: device.All})
	words := l.temp("syncWords", soc.Int32, soc.UB, cores*kernel.Block)
	l.call("SyncAll", device.S, []device.Arg{device.Global{Global: area}, words},
		device.Access{Global: area, Len: c(cores * kernel.Block), Write: true},
		writes(words, c(0), c(cores*kernel.Block)))
	l.emit(&device.Barrier{Pipe: device.All})
}

// SyncArea is the name of the tensor that lowering adds to a kernel whose cores meet: the host
// clears it before every launch.
const SyncArea = "syncArea"

// syncArea is the workspace of SyncAll, one for the kernel.
func (l *lowerer) syncArea(cores int) *kernel.Global {
	const name = SyncArea
	for _, g := range l.prog.Globals {
		if g.Name == name {
			return g
		}
	}
	g := &kernel.Global{Name: name, Elem: soc.Int32, Role: kernel.InOut,
		Shape: kernel.Matrix(c(cores), kernel.Block/4)}
	l.prog.Globals = append(l.prog.Globals, g)
	return g
}
