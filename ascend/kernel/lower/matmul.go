package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// fractalBytes is the size of a fractal in L0A, L0B and of operands in L1.
const fractalBytes = 512

// product is one MatMul statement with its split: depth kStep and width nStep of one Mmad.
type product struct {
	acc, a, b    device.Local
	m            Int // rows, whole fractals
	n, k         int
	nStep, kStep int
	c0           int // columns of an operand's fractal
	aRows, bRows int // padded rows of the tiles in L1
	init         scalar.Cond
	turned       bool // b is [k, n]
}

func (l *lowerer) matmul(s *kernel.MatMul) {
	p, ok := l.product(s)
	if !ok {
		return
	}
	l.makeL0(p.a.Elem)
	l.loopConst("n0", p.n, p.nStep, func(n0 Int) {
		l.loopConst("k0", p.k, p.kStep, func(k0 Int) { l.step(p, n0, k0) })
	})
}

func (l *lowerer) product(s *kernel.MatMul) (*product, bool) {
	p := &product{acc: l.local(s.Acc), a: l.local(s.A), b: l.local(s.B), init: s.Init,
		turned: s.TransB}
	p.c0 = s.A.Buf.Type.C0()
	p.m = s.A.Rows.Align(kernel.FractalRows)
	p.aRows, p.bRows = s.A.Buf.Type.PaddedRows(), s.B.Buf.Type.PaddedRows()
	nInt := s.Acc.Cols
	n, okN := nInt.Const()
	k, okK := s.A.Cols.Const()
	if !okN || !okK {
		l.errorf("MatMul into %s: width %v and depth %v must be fixed", s.Acc.Buf.Name, nInt, s.A.Cols)
		return nil, false
	}
	p.n, p.k = roundUp(n, kernel.FractalRows), roundUp(k, p.c0)
	_, mMax := scalar.Bounds(p.m)
	if !p.split(int(mMax), l.chip) {
		l.errorf("MatMul into %s: %d rows do not fit the left memory", s.Acc.Buf.Name, mMax)
		return nil, false
	}
	return p, true
}

func roundUp(n, m int) int { return (n + m - 1) / m * m }

// split chooses the steps: each operand gets half of its memory, so that the next can be loaded
// while this one is used; depth first, since each step of it costs an accumulation.
func (p *product) split(mMax int, chip *soc.Chip) bool {
	es := kernel.Block / p.c0
	left, right := int(chip.At(soc.L0ABytes))/2, int(chip.At(soc.L0BBytes))/2
	kLimit := int(chip.At(soc.MmadKPerIssue)) / p.c0 * p.c0
	kA := min(left/(mMax*es)/p.c0*p.c0, kLimit)
	if kA == 0 {
		return false
	}
	p.nStep = min(p.n, right/(p.c0*es)/kernel.FractalRows*kernel.FractalRows)
	p.kStep = min(p.k, kA, right/(p.nStep*es)/p.c0*p.c0)
	for p.kStep < min(p.k, kA, 4*p.c0) && p.nStep > kernel.FractalRows {
		p.nStep = roundUp(p.nStep/2, kernel.FractalRows)
		p.kStep = min(p.k, kA, right/(p.nStep*es)/p.c0*p.c0)
	}
	return true
}

// makeL0 makes the two halves of the left and right memories, shared by all products.
func (l *lowerer) makeL0(e soc.Elem) {
	if l.left != nil {
		return
	}
	l.left = l.storage(l.unique("left"), e, soc.L0A, int(l.chip.At(soc.L0ABytes))/2, 2, l.kernel.Body)
	l.right = l.storage(l.unique("right"), e, soc.L0B, int(l.chip.At(soc.L0BBytes))/2, 2,
		l.kernel.Body)
}

// loopConst loops over a fixed extent; a single step needs no loop.
func (l *lowerer) loopConst(name string, hi, step int, f func(i Int)) {
	if hi <= step {
		f(c(0))
		return
	}
	l.loop(name, c(hi), step, f)
}

// step loads one pair of operands and multiplies them.
func (l *lowerer) step(p *product, n0, k0 Int) {
	n, k := c(p.n).Sub(n0).MinN(p.nStep), c(p.k).Sub(k0).MinN(p.kStep)
	slot := l.takeOf(l.left, l.right)
	a := device.Local{Buf: l.left, Slot: slot, Elem: p.a.Elem}
	b := device.Local{Buf: l.right, Slot: slot, Elem: p.b.Elem}
	l.loadLeft(p, a, k0, k)
	if p.turned {
		l.loadTurned(p, b, n0, n, k0, k)
	} else {
		l.loadRight(p, b, n0, n, k0, k)
	}
	l.mmad(p, a, b, n0, n, k0, k)
}

// loadLeft copies A [m, k] from NZ in L1 to Zz: one call for each row of fractals.
func (l *lowerer) loadLeft(p *product, a device.Local, k0, k Int) {
	fractal := kernel.FractalRows * p.c0
	k1 := k.Div(p.c0)
	from := shifted(p.a, k0.Div(p.c0).MulN(p.aRows*p.c0))
	l.rowLoop("m1", p.m.Div(kernel.FractalRows), func(m1 Int) {
		to := shifted(a, m1.Mul(k1).MulN(fractal))
		src := shifted(from, m1.MulN(fractal))
		l.loadData(to, src, k1, p.aRows/kernel.FractalRows, false)
	})
}

// loadRight copies B [n, k] from NZ in L1 to Zn: in one piece where all rows are wanted.
func (l *lowerer) loadRight(p *product, b device.Local, n0, n, k0, k Int) {
	fractal := kernel.FractalRows * p.c0
	n1, k1 := n.Div(kernel.FractalRows), k.Div(p.c0)
	from := shifted(p.b, k0.Div(p.c0).MulN(p.bRows*p.c0).Add(n0.MulN(p.c0)))
	if p.nStep >= p.n && p.n == p.bRows {
		l.loadData(b, from, n1.Mul(k1), 1, false)
		return
	}
	l.rowLoop("k1", k1, func(i Int) {
		l.loadData(shifted(b, i.Mul(n1).MulN(fractal)), shifted(from, i.MulN(p.bRows*p.c0)), n1, 1, false)
	})
}

// loadTurned copies B [k, n] from NZ in L1 to Zn, each fractal transposed.
func (l *lowerer) loadTurned(p *product, b device.Local, n0, n, k0, k Int) {
	fractal := kernel.FractalRows * p.c0
	n1, k1 := n.Div(kernel.FractalRows), k.Div(p.c0)
	from := shifted(p.b, n0.Div(p.c0).MulN(p.bRows*p.c0).Add(k0.MulN(p.c0)))
	l.rowLoop("k1", k1, func(i Int) {
		l.loadData(shifted(b, i.Mul(n1).MulN(fractal)), shifted(from, i.MulN(fractal)),
			n1, p.bRows/kernel.FractalRows, true)
	})
}

func (l *lowerer) loadData(to, from device.Local, repeat Int, stride int, turned bool) {
	params := device.Struct{Type: "LoadData2DParams", Fields: []device.Field{
		field("startIndex", c(0)), field("repeatTimes", repeat), field("srcStride", c(stride)),
		field("sid", c(0)), field("dstGap", c(0)),
		{Name: "ifTranspose", Value: device.Bool{Value: turned}}, field("addrMode", c(0))}}
	l.call("LoadData", device.MTE1, []device.Arg{to, from, params},
		writes(to, c(0), repeat.MulN(fractalBytes)),
		rowsOf(reads(from, c(0), c(fractalBytes)), repeat, stride*fractalBytes))
}

func (l *lowerer) mmad(p *product, a, b device.Local, n0, n, k0, k Int) {
	es := size(p.a.Elem)
	acc := shifted(p.acc, n0.Mul(p.m))
	params := device.Struct{Type: "MmadParams", Fields: []device.Field{
		field("m", p.m), field("n", n), field("k", k), field("unitFlag", c(0)),
		{Name: "cmatrixSource", Value: device.Bool{}},
		{Name: "cmatrixInitVal", Value: p.starts(k0)}}}
	l.call("Mmad", device.M, []device.Arg{acc, a, b, params},
		writes(acc, c(0), n.Mul(p.m).MulN(4)),
		reads(a, c(0), p.m.Mul(k).MulN(es)),
		reads(b, c(0), n.Mul(k).MulN(es)))
}

// starts says when a product starts the accumulator at zero: at the first step, if it does at all.
func (p *product) starts(k0 Int) device.Arg {
	conds := []scalar.Cond{p.init}
	if !k0.Is(0) {
		conds = append(conds, k0.Equal(c(0)))
	}
	var open []scalar.Cond
	for _, cond := range conds {
		if cond.Not().Always() {
			return device.Bool{}
		}
		if !cond.Always() {
			open = append(open, cond)
		}
	}
	return device.Bool{Value: true, Conds: open}
}
