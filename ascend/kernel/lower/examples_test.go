package lower

import (
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

func chip310P(t testing.TB) *soc.Chip { return chipNamed(t, "Ascend310P3") }

func chipNamed(t testing.TB, name string) *soc.Chip {
	for _, c := range soc.Chips() {
		if c.Name() == name {
			return c
		}
	}
	t.Fatalf("no chip %s", name)
	return nil
}

func build(t testing.TB, b *kernel.Builder) *kernel.Kernel {
	k, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func lowered(t testing.TB, b *kernel.Builder) *device.Program {
	t.Helper()
	return loweredFor(t, b, chip310P(t))
}

func loweredFor(t testing.TB, b *kernel.Builder, chip *soc.Chip) *device.Program {
	t.Helper()
	p, err := Lower(build(t, b), chip)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var n = kernel.N

// scaleRows is y = x · s: half rows, 16 at a time, doubly buffered.
func scaleRows() *kernel.Builder {
	k := kernel.New("scale_rows", "y[T, 256] = x[T, 256] * 0.5, half.")
	rows := k.Param("rows", 1, 1025)
	x := k.Input("x", kernel.F16, kernel.Matrix(rows, 256))
	y := k.Output("y", kernel.F16, kernel.Matrix(rows, 256))
	in := k.Ring("xTile", 2, kernel.VecTile(kernel.F16, 16, 256))
	out := k.Ring("yTile", 2, kernel.VecTile(kernel.F16, 16, 256))
	k.Units("unit", rows.CeilDiv(16), func(u kernel.Int) {
		at := k.Let("at", u.MulN(16))
		count := k.Let("count", rows.Sub(at).MinN(16))
		a, b := in.Next().Head(count), out.Next().Head(count)
		k.Load(a, x.Rows(at, count))
		k.Muls(b, a, kernel.F(0.5))
		k.Store(y.Rows(at, count), b)
	})
	return k
}

// addNorm is y = (x + r) / rms(x + r) · g, with the sum stored too.
func addNorm() *kernel.Builder {
	const width = 320
	k := kernel.New("add_rms_norm",
		"sum[T, 320] = x + r; y[T, 320] = sum / rms(sum) * gain, half; float inside.")
	rows := k.Param("rows", 1, 1025)
	x := k.Input("x", kernel.F16, kernel.Matrix(rows, width))
	r := k.Input("r", kernel.F16, kernel.Matrix(rows, width))
	gain := k.Input("gain", kernel.F32, kernel.Matrix(n(1), width))
	sum := k.Output("sum", kernel.F16, kernel.Matrix(rows, width))
	y := k.Output("y", kernel.F16, kernel.Matrix(rows, width))
	row := kernel.VecTile(kernel.F16, 1, width)
	wide := kernel.VecTile(kernel.F32, 1, width)
	g := k.Tile("gainTile", wide)
	k.Load(g, gain.All())
	xs, rs := k.Ring("xTile", 2, row), k.Ring("rTile", 2, row)
	ys := k.Ring("yTile", 2, row)
	k.Units("unit", rows, func(u kernel.Int) {
		xt, rt := xs.Next(), rs.Next()
		k.Load(xt, x.Rows(u, n(1)))
		k.Load(rt, r.Rows(u, n(1)))
		k.Note("sum in half, then its mean square in float")
		k.Add(xt, xt, rt)
		k.Store(sum.Rows(u, n(1)), xt)
		f, sq := k.Tile("wide", wide), k.Tile("square", wide)
		k.Cast(f, xt, kernel.Exact)
		k.Mul(sq, f, f)
		work := k.Tile("work", kernel.VecTile(kernel.F32, 1, kernel.WorkCols(kernel.F32, width, false)))
		total := k.Tile("total", kernel.VecTile(kernel.F32, 1, 8))
		k.ReduceSum(total.Span(n(0), n(1)), sq, work)
		k.Muls(total, total, kernel.F(1.0/width))
		k.Adds(total, total, kernel.F(1e-5))
		k.Sqrt(total, total)
		rms := k.ReadFloat("rms", total)
		k.Note("y = sum / rms * gain")
		k.Muls(f, f, kernel.F(1).Div(rms))
		k.Mul(f, f, g)
		out := ys.Next()
		k.Cast(out, f, kernel.Nearest)
		k.Store(y.Rows(u, n(1)), out)
	})
	return k
}

// int8Linear is y[M, N] = half(int32(x · wᵀ) · scale), w in NZ.
func int8Linear(m, width, depth int) *kernel.Builder {
	k := kernel.New("int8_linear", "y[M, N] = half(int32(x[M, K] * w[N, K]) * scale[N]).")
	x := k.Input("x", kernel.I8, kernel.Matrix(n(m), depth))
	w := k.Input("w", kernel.I8, kernel.Fractal(width, depth))
	scale := k.Input("scale", kernel.F32, kernel.Matrix(n(1), width))
	y := k.Output("y", kernel.F16, kernel.Matrix(n(m), width))
	s := k.Tile("scaleTile", kernel.VecTile(kernel.F32, 1, width))
	k.Load(s, scale.All())
	a := k.Tile("xTile", kernel.MatTile(kernel.I8, m, depth))
	k.Load(a, x.All())
	const cols = 16
	bs := k.Ring("wTile", 2, kernel.MatTile(kernel.I8, cols, depth))
	accs := k.Ring("acc", 2, kernel.AccTile(kernel.I32, m, cols))
	k.Units("unit", n(width/cols), func(u kernel.Int) {
		at := k.Let("at", u.MulN(cols))
		b, acc := bs.Next(), accs.Next()
		k.Load(b, w.Sub(at, n(cols), n(0), n(depth)))
		k.MatMul(acc, a, b, kernel.Always())
		f := k.Tile("wide", kernel.VecTile(kernel.F32, m, cols))
		k.Drain(f, acc, kernel.DrainSpec{Scale: s.Span(at, n(cols))})
		out := k.Tile("yTile", kernel.VecTile(kernel.F16, m, cols))
		k.Cast(out, f, kernel.Nearest)
		k.Store(y.Sub(n(0), n(m), at, n(cols)), out)
	})
	return k
}
