package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// repeatBytes is what one repeat of a vector instruction covers.
const repeatBytes = 256

// maxRepeats is the greatest number of repeats of one call.
const maxRepeats = 255

// operand is a tile of an elementwise call: the tensor, its row pitch in elements (0: one row
// serves all).
type operand struct {
	local device.Local
	pitch int
}

// elementwise is an elementwise call before its form is chosen.
type elementwise struct {
	api    string
	dst    operand
	src    []operand
	middle []device.Arg // between sources and count
	rows   Int
	cols   Int
	form   form
}

// form says how masked calls of an API take their strides.
type form uint8

const (
	oneSource  form = iota // UnaryRepeatParams
	twoSources             // BinaryRepeatParams
	filling                // block and repeat stride of the destination
	countOnly              // no masked form is used
)

func (l *lowerer) operand(t kernel.Tile, rows Int) operand {
	o := operand{l.local(t), t.Buf.Type.Pitch()}
	if t.Rows.Is(1) && !rows.Is(1) {
		o.pitch = 0
	}
	return o
}

// vector lowers an elementwise statement.
func (l *lowerer) vector(v *kernel.Vector) {
	if v.Dst.Buf.Type.Layout != kernel.ND {
		l.errorf("%s on %s: vector statements take row-major tiles", v.Op, v.Dst.Buf.Name)
		return
	}
	if v.Op == kernel.OpMove {
		l.move(v.Dst, v.Src[0])
		return
	}
	e := &elementwise{api: v.Op.String(), rows: v.Dst.Rows, cols: v.Dst.Cols, form: oneSource}
	e.dst = l.operand(v.Dst, e.rows)
	for _, s := range v.Src {
		e.src = append(e.src, l.operand(s, e.rows))
	}
	l.specialise(e, v)
	l.elementwise(e)
}

// specialise sets what differs from a plain unary call.
func (l *lowerer) specialise(e *elementwise, v *kernel.Vector) {
	switch v.Op {
	case kernel.OpFill:
		e.api, e.form = "Duplicate", filling
		e.middle = []device.Arg{device.Scalar{X: v.Scalar, Elem: v.Dst.Elem()}}
	case kernel.OpCast:
		l.cast(e, v)
	case kernel.OpCompare, kernel.OpCompares:
		l.compare(e, v)
	case kernel.OpSelect, kernel.OpSelects:
		l.selects(e, v)
	default:
		if v.Op.Info().Args == 2 {
			e.form = twoSources
		}
		if v.Op.Info().Scalar {
			e.middle = []device.Arg{device.Scalar{X: v.Scalar, Elem: v.Dst.Elem()}}
		}
	}
}

func (l *lowerer) compare(e *elementwise, v *kernel.Vector) {
	e.api, e.form = "Compare", countOnly
	e.rows, e.cols = v.Src[0].Rows, v.Src[0].Cols
	if v.Op == kernel.OpCompares {
		e.api = "CompareScalar"
		e.middle = []device.Arg{device.Scalar{X: v.Scalar, Elem: v.Src[0].Elem()}}
	}
	e.middle = append(e.middle, device.Enum("CMPMODE::"+v.Rel.String()))
}

func (l *lowerer) selects(e *elementwise, v *kernel.Vector) {
	e.api, e.form = "Select", countOnly
	mode := "SELMODE::VSEL_TENSOR_TENSOR_MODE"
	if v.Op == kernel.OpSelects {
		mode = "SELMODE::VSEL_TENSOR_SCALAR_MODE"
		e.middle = []device.Arg{device.Scalar{X: v.Scalar, Elem: v.Dst.Elem()}}
	}
	e.middle = append(e.middle, device.Enum(mode))
}

// cast picks the mode; a conversion by way of the scale register gets the scale 1 first.
func (l *lowerer) cast(e *elementwise, v *kernel.Vector) {
	from, to := v.Src[0].Elem(), v.Dst.Elem()
	row, ok := l.chip.CastRow(from, to)
	if !ok {
		l.errorf("cast of %s to %s: %v", v.Src[0].Buf.Name, v.Dst.Buf.Name,
			l.chip.CheckCast(from, to, soc.CastNone))
		return
	}
	mode, ok := castMode(row.Modes(l.chip.Family()), v.Round)
	if !ok {
		l.errorf("cast of %s from %s to %s has no rounding %q on %s", v.Src[0].Buf.Name, from, to,
			v.Round, l.chip.Name())
		return
	}
	if row.DeqScale {
		l.call("SetDeqScale", device.S, []device.Arg{device.Scalar{X: kernel.F(1), Elem: soc.Half}})
	}
	e.middle = []device.Arg{device.Enum("RoundMode::" + mode.String())}
}

// castMode finds the enumerator of a rounding among the modes of a pair; CAST_NONE rounds to
// nearest where it rounds at all.
func castMode(modes []soc.RoundMode, r kernel.Rounding) (soc.RoundMode, bool) {
	want := [...][]soc.RoundMode{
		kernel.Exact:    {soc.CastNone, soc.CastRint},
		kernel.Nearest:  {soc.CastRint, soc.CastNone},
		kernel.Away:     {soc.CastRound},
		kernel.Down:     {soc.CastFloor},
		kernel.Up:       {soc.CastCeil},
		kernel.Truncate: {soc.CastTrunc},
	}[r]
	for _, w := range want {
		for _, m := range modes {
			if m == w {
				return m, true
			}
		}
	}
	return 0, false
}

// elementwise picks the form: a count where all rows lie in one piece, a mask and repeats where a
// row fits one repeat, otherwise a loop over rows.
func (l *lowerer) elementwise(e *elementwise) {
	switch {
	case e.rows.Is(1) || e.contiguous():
		l.guarded(func() { l.counted(e, c(0), e.rows.Mul(e.cols)) }, e.rows, e.cols)
	case e.form != countOnly && e.fitsRepeat():
		l.guarded(func() { l.masked(e) }, e.rows)
	default:
		l.guarded(func() {
			l.rowLoop("row", e.rows, func(row Int) { l.counted(e, row, e.cols) })
		}, e.cols)
	}
}

func (e *elementwise) operands() []operand { return append([]operand{e.dst}, e.src...) }

func (e *elementwise) contiguous() bool {
	for _, o := range e.operands() {
		if !e.cols.Is(o.pitch) {
			return false
		}
	}
	return true
}

// width is the size of the widest element.
func (e *elementwise) width() int {
	w := 0
	for _, o := range e.operands() {
		w = max(w, size(o.local.Elem))
	}
	return w
}

func (e *elementwise) fitsRepeat() bool {
	n, ok := e.cols.Const()
	if !ok || n*e.width() > repeatBytes {
		return false
	}
	for _, o := range e.operands() {
		if o.repeatStride() > 255 {
			return false
		}
	}
	return true
}

func (o operand) repeatStride() int { return o.pitch * size(o.local.Elem) / kernel.Block }

// counted emits the form with a count from a row on.
func (l *lowerer) counted(e *elementwise, row, count Int) {
	args := e.args(row)
	args = append(args, num(count))
	l.call(e.api, device.V, args, e.accesses(row, c(1), count)...)
}

func (e *elementwise) args(row Int) []device.Arg {
	var args []device.Arg
	for _, o := range e.operands() {
		args = append(args, shifted(o.local, row.MulN(o.pitch)))
	}
	return append(args, e.middle...)
}

// accesses are those of rows × cols elements from row.
func (e *elementwise) accesses(row, rows, cols Int) []device.Access {
	var out []device.Access
	for i, o := range e.operands() {
		s := size(o.local.Elem)
		length := e.bytes(i, cols)
		a := reads(shifted(o.local, row.MulN(o.pitch)), c(0), length)
		a.Write = i == 0
		if o.pitch > 0 {
			a = rowsOf(a, rows, o.pitch*s)
		}
		out = append(out, a)
	}
	return out
}

// bytes is how many bytes operand i has for cols elements: masks have a bit for each.
func (e *elementwise) bytes(i int, cols Int) Int {
	bitMask := e.api == "Select" && i == 1 ||
		(e.api == "Compare" || e.api == "CompareScalar") && i == 0
	if bitMask {
		return cols.CeilDiv(8)
	}
	return cols.MulN(size(e.operands()[i].local.Elem))
}

// masked emits the form with a mask, one repeat a row, in pieces of at most 255 rows.
func (l *lowerer) masked(e *elementwise) {
	if l.facts.Proves(e.rows, c(maxRepeats)) {
		l.repeats(e, c(0), e.rows)
		return
	}
	l.loop("rowBase", e.rows, maxRepeats, func(base Int) {
		l.repeats(e, base, e.rows.Sub(base).MinN(maxRepeats))
	})
}

func (l *lowerer) repeats(e *elementwise, row, rows Int) {
	args := append(e.args(row), mask(e.cols), num(rows))
	switch e.form {
	case filling:
		args = append(args, lit(1), lit(e.dst.repeatStride()))
	case oneSource:
		args = append(args, unaryStrides(e.dst.repeatStride(), e.src[0].repeatStride()))
	case twoSources:
		args = append(args, binaryStrides(e.dst.repeatStride(), e.src[0].repeatStride(),
			e.src[1].repeatStride()))
	}
	l.call(e.api, device.V, args, e.accesses(row, rows, e.cols)...)
}

func unaryStrides(dst, src int) device.Arg {
	return device.Struct{Type: "UnaryRepeatParams", Fields: []device.Field{
		field("dstBlkStride", c(1)), field("srcBlkStride", c(1)),
		field("dstRepStride", c(dst)), field("srcRepStride", c(src))}}
}

func binaryStrides(dst, src0, src1 int) device.Arg {
	return device.Struct{Type: "BinaryRepeatParams", Fields: []device.Field{
		field("dstBlkStride", c(1)), field("src0BlkStride", c(1)), field("src1BlkStride", c(1)),
		field("dstRepStride", c(dst)), field("src0RepStride", c(src0)), field("src1RepStride", c(src1))}}
}
