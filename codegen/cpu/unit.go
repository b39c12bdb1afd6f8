package cpu

import (
	"moge/codegen"
	"moge/ir/dtype"
	"moge/runtime/kernels"
)

const tileRows = kernels.TileRows

func tileWork(m matrices, section int) codegen.Work {
	size := int64(kernels.TileBytes(m.dtype(), int(m.k)))
	return codegen.Work{Eval: floatTiles{m}, Count: m.experts * m.tiles(), Step: max(1, codegen.UnitBytes/size),
		Scratch: 2 * size, Extents: func(lo, hi int64) []codegen.Extent {
			return []codegen.Extent{{Section: section, Offset: lo * size, Size: (hi - lo) * size}}
		}}
}

// int8Work fills three sections in a row: weights, scales, row sums.
func int8Work(w int8Tiles, section int) codegen.Work {
	size := int64(kernels.TileBytes(dtype.I8, int(w.q.k)))
	rowsTo := func(t int64) int64 {
		if t == w.q.experts*w.q.tiles() {
			return w.q.experts * w.q.n
		}
		return w.q.rowsBefore(t)
	}
	return codegen.Work{Eval: w, Count: w.q.experts * w.q.tiles(), Step: max(1, codegen.UnitBytes/size),
		Scratch: 8 * size, Extents: func(lo, hi int64) []codegen.Extent {
			return []codegen.Extent{
				{Section: section, Offset: lo * size, Size: (hi - lo) * size},
				{Section: section + 1, Offset: 4 * rowsTo(lo), Size: 4 * (rowsTo(hi) - rowsTo(lo))},
				{Section: section + 2, Offset: 4 * lo * tileRows, Size: 4 * (hi - lo) * tileRows},
			}
		}}
}
