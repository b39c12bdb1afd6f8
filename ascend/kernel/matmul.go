package kernel

import "moge/ascend/kernel/scalar"

// Always and Never are conditions for MatMul.
func Always() scalar.Cond { return N(0).Equal(N(0)) }

// Never is a condition that does not hold.
func Never() scalar.Cond { return N(0).Differs(N(0)) }

// MatMul is acc = x · yᵀ where init holds, otherwise acc += x · yᵀ: x [M, K], y [N, K] in Mat,
// acc [M, N]. M is taken up to whole fractals of 16 rows, whose padding may hold anything. Depth
// and width are split to what the matrix unit's own memories hold.
func (b *Builder) MatMul(acc, x, y Tile, init scalar.Cond) {
	b.matmul(&MatMul{Acc: acc, A: x, B: y, Init: init}, y.Rows, y.Cols)
}

// MatMulT is the same with y [K, N]; elements of 16 bits only.
func (b *Builder) MatMulT(acc, x, y Tile, init scalar.Cond) {
	if size(y.Elem()) != 2 {
		b.errorf("MatMulT of %s elements: only those of 16 bits can be turned", y.Elem())
	}
	b.matmul(&MatMul{Acc: acc, A: x, B: y, Init: init, TransB: true}, y.Cols, y.Rows)
}

func (b *Builder) matmul(m *MatMul, n, k Int) {
	b.memory("MatMul", m.Acc, Acc)
	b.memory("MatMul", m.A, Mat)
	b.memory("MatMul", m.B, Mat)
	b.sameElem("MatMul", m.A.Elem(), m.B.Elem())
	b.sameExtent("MatMul result", m.Acc.Rows, m.A.Rows, m.Acc.Cols, n)
	if !m.A.Cols.Same(k) {
		b.errorf("MatMul over depth %v and %v", m.A.Cols, k)
	}
	if want := accElem(m.A.Elem()); m.Acc.Elem() != want {
		b.errorf("MatMul of %s accumulates in %s, not %s", m.A.Elem(), want, m.Acc.Elem())
	}
	b.add(m)
}

func accElem(e Elem) Elem {
	if e == I8 {
		return I32
	}
	return F32
}

// Drain copies acc [M, N] to dst [M, N], row-major. A plain spec keeps the element type; Scale
// gives F32, Deq gives F16. Rows of acc must be those that MatMul wrote.
func (b *Builder) Drain(dst, acc Tile, spec DrainSpec) {
	b.memory("Drain", dst, Vec)
	b.memory("Drain", acc, Acc)
	b.sameExtent("Drain", dst.Rows, acc.Rows, dst.Cols, acc.Cols)
	want := acc.Elem()
	switch {
	case spec.Scale.Buf != nil && spec.Deq.Buf != nil:
		b.errorf("Drain with two conversions")
	case spec.Scale.Buf != nil:
		want = F32
		b.sameElem("Drain scale", spec.Scale.Elem(), F32)
	case spec.Deq.Buf != nil:
		want = F16
		b.sameElem("Drain scale", spec.Deq.Elem(), U64)
		b.sameElem("Drain with unit's conversion", acc.Elem(), I32)
	case spec.Bias.Buf != nil:
		b.sameElem("Drain bias", acc.Elem(), F32)
	}
	b.sameElem("Drain", dst.Elem(), want)
	b.add(&Drain{dst, acc, spec})
}

// Cond is a comparison of two integers.
type Cond = scalar.Cond
