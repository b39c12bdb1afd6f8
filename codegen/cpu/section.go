package cpu

import (
	"fmt"

	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
	"moge/runtime/kernels"
)

// Layouts of sections, as bundle.proto spells them.
const (
	layoutRow    = "row"
	layoutTile   = "tile16"   // float: [tiles][K][16]
	layoutTileI8 = "tile16x4" // int8: [tiles][K/4][16][4]
)

// matrices is one weight [N,K], or one of each expert: stacked in one value [E,N,K] or apart.
type matrices struct {
	parts         []*ir.Value
	experts, n, k int64
}

func newMatrices(parts []*ir.Value) matrices {
	s := parts[0].Type.Shape
	m := matrices{parts: parts, experts: int64(len(parts)), n: s[len(s)-2].Coef, k: s[len(s)-1].Coef}
	if len(s) == 3 {
		m.experts = s[0].Coef
	}
	return m
}

func (m matrices) dtype() dtype.Type { return m.parts[0].Type.DType }

// tiles of one expert, the last one possibly partial.
func (m matrices) tiles() int64 { return int64(kernels.Tiles(int(m.n))) }

// shape of the section that holds them.
func (m matrices) shape() []int64 {
	if m.experts == 1 && len(m.parts[0].Type.Shape) == 2 {
		return []int64{m.n, m.k}
	}
	return []int64{m.experts, m.n, m.k}
}

// at finds row r of expert e: the value and the row in it.
func (m matrices) at(e, r int64) (*ir.Value, int64) {
	if len(m.parts) == 1 {
		return m.parts[0], e*m.n + r
	}
	return m.parts[e], r
}

// tileRows gives the rows of tile t of all: expert, first row, number of rows.
func (m matrices) tileRows(t int64) (expert, row, count int64) {
	expert, row = t/m.tiles(), t%m.tiles()*kernels.TileRows
	return expert, row, min(kernels.TileRows, m.n-row)
}

// floatTiles evaluates float weights as tiles.
type floatTiles struct{ matrices }

func (f floatTiles) Values() []*ir.Value { return f.parts }

// Eval gives tiles lo to hi.
func (f floatTiles) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	d := f.dtype()
	size := int64(kernels.TileBytes(d, int(f.k)))
	raw := make([]byte, d.Bytes(kernels.TileRows*f.k))
	for t := lo; t < hi; t++ {
		e, row, count := f.tileRows(t)
		v, at := f.at(e, row)
		part := raw[:d.Bytes(count*f.k)]
		if err := weights.Read(src, v, at*f.k, count*f.k, part); err != nil {
			return err
		}
		kernels.PackTile(d, out[0][(t-lo)*size:(t-lo+1)*size], part, int(count), int(f.k))
	}
	return nil
}

// int8Tiles evaluates quantized weights as tiles, with the scale and the sum of each row.
type int8Tiles struct {
	q, s matrices
}

func (w int8Tiles) Values() []*ir.Value {
	return append(append([]*ir.Value{}, w.q.parts...), w.s.parts...)
}

// Eval gives tiles lo to hi: the weights, the scales of their rows, and the sums of their
// rows, padded to whole tiles.
func (w int8Tiles) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	k := w.q.k
	size := int64(kernels.TileBytes(dtype.I8, int(k)))
	q := make([]int8, kernels.TileRows*k)
	scales := make([]float32, kernels.TileRows)
	sums := kernels.Int32s(out[2])
	done := int64(0)
	for t := lo; t < hi; t++ {
		e, row, count := w.q.tileRows(t)
		v, at := w.q.at(e, row)
		if err := weights.Quantize(src, v, w.scale(e), at, q[:count*k], scales[:count]); err != nil {
			return err
		}
		tile := out[0][(t-lo)*size : (t-lo+1)*size]
		kernels.PackTile(dtype.I8, tile, kernels.Bytes(q[:count*k]), int(count), int(k))
		dtype.Encode(dtype.F32, out[1][4*done:4*(done+count)], scales[:count])
		kernels.RowSumsI8(sums[(t-lo)*kernels.TileRows:], kernels.Int8s(tile), 1, int(k))
		done += count
	}
	return nil
}

func (w int8Tiles) scale(e int64) *ir.Value {
	if len(w.s.parts) == 1 {
		return w.s.parts[0]
	}
	return w.s.parts[e]
}

// rowsBefore counts the rows in the tiles before tile t: rows are stored without padding.
func (m matrices) rowsBefore(t int64) int64 {
	e, row, _ := m.tileRows(t)
	return e*m.n + row
}

func (m matrices) String() string { return fmt.Sprintf("%d×[%d,%d]", m.experts, m.n, m.k) }
