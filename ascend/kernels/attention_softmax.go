package kernels

import "moge/ascend/kernel"

// neverScore stands for the score of a position that is not attended to: finite, and so far below
// every score of halves that its exponential against any of them is 0.
const neverScore = -1e30

// foldCols is the width to which rows of a page are folded: one repeat of floats.
const foldCols = 64

// softmax is the online softmax of rows queries over chunks of pages. Everything is done by vector
// statements: no scalar of a row is ever waited for, so that loads of pages run ahead. Scores of a
// chunk are f32 [pages · rows, 256], page after page, so that one statement serves all pages.
//
// Per row it keeps top (the greatest score so far) and sum (of exponentials against top).
// Roundings: every step is f32; the sum of a row is a fixed tree over its chunk; probabilities are
// rounded to half, nearest even, after the sum was taken.
type softmax struct {
	*kernel.Builder
	rows, pages              int
	scores, probs            kernel.Tile
	fold, spread, turned     kernel.Tile
	top, sum, ratio, part    kernel.Tile
	work                     kernel.Tile
	toRows, toCols, toChunks kernel.Tile // offsets of gathers
}

// newSoftmax allocates the tiles; pages is 1, 2, 4 or 8.
func newSoftmax(b *kernel.Builder, rows, pages int) *softmax {
	all, cols := rows*pages, tokenCols(rows)
	line := kernel.VecTile(kernel.F32, 1, cols)
	work := kernel.WorkCols(kernel.F32, foldCols, false)
	s := &softmax{Builder: b, rows: rows, pages: pages,
		scores:   b.Tile("scores", kernel.VecTile(kernel.F32, all, PageRows)),
		probs:    b.Tile("probs", kernel.VecTile(kernel.F16, all, PageRows)),
		fold:     b.Tile("fold", kernel.VecTile(kernel.F32, all, foldCols)),
		spread:   b.Tile("spread", kernel.VecTile(kernel.F32, all, foldCols)),
		turned:   b.Tile("turned", kernel.VecTile(kernel.F32, lanes*pages, cols)),
		top:      b.Tile("top", line),
		sum:      b.Tile("sum", line),
		ratio:    b.Tile("ratio", line),
		part:     b.Tile("part", kernel.VecTile(kernel.F32, 1, tokenCols(all))),
		toRows:   b.Tile("toRows", kernel.VecTile(kernel.U32, all, foldCols)),
		toCols:   b.Tile("toCols", kernel.VecTile(kernel.U32, lanes*pages, cols)),
		toChunks: b.Tile("toChunks", kernel.VecTile(kernel.U32, pages, cols)),
		work:     b.Tile("foldWork", kernel.VecTile(kernel.F32, 1, work)),
	}
	s.offsets()
	return s
}

// offsets fills the offsets of the three gathers, in bytes: of a row's value for each of its 64
// columns, of the 8 columns of a folded score row turned into rows, and of the sums of a row's
// pages. Columns beyond the last row repeat it.
func (s *softmax) offsets() {
	s.Note("offsets of gathers: value of a row, folded columns, sums of pages")
	s.For("offsetPage", n(0), n(s.pages), 1, func(p kernel.Int) {
		s.For("offsetRow", n(0), n(s.rows), 1, func(r kernel.Int) {
			s.Fill(s.toRows.AsInt().At(p.MulN(s.rows).Add(r)), kernel.FloatOf(r.MulN(4)))
		})
		row := s.Tile("rowIndex", kernel.VecTile(kernel.I32, 1, s.top.Buf.Type.Cols))
		s.Iota(row, kernel.F(0))
		s.Mins(row, row, kernel.F(float32(s.rows-1)))
		s.Muls(row, row, kernel.F(4))
		s.Adds(s.toChunks.AsInt().At(p), row, kernel.FloatOf(p.MulN(4*s.rows)))
		s.Muls(row, row, kernel.F(foldCols))
		s.For("offsetCol", n(0), n(lanes), 1, func(c kernel.Int) {
			first := p.MulN(s.rows * foldCols).Add(c).MulN(4)
			s.Adds(s.toCols.AsInt().At(p.MulN(lanes).Add(c)), row, kernel.FloatOf(first))
		})
	})
}

// start begins a unit of work: no score seen.
func (s *softmax) start() {
	s.Fill(s.top, kernel.F(neverScore))
	s.Fill(s.sum, kernel.F(0))
}

// page is the scores of page p of the chunk.
func (s *softmax) page(p kernel.Int) kernel.Tile {
	return s.scores.Sub(p.MulN(s.rows), n(s.rows), n(0), n(PageRows))
}

// chunk turns the scores of the first count pages to probabilities, and sets ratio to what earlier
// sums and results of a row must be multiplied by.
func (s *softmax) chunk(count kernel.Int) {
	if s.pages > 1 {
		none := n(s.pages).Sub(count).MulN(s.rows)
		s.Fill(s.scores.Sub(count.MulN(s.rows), none, n(0), n(PageRows)), kernel.F(neverScore))
	}
	s.maximum()
	s.Note("probabilities = e^(scores - top)")
	s.Gather(s.spread, s.top, s.toRows)
	s.eachSpan(PageRows, func(col, cols int) {
		part := s.scores.Span(n(col), n(cols))
		s.Sub(part, part, s.spread)
	})
	s.Exp(s.scores, s.scores)
	s.Cast(s.probs, s.scores, kernel.Nearest)
	s.addUp()
}

// eachSpan runs f for each 64 columns of width.
func (s *softmax) eachSpan(width int, f func(col, cols int)) {
	for col := 0; col < width; col += foldCols {
		f(col, min(foldCols, width-col))
	}
}

// maximum sets top to the greatest score with those of the chunk, ratio to e^(old top - top).
func (s *softmax) maximum() {
	s.Note("top = max(top, scores): columns folded to 8, turned into rows, folded to one")
	s.foldColumns(s.Max)
	for w := foldCols / 2; w >= lanes; w /= 2 {
		head := s.fold.Span(n(0), n(w))
		s.Max(head, head, s.fold.Span(n(w), n(w)))
	}
	s.Gather(s.turned, s.fold, s.toCols)
	s.foldRows(lanes*s.pages, s.Max)
	s.Max(s.turned.At(n(0)), s.turned.At(n(0)), s.top)
	s.Sub(s.ratio, s.top, s.turned.At(n(0)))
	s.Exp(s.ratio, s.ratio)
	s.Move(s.top, s.turned.At(n(0)))
}

// addUp adds the exponentials of the chunk to sum.
func (s *softmax) addUp() {
	s.Note("sum = sum * ratio + sum of exponentials")
	s.foldColumns(s.Add)
	s.ReduceSum(s.part.Span(n(0), n(s.rows*s.pages)), s.fold, s.work)
	s.Gather(s.turned.Head(n(s.pages)), s.part, s.toChunks)
	s.foldRows(s.pages, s.Add)
	s.Mul(s.sum, s.sum, s.ratio)
	s.Add(s.sum, s.sum, s.turned.At(n(0)))
}

// foldColumns folds the 256 columns of every row of scores to 64.
func (s *softmax) foldColumns(op func(dst, x, y kernel.Tile)) {
	s.eachSpan(PageRows, func(col, cols int) {
		switch part := s.scores.Span(n(col), n(cols)); col {
		case 0:
			op(s.fold, part, s.scores.Span(n(cols), n(cols)))
		case foldCols:
		default:
			op(s.fold, s.fold, part)
		}
	})
}

// foldRows folds the first count rows of turned, a power of two, to one.
func (s *softmax) foldRows(count int, op func(dst, x, y kernel.Tile)) {
	for h := count / 2; h > 0; h /= 2 {
		head := s.turned.Head(n(h))
		op(head, head, s.turned.Sub(n(h), n(h), n(0), s.turned.Cols))
	}
}

// byRow applies op to x [rows, width] with a value for each row.
func (s *softmax) byRow(op func(dst, x, y kernel.Tile), x, value kernel.Tile, width int) {
	s.Gather(s.spread.Head(n(s.rows)), value, s.toRows.Head(n(s.rows)))
	s.eachSpan(width, func(col, cols int) {
		part := x.Span(n(col), n(cols))
		op(part, part, s.spread.Sub(n(0), n(s.rows), n(0), n(cols)))
	})
}

// finish divides the result [rows, width] by the sums; a row that saw no score becomes 0.
func (s *softmax) finish(result kernel.Tile, width int) {
	s.Note("result / sum")
	s.Maxs(s.sum, s.sum, kernel.F(1e-30))
	s.byRow(s.Div, result, s.sum, width)
}
