package kernels

import "moge/ascend/kernel"

// leave stores what a part of a context knows of its rows: results, maxima, sums.
func (k *decode) leave(u kernel.Int) {
	rows := k.rows
	k.Store(k.partial.Rows(u.MulN(rows), n(rows)), k.result)
	k.Store(k.stats.Rows(u.MulN(2), n(1)), k.top)
	k.Store(k.stats.Rows(u.MulN(2).AddN(1), n(1)), k.sum)
}

// merge adds up the parts of a unit, in order: each of result and sum so far, and of the part's, is
// multiplied by e^(its maximum - the greater one) first.
func (k *decode) merge(whole kernel.Int) {
	rows, cols := k.rows, k.top.Buf.Type.Cols
	_, _, row, _ := k.place(whole, 1)
	k.start()
	k.Fill(k.result, kernel.F(0))
	k.For("part", n(0), n(k.spec.Parts), 1, func(p kernel.Int) {
		u := k.Let("partUnit", whole.MulN(k.spec.Parts).Add(p))
		partial := k.Tile("partResult", kernel.VecTile(kernel.F32, rows, k.dim))
		stats := k.Tile("partStats", kernel.VecTile(kernel.F32, 2, cols))
		k.Load(partial, k.partial.Rows(u.MulN(rows), n(rows)))
		k.Load(stats, k.stats.Rows(u.MulN(2), n(2)))
		k.join(partial, stats.At(n(0)), stats.At(n(1)))
	})
	k.within(row, func() { k.store(row) })
}

// join adds a part: top and sum are its maxima and sums, which become factors.
func (k *decode) join(partial, top, sum kernel.Tile) {
	greater := k.turned.At(n(0))
	k.Max(greater, k.top, top)
	k.Sub(k.ratio, k.top, greater)
	k.Exp(k.ratio, k.ratio)
	k.Sub(top, top, greater)
	k.Exp(top, top)
	k.Move(k.top, greater)
	k.Mul(k.sum, k.sum, k.ratio)
	k.Mul(sum, sum, top)
	k.Add(k.sum, k.sum, sum)
	k.byRow(k.Mul, k.result, k.ratio, k.dim)
	k.byRow(k.Mul, partial, top, k.dim)
	k.Add(k.result, k.result, partial)
}
