package cpu

import (
	"moge/codegen"
	"moge/ir"
	"moge/ir/dtype"
	"moge/runtime/kernels"
)

const (
	tileRows = kernels.TileRows
	// unitBytes is the output of one unit of work, about. It is fixed, not derived from the
	// memory bound, so that an interrupted job can be resumed under another bound.
	unitBytes = 4 << 20
)

// work is everything one evaluator produces: count items of which a unit takes a few.
type work struct {
	eval    codegen.Evaluator
	count   int64 // elements or tiles
	step    int64 // items a unit
	scratch int64
	extents func(lo, hi int64) []codegen.Extent
}

func (w work) units() []codegen.Unit {
	var units []codegen.Unit
	for lo := int64(0); lo < w.count; lo += w.step {
		hi := min(lo+w.step, w.count)
		units = append(units, codegen.Unit{Extents: w.extents(lo, hi), Eval: w.eval, Lo: lo, Hi: hi,
			Scratch: w.scratch})
	}
	return units
}

func rowWork(v *ir.Value, to dtype.Type, section int) work {
	count := int64(1)
	for _, d := range v.Type.Shape.Ints() {
		count *= d
	}
	width := to.Bytes(1)
	step := unitBytes / width
	scratch := int64(0)
	if v.Type.DType != to {
		scratch = step * (v.Type.DType.Bytes(1) + 4)
	}
	return work{rowsOf{v, to}, count, step, scratch, func(lo, hi int64) []codegen.Extent {
		return []codegen.Extent{{Section: section, Offset: lo * width, Size: (hi - lo) * width}}
	}}
}

func tileWork(m matrices, section int) work {
	size := int64(kernels.TileBytes(m.dtype(), int(m.k)))
	return work{floatTiles{m}, m.experts * m.tiles(), max(1, unitBytes/size), 2 * size,
		func(lo, hi int64) []codegen.Extent {
			return []codegen.Extent{{Section: section, Offset: lo * size, Size: (hi - lo) * size}}
		}}
}

// int8Work fills three sections in a row: weights, scales, row sums.
func int8Work(w int8Tiles, section int) work {
	size := int64(kernels.TileBytes(dtype.I8, int(w.q.k)))
	rowsTo := func(t int64) int64 {
		if t == w.q.experts*w.q.tiles() {
			return w.q.experts * w.q.n
		}
		return w.q.rowsBefore(t)
	}
	return work{w, w.q.experts * w.q.tiles(), max(1, unitBytes/size), 8 * size,
		func(lo, hi int64) []codegen.Extent {
			return []codegen.Extent{
				{Section: section, Offset: lo * size, Size: (hi - lo) * size},
				{Section: section + 1, Offset: 4 * rowsTo(lo), Size: 4 * (rowsTo(hi) - rowsTo(lo))},
				{Section: section + 2, Offset: 4 * lo * tileRows, Size: 4 * (hi - lo) * tileRows},
			}
		}}
}
