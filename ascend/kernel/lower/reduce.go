package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
)

// reduce lowers a reduction of rows: sums of short rows in one call, others row by row.
func (l *lowerer) reduce(r *kernel.Reduce) {
	rows, cols := r.Src.Rows, r.Src.Cols
	dst, src, work := l.local(r.Dst), l.local(r.Src), l.local(r.Work)
	pitch := r.Src.Buf.Type.Pitch()
	es := size(r.Src.Elem())
	if n, ok := cols.Const(); ok && r.Op == kernel.ReduceSum && !rows.Is(1) &&
		n*es <= repeatBytes && l.facts.Proves(rows, c(maxRepeats)) {
		l.guarded(func() { l.sumRows(dst, src, rows, n, pitch) }, rows)
		return
	}
	l.guarded(func() {
		l.rowLoop("row", rows, func(row Int) {
			l.reduceRow(r, shifted(dst, row), shifted(src, row.MulN(pitch)), work, cols)
		})
	}, cols)
}

func (l *lowerer) sumRows(dst, src device.Local, rows Int, cols, pitch int) {
	es := size(src.Elem)
	args := []device.Arg{dst, src, lit(cols), num(rows), lit(1), lit(1),
		lit(pitch * es / kernel.Block)}
	l.call("WholeReduceSum", device.V, args,
		writes(dst, c(0), rows.MulN(es)),
		rowsOf(reads(src, c(0), c(cols*es)), rows, pitch*es))
}

func (l *lowerer) reduceRow(r *kernel.Reduce, dst, src, work device.Local, cols Int) {
	es := size(src.Elem)
	results := 1
	args := []device.Arg{dst, src, work, num(cols)}
	if r.Op != kernel.ReduceSum {
		args = append(args, device.Bool{Value: r.Index})
	}
	if r.Index {
		results = 2
	}
	n := r.Work.Buf.Type.Cols * es
	l.call(r.Op.String(), device.V, args,
		writes(dst, c(0), c(results*es)),
		reads(src, c(0), cols.MulN(es)),
		writes(work, c(0), c(n)))
}

func (l *lowerer) gather(g *kernel.Gather) {
	dst, src, off := l.local(g.Dst), l.local(g.Src), l.local(g.Offsets)
	count := g.Dst.Rows.Mul(g.Dst.Cols)
	args := []device.Arg{dst, src, off, device.Number{X: c(0), Type: "uint32_t"}, num(count)}
	l.guarded(func() {
		l.call("Gather", device.V, args,
			writes(dst, c(0), count.MulN(size(dst.Elem))),
			reads(src, c(0), c(g.Src.Buf.Type.Bytes())),
			reads(off, c(0), count.MulN(4)))
	}, count)
}

func (l *lowerer) iota(s *kernel.Iota) {
	dst := l.local(s.Dst)
	count := s.Dst.Rows.Mul(s.Dst.Cols)
	l.guarded(func() {
		l.call("CreateVecIndex", device.V, []device.Arg{dst, device.Scalar{X: s.First,
			Elem: dst.Elem}, num(count)},
			writes(dst, c(0), count.MulN(size(dst.Elem))))
	}, count)
}

func (l *lowerer) transpose(s *kernel.Transpose) {
	dst, src := l.local(s.Dst), l.local(s.Src)
	l.call("Transpose", device.V, []device.Arg{dst, src}, writes(dst, c(0), c(512)),
		reads(src, c(0), c(512)))
}

// scalarAccess lowers reads and writes of one element by the scalar unit.
func (l *lowerer) scalarAccess(s kernel.Stmt) {
	switch s := s.(type) {
	case *kernel.ReadInt:
		l.readInt(s)
	case *kernel.ReadIndex:
		g := device.Global{Global: s.At.Global, Off: s.At.Offset()}
		n := l.call("GetValue", device.S, []device.Arg{g}, globalAccess(s.At, c(0),
			c(size(s.At.Global.Elem)), false))
		n.Int = s.Var
	case *kernel.ReadFloat:
		l.getValue(s.Tile).Float = s.Name
	case *kernel.Write:
		t := l.local(s.Tile)
		var value device.Arg = device.Number{X: s.Int}
		if t.Elem == kernel.F32 || t.Elem == kernel.F16 {
			value = device.Scalar{X: s.Float, Elem: t.Elem}
		}
		l.call("SetValue", device.S, []device.Arg{t, value}, writes(t, c(0), c(size(t.Elem))))
	}
}

func (l *lowerer) getValue(t kernel.Tile) *device.Call {
	d := l.local(t)
	return l.call("GetValue", device.S, []device.Arg{d}, reads(d, c(0), c(size(d.Elem))))
}
