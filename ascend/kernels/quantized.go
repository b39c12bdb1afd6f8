package kernels

import "moge/ascend/kernel"

// quantized is a product of int8 rows with int8 weights; grouped when there are experts.
type quantized struct {
	*product
	name                   string
	cols, depth            int
	maxRows, rows, experts int
	bias, quantize, swiglu bool
	static                 bool       // the scale of all rows is fixed
	tiling, few            Tiling     // few is for passes of few rows, of experts; or zero
	count                  kernel.Int // rows of x
	x, xs, w, out          *kernel.Global
	wScale, wBias          *kernel.Global
	scales, biases         *channel
	source                 *rowSource
	scale                  kernel.Tile // of rows, f32 [rows, 8]
	rowScale               kernel.Tile // the same over 16 columns
	fixed                  *fixedScale // in place of both
	wide                   kernel.Tile
	outs                   *kernel.Ring
	groups                 *groups
	list                   *passList // of groups, that of the tiling
}

// shape is what the tiling depends on.
func (q *quantized) shape() productShape {
	padded := alignUp(q.depth, 32)
	s := productShape{name: q.name, n: q.cols, k: padded, block: either(q.swiglu, 32, 16),
		weights: kernel.I8, maxRows: q.maxRows, rows: q.rows, passes: 1, rawRow: padded,
		channels: 1 + either(q.bias, 1, 0), swiglu: q.swiglu, outBytes: 2,
		maxPasses: func(rows int) int { return ceilDiv(q.maxRows, rows) }}
	if q.quantize {
		s.rawRow = alignUp(q.depth, 16) * 2
		s.work = padded*(4+4+2+2) + 1024
	}
	if q.experts > 0 {
		s.passes = q.experts
		s.lists, s.kept = 1, 4*(alignUp(q.experts+1, lanes)+tableWords)
		s.maxPasses = func(rows int) int { return passes(q.experts, q.maxRows, rows) }
	}
	return s
}

func (q *quantized) kernel(doc string) (*kernel.Kernel, error) {
	if err := q.shape().check("Tiling", q.tiling); err != nil {
		return nil, err
	}
	if q.twoTilings() {
		if err := q.shape().check("Few", q.few); err != nil {
			return nil, err
		}
	}
	b := kernel.New(q.name, doc)
	q.tensors(b)
	q.work(b)
	return b.Build()
}

// twoTilings: passes of few rows come before those of many, each with all memories of the core.
func (q *quantized) twoTilings() bool { return q.few != Tiling{} }

func (q *quantized) work(b *kernel.Builder) {
	if q.groups != nil {
		q.groups.list()
	}
	if !q.twoTilings() {
		q.with(b, q.tiling, 0)
		return
	}
	b.Phase("few rows", func() { q.with(b, q.few, 0) })
	b.Phase("many rows", func() { q.with(b, q.tiling, 1) })
}

func (q *quantized) tensors(b *kernel.Builder) {
	q.count = b.Param("rows", 1, q.maxRows)
	rows := kernel.Matrix(q.count, q.depth)
	if q.quantize {
		q.x = b.Input("x", kernel.F16, rows)
	} else {
		q.x = b.Input("x", kernel.I8, rows)
	}
	if !q.quantize && !q.static {
		q.xs = b.Input("xScale", kernel.F32, RowScales(q.count))
	}
	if q.experts > 0 {
		heights := []int{q.tiling.Rows}
		if q.twoTilings() {
			heights = []int{q.few.Rows, q.tiling.Rows}
		}
		q.groups = newGroups(b, q.experts, q.count, q.maxRows, heights...)
	}
	matrices := max(q.experts, 1)
	q.w = b.Input("weight", kernel.I8, kernel.Fractals(n(matrices), q.cols, alignUp(q.depth, 32)))
	q.wScale = b.Input("weightScale", kernel.F32, kernel.Matrix(n(matrices), q.cols))
	if q.bias {
		q.wBias = b.Input("bias", kernel.F32, kernel.Matrix(n(1), q.cols))
	}
	q.out = b.Output("y", kernel.F16, kernel.Matrix(q.count, q.cols/either(q.swiglu, 2, 1)))
	if q.static {
		q.fixed = newFixedScale(b, q.quantize, true)
	}
}

// with does the passes of one tiling: those of list number at, where there are lists.
func (q *quantized) with(b *kernel.Builder, t Tiling, at int) {
	r := *q
	r.tiling = t
	r.product = newProduct(b, q.shape(), t)
	r.product.job = &r
	if q.groups != nil {
		r.list = q.groups.lists[at]
	}
	r.tiles()
	r.run()
}

func (q *quantized) tiles() {
	t := q.tiling
	q.scales = q.newChannel(q.wScale, true)
	if q.bias {
		q.biases = q.newChannel(q.wBias, false)
	}
	q.source = q.newRows(q.x)
	if !q.static {
		q.scale = q.Tile("scaleTile", kernel.VecTile(kernel.F32, t.Rows, lanes))
		q.rowScale = q.Tile("rowScale", kernel.VecTile(kernel.F32, t.Rows, 16))
	}
	q.wide = q.Tile("wide", kernel.VecTile(kernel.F32, t.Rows, t.Step))
	q.outs = q.Ring("yTile", 2, kernel.VecTile(kernel.F16, t.Rows, t.Step/either(q.swiglu, 2, 1)))
	q.passes = q.count.CeilDiv(t.Rows)
	if q.list != nil {
		q.passes = q.list.passes()
	}
}

func (q *quantized) open(index kernel.Int) pass {
	if q.list != nil {
		return q.list.open(index)
	}
	row := q.settle("row", index.MulN(q.tiling.Rows), q.count.SubN(1))
	height := q.count.Sub(row).MinN(q.tiling.Rows)
	return pass{index: index, row: row, rows: q.Let("height", height)}
}

func (q *quantized) weight(p pass, col, cols kernel.Int) kernel.Region {
	return q.w.Sub(col, cols, n(0), n(q.product.shape.k)).In(p.expert)
}

func (q *quantized) fetch(p pass) {
	if q.xs != nil {
		q.Load(q.scale.Head(p.rows), q.xs.Rows(p.row, p.rows))
	}
	q.source.fetch(p)
}

// prepare brings rows to L1 and the scale of each row to 16 columns.
func (q *quantized) prepare(p pass) {
	q.source.each(p, q.toL1)
	if q.fixed == nil {
		q.spreadScales(q.rowScale.Head(p.rows), q.scale.Head(p.rows))
	}
}

// toL1 brings count rows, fetched to tile, to rows at.. of the pass.
func (q *quantized) toL1(at, count kernel.Int, tile kernel.Tile) {
	if !q.quantize {
		q.ToMat(q.a.Sub(at, count, n(0), n(q.depth)), tile.Head(count))
		return
	}
	padded := q.product.shape.k
	row := func(e kernel.Elem) kernel.TileType { return kernel.VecTile(e, 1, padded) }
	ring := q.Ring("intTile", 2, row(kernel.I8))
	q.For("line", n(0), count, 1, func(i kernel.Int) {
		to := at.Add(i)
		r := rowQuantization{x: q.Tile("floatRow", row(kernel.F32)),
			magnitude: q.Tile("magnitude", row(kernel.F32)), half: q.Tile("halfRow", row(kernel.F16)),
			q: ring.Next(), fixed: q.fixed}
		if q.fixed == nil {
			r.work, r.scale = q.Tile("maxWork", workTile(padded, false)), q.scale.At(to)
		}
		if padded != q.depth {
			q.Fill(r.x, kernel.F(0))
		}
		q.Cast(r.x.Span(n(0), n(q.depth)), tile.At(i), kernel.Exact)
		quantizeRow(q.Builder, r)
		q.ToMat(q.a.At(to), r.q)
	})
}

// finish scales an accumulator and stores it.
func (q *quantized) finish(s step) {
	f := q.wide.Head(s.rows)
	q.Note("f32(sum) * weightScale * " + scaleOf(q.static) + ", rounded to half once")
	q.Drain(f, s.acc, kernel.DrainSpec{Scale: q.scales.cols(s, n(0), q.tiling.Step)})
	q.scaleRows(f, s)
	out := q.outs.Next().Head(s.rows)
	col, valid := s.col, s.valid
	if q.swiglu {
		f = q.activate(f)
		col, valid = col.Div(2), valid.Div(2)
	}
	q.Cast(out, f, kernel.Nearest)
	q.store(q.out, s, col, valid, out.Buf.Type.Cols, out)
}

// scaleRows multiplies by the scale of rows and adds the bias.
func (q *quantized) scaleRows(f kernel.Tile, s step) {
	if q.fixed != nil {
		q.Muls(f, f, q.fixed.scale)
		if q.biases == nil {
			return
		}
	}
	q.each(q.tiling.Step, func(at kernel.Int) {
		v := f.Span(at, n(16))
		if q.fixed == nil {
			q.Mul(v, v, q.rowScale.Head(s.rows))
		}
		if q.biases != nil {
			q.Add(v, v, q.biases.cols(s, at, 16))
		}
	})
}

// activate is silu(g) · u for columns that alternate, 16 of g and 16 of u. At g below -80 silu is
// less than any half, so that e^80 stands for what might overflow.
func (q *quantized) activate(f kernel.Tile) kernel.Tile {
	q.Note("silu(g) * u = g / (1 + exp(-g)) * u in f32")
	half := q.tiling.Step / 2
	tile := kernel.VecTile(kernel.F32, q.tiling.Rows, half)
	out := q.Tile("active", tile).Head(f.Rows)
	q.each(half, func(at kernel.Int) {
		g, u := f.Span(at.MulN(2), n(16)), f.Span(at.MulN(2).AddN(16), n(16))
		y := out.Span(at, n(16))
		q.Muls(y, g, kernel.F(-1))
		q.Mins(y, y, kernel.F(80))
		q.Exp(y, y)
		q.Adds(y, y, kernel.F(1))
		q.Div(y, g, y)
		q.Mul(y, y, u)
	})
	return out
}
