package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// drain lowers Drain for a coupled core: the accumulator goes to UB as column blocks of 16, which
// are then spread to rows, scaled on the way where the spec says so.
func (l *lowerer) drain(s *kernel.Drain) {
	n, ok := s.Acc.Cols.Const()
	if !ok || n%kernel.FractalRows != 0 {
		l.errorf("Drain of %s: width %v is not a fixed multiple of 16", s.Acc.Buf.Name, s.Acc.Cols)
		return
	}
	d := &drainage{l: l, s: s, n: n, m: s.Acc.Rows.Align(kernel.FractalRows)}
	switch {
	case l.mixed:
		l.tradeDrain(d)
		if l.core == soc.CoreCube {
			return
		}
	case s.Spec.Deq.Buf != nil:
		d.byUnit()
	case s.Spec.Scale.Buf != nil:
		d.scaled()
	default:
		d.plain()
	}
	if s.Spec.Bias.Buf != nil {
		l.vector(&kernel.Vector{Op: kernel.OpAdd, Dst: s.Dst, Src: []kernel.Tile{s.Dst, s.Spec.Bias}})
	}
}

type drainage struct {
	l *lowerer
	s *kernel.Drain
	n int
	m Int // rows, whole fractals
}

// raw copies the accumulator to UB, converted by mode; the result is [n/16][m][16].
func (d *drainage) raw(to soc.Elem, mode string, extra ...device.Field) device.Local {
	l, acc := d.l, d.l.local(d.s.Acc)
	padded := d.s.Acc.Buf.Type.PaddedRows()
	work := l.temp("drained", to, soc.UB, padded*d.n*size(to))
	m1, n1 := d.m.Div(kernel.FractalRows), d.n/kernel.FractalRows
	enhanced := device.Named{Type: "DataCopyEnhancedParams", Fields: append([]device.Field{
		{Name: "blockMode", Value: device.Enum("BlockMode::BLOCK_MODE_MATRIX")},
		{Name: "deqScale", Value: device.Enum("DeqScale::" + mode)}}, extra...)}
	access := []device.Access{
		writes(work, c(0), d.m.MulN(d.n*size(to))),
		reads(acc, c(0), d.m.MulN(d.n*4)),
	}
	for _, f := range extra {
		if a, ok := f.Value.(device.Address); ok {
			access = append(access, reads(a.Local, c(0), c(d.n*8)))
		}
	}
	params := copyParams(c(n1), m1, c(0), c(0))
	l.call("DataCopy", device.V, []device.Arg{work, acc, params, enhanced}, access...)
	return work
}

// plain copies without conversion.
func (d *drainage) plain() {
	d.spread(d.raw(d.s.Acc.Elem(), "DEQ_NONE"), "Muls", nil)
}

// byUnit lets the copy convert to half by a scale for each channel.
func (d *drainage) byUnit() {
	scale := d.l.local(d.s.Spec.Deq)
	work := d.raw(soc.Half, "VDEQ16", device.Field{Name: "deqTensorAddr",
		Value: device.Address{Local: scale}})
	d.spread(work, "Muls", nil)
}

// scaled converts int32 to float, and multiplies by the channel's scale while spreading to rows.
func (d *drainage) scaled() {
	l := d.l
	work := d.raw(d.s.Acc.Elem(), "DEQ_NONE")
	if work.Elem == soc.Int32 {
		floats := work
		floats.Elem = soc.Float
		count := d.m.MulN(d.n)
		l.call("Cast", device.V, []device.Arg{floats, work, device.Enum("RoundMode::CAST_NONE"),
			num(count)},
			writes(floats, c(0), count.MulN(4)), reads(work, c(0), count.MulN(4)))
		work = floats
	}
	scale := l.local(d.s.Spec.Scale)
	d.spread(work, "Mul", &scale)
}

// spread copies column blocks [n/16][m][16] to rows, times one or times a row of scales: 16
// elements a repeat, one repeat a row.
func (d *drainage) spread(work device.Local, api string, scale *device.Local) {
	l := d.l
	dst := l.local(d.s.Dst)
	pitch := d.s.Dst.Buf.Type.Pitch()
	l.loopConst("n1", d.n/kernel.FractalRows, 1, func(n1 Int) {
		e := &elementwise{api: api, rows: d.s.Dst.Rows, cols: c(kernel.FractalRows), form: oneSource}
		e.dst = operand{shifted(dst, n1.MulN(kernel.FractalRows)), pitch}
		e.src = []operand{{shifted(work, n1.Mul(d.m).MulN(kernel.FractalRows)), kernel.FractalRows}}
		if scale != nil {
			e.form = twoSources
			e.src = append(e.src, operand{shifted(*scale, n1.MulN(kernel.FractalRows)), 0})
		} else {
			e.middle = []device.Arg{device.Scalar{X: kernel.F(1), Elem: dst.Elem}}
		}
		l.elementwise(e)
	})
}
