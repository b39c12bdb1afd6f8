package cpudevice

import (
	"fmt"

	"moge/formats/bundle"
	"moge/ir/dtype"
	"moge/runtime/kernels"
)

// maxDepthI8 is the largest K for which int8 sums cannot leave i32: 128·128·K < 2^31.
const maxDepthI8 = 131071

// weight is one matrix [n,k] in tiles, or one of each expert.
type weight struct {
	dtype         dtype.Type
	data          []byte
	experts, n, k int
	tiles         int // of one expert
}

// weightArg is argument i: float weights as tiles, or int8 ones. A weight without experts
// counts as one expert.
func (b *binder) weightArg(i int, grouped, int8s bool) *weight {
	s, data := b.section(i)
	dims := s.GetShape()
	if len(dims) == 2 && s != nil {
		dims = append([]int64{1}, dims...)
	}
	d := bundle.DType(s.GetDtype())
	layout, depth, accepted := "tile16", int64(1<<31), d.Float()
	if int8s {
		layout, depth, accepted = "tile16x4", maxDepthI8, d == dtype.I8
	}
	fits := len(dims) == 3 && (grouped || dims[0] == 1) && dims[2] <= depth
	if !fits || !accepted || s.Layout != layout {
		b.fail("argument %d is not a weight in tiles of the right type", i)
		return &weight{experts: 1, tiles: 1}
	}
	w := &weight{dtype: d, data: data, experts: int(dims[0]), n: int(dims[1]), k: int(dims[2])}
	w.tiles = kernels.Tiles(w.n)
	size := w.experts * kernels.MatrixBytes(d, w.n, w.k)
	b.want(len(data) == size, "argument %d has %d bytes, want %d", i, len(data), size)
	return w
}

// group is a range of rows that one expert works on.
type group struct{ expert, row, rows int }

// whole is the group of a weight without experts.
func whole(rows int) []group { return []group{{0, 0, rows}} }

// groups reads the offsets of the experts' rows and leaves out experts without rows.
func groups(offsets []int32, rows int) ([]group, error) {
	last := len(offsets) - 1
	if offsets[0] != 0 || int(offsets[last]) != rows {
		return nil, fmt.Errorf("the offsets go from %d to %d over %d rows",
			offsets[0], offsets[last], rows)
	}
	var out []group
	for e := range last {
		lo, hi := int(offsets[e]), int(offsets[e+1])
		if hi < lo || hi > rows {
			return nil, fmt.Errorf("the offsets of expert %d are %d and %d of %d rows", e, lo, hi, rows)
		}
		if hi > lo {
			out = append(out, group{e, lo, hi - lo})
		}
	}
	return out, nil
}

// part is what one call of a kernel computes: rows of one expert times some of its tiles.
type part struct {
	expert, tile, tiles int
	row, rows           int
}

// columns are those of the result that a part covers.
func (w *weight) columns(p part) (lo, hi int) {
	return p.tile * tileRows, min((p.tile+p.tiles)*tileRows, w.n)
}

// run calls fn for every part: a task is some tiles of one expert, which stay in the cache
// while blocks of rows go by.
func (w *weight) run(m *machine, all []group, fn func(s *scratch, p part)) error {
	rows := 0
	for _, g := range all {
		rows += g.rows
	}
	span := max(1, min(tileBlock, len(all)*w.tiles/(4*len(m.worker))))
	blocks := (w.tiles + span - 1) / span
	return m.tasks(len(all)*blocks, rows*w.n*w.k, func(s *scratch, task int) {
		g, tile := all[task/blocks], task%blocks*span
		p := part{expert: g.expert, tile: tile, tiles: min(span, w.tiles-tile)}
		for p.row = g.row; p.row < g.row+g.rows; p.row += rowBlock {
			p.rows = min(rowBlock, g.row+g.rows-p.row)
			fn(s, p)
		}
	})
}

// multiplier gives x·wᵀ for whole tiles from index tile (over all experts) on.
type multiplier func(dst []float32, dstStride int, x []float32, xStride, rows, tile, tiles int)

func (w *weight) multiplier() multiplier {
	stored := kernels.TileColumns(w.dtype, max(w.k, 1)) * tileRows
	switch w.dtype {
	case dtype.F32:
		return multiply(kernels.MatMulF32, kernels.Float32s(w.data), stored, w.k)
	case dtype.F16:
		return multiply(kernels.MatMulF16, kernels.Uint16s(w.data), stored, w.k)
	case dtype.BF16:
		return multiply(kernels.MatMulBF16, kernels.Uint16s(w.data), stored, w.k)
	}
	return multiply(kernels.MatMulW8, kernels.Int8s(w.data), stored, w.k)
}

// matMul is a kernel such as kernels.MatMulF32.
type matMul[W any] func(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []W, tiles, k int)

// multiply binds a kernel to weights w whose tiles have tile elements.
func multiply[W any](kernel matMul[W], w []W, tile, k int) multiplier {
	return func(dst []float32, dstStride int, x []float32, xStride, rows, at, tiles int) {
		kernel(dst, dstStride, x, xStride, rows, w[at*tile:(at+tiles)*tile], tiles, k)
	}
}
