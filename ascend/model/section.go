package model

import (
	"fmt"

	"moge/ascend/kernel"
	"moge/ascend/kernels"
	"moge/codegen"
	"moge/codegen/weights"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
)

// Layouts of sections, as bundle.proto spells them. NZ is [K/C][N/16][16][C], C elements of 32
// bytes: what the cube unit reads.
const (
	layoutRow    = "row"
	layoutNZHalf = "nz16x16"
	layoutNZInt8 = "nz16x32"
)

// addSection appends a section under a unique name.
func (b *builder) addSection(name, layout string, d dtype.Type, dims ...int64) int {
	unique := name
	for i := 2; b.names[unique]; i++ {
		unique = fmt.Sprintf("%s.%d", name, i)
	}
	b.names[unique] = true
	b.sections = append(b.sections, &bundlepb.Section{Name: unique, Dtype: bundlepb.DType(d), Shape: dims,
		Layout: layout})
	return len(b.sections) - 1
}

func section(i int) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: uint32(i)}}
}

// once finds a section that was asked for before, or makes it.
func (b *builder) once(v *ir.Value, layout string, d dtype.Type, add func() int) *bundlepb.Operand {
	return b.indexed(fmt.Sprintf("%d %s %v", v.ID, layout, d), add)
}

func (b *builder) indexed(key string, add func() int) *bundlepb.Operand {
	i, ok := b.index[key]
	if !ok {
		i = add()
		b.index[key] = i
	}
	return section(i)
}

// vector is a constant row-major.
func (b *builder) vector(name string, v *ir.Value, to dtype.Type) *bundlepb.Operand {
	return b.once(v, layoutRow, to, func() int {
		i := b.addSection(name, layoutRow, to, v.Type.Shape.Ints()...)
		b.work = append(b.work, codegen.RowWork(v, to, i))
		return i
	})
}

// nzHalves is a weight [N, K] of halves in NZ, in blocks of so many rows, the last one padded.
func (b *builder) nzHalves(name string, v *ir.Value, blocks, rows int) *bundlepb.Operand {
	return b.once(v, layoutNZHalf, dtype.F16, func() int {
		k := weights.RowLength(v)
		i := b.addSection(name, layoutNZHalf, dtype.F16, int64(blocks), int64(rows), k)
		n := fractal{values: []*ir.Value{v}, matrices: int64(blocks), rows: int64(rows), k: k,
			real: weights.Elements(v) / k, width: kernel.Block / 2}
		b.work = append(b.work, n.work(halfFractals{n, v}, 2*n.rowBytes(), i))
		return i
	})
}

// nzInt8s is an int8 weight [N, K], or [E, N, K], in NZ, and its scales. With pairs its rows are
// those of gate, then those of up, and are stored alternating, see kernels.GateUpRow.
func (b *builder) nzInt8s(site string, q, s *ir.Value, pairs bool) (weight, scale *bundlepb.Operand) {
	dims := q.Type.Shape.Ints()
	k, rows := dims[len(dims)-1], dims[len(dims)-2]
	matrices := weights.Elements(q) / k / rows
	return b.int8Sections(site, dims, fractal{values: []*ir.Value{q, s}, matrices: matrices, rows: rows,
		k: k, real: matrices * rows, width: kernel.Block, pairs: pairs})
}

// nzInt8Blocks is an int8 weight [N, K] in NZ, in blocks of so many rows, the last one padded, and its
// scales.
func (b *builder) nzInt8Blocks(site string, q, s *ir.Value, blocks, rows int) (
	weight, scale *bundlepb.Operand) {
	k := weights.RowLength(q)
	dims := []int64{int64(blocks), int64(rows), k}
	return b.int8Sections(site, dims, fractal{values: []*ir.Value{q, s}, matrices: dims[0], rows: dims[1],
		k: k, real: weights.Elements(q) / k, width: kernel.Block})
}

// int8Sections makes the sections of a weight of the given dimensions and of its scales.
func (b *builder) int8Sections(site string, dims []int64, n fractal) (weight, scale *bundlepb.Operand) {
	q, s := n.values[0], n.values[1]
	weight = b.once(q, layoutNZInt8, dtype.I8, func() int {
		i := b.addSection(site+".weight", layoutNZInt8, dtype.I8, dims...)
		b.addSection(site+".weight_scale", layoutRow, dtype.F32, dims[:len(dims)-1]...)
		w := n.work(int8Fractals{n, q, s}, 6*n.k*kernel.FractalRows, i)
		scales := w.Extents
		w.Extents = func(lo, hi int64) []codegen.Extent {
			return append(scales(lo, hi), codegen.Extent{Section: i + 1,
				Offset: 4 * lo * kernel.FractalRows, Size: 4 * (hi - lo) * kernel.FractalRows})
		}
		b.work = append(b.work, w)
		return i
	})
	return weight, section(int(weight.Kind.(*bundlepb.Operand_Section).Section) + 1)
}

// fractal describes matrices in NZ; an item of its work is 16 rows of one matrix.
type fractal struct {
	values         []*ir.Value
	matrices, rows int64 // rows of each, a multiple of 16
	real           int64 // rows of the constant: what is beyond is zero
	k, width       int64 // depth, and elements of one row of a fractal
	pairs          bool
}

func (f fractal) columns() int64 { return (f.k + f.width - 1) / f.width }

// rowBytes is the storage of one row, padding included.
func (f fractal) rowBytes() int64 { return f.columns() * kernel.Block }

// work cuts items so that a unit stays in one matrix.
func (f fractal) work(eval codegen.Evaluator, scratch int64, to int) codegen.Work {
	each := f.rows / kernel.FractalRows
	step := max(1, codegen.UnitBytes/(f.rowBytes()*kernel.FractalRows))
	for step = min(step, each); each%step != 0; {
		step--
	}
	column := f.rows * kernel.Block
	return codegen.Work{Eval: eval, Count: f.matrices * each, Step: step, Scratch: scratch + step*16,
		Extents: func(lo, hi int64) []codegen.Extent {
			base := lo / each * f.columns() * column
			var list []codegen.Extent
			for c := range f.columns() {
				list = append(list, codegen.Extent{Section: to,
					Offset: base + c*column + lo%each*kernel.FractalRows*kernel.Block,
					Size:   (hi - lo) * kernel.FractalRows * kernel.Block})
			}
			return list
		}}
}

// source is the first row of the constant that item i holds, and how many there are.
func (f fractal) source(i int64) (row, count int64) {
	each := f.rows / kernel.FractalRows
	matrix, block := i/each, i%each
	row = matrix*f.rows + block*kernel.FractalRows
	if f.pairs {
		up, within := kernels.GateUpRow(int(block * kernel.FractalRows))
		row = matrix*f.rows + int64(within)
		if up {
			row += f.rows / 2
		}
	}
	return row, min(kernel.FractalRows, max(0, f.real-row))
}

// place puts count rows of k elements of size bytes to item i of a unit that begins at lo.
func (f fractal) place(out [][]byte, at int64, rows []byte, count, size int64) {
	pitch := f.k * size
	for c := range f.columns() {
		lo := c * kernel.Block
		n := min(kernel.Block, pitch-lo)
		for r := range count {
			to := (at*kernel.FractalRows + r) * kernel.Block
			copy(out[c][to:to+n], rows[r*pitch+lo:])
		}
	}
}

// zero clears what padding leaves out.
func zero(out [][]byte) {
	for _, part := range out {
		clear(part)
	}
}

type halfFractals struct {
	fractal
	v *ir.Value
}

// Values is the weight.
func (h halfFractals) Values() []*ir.Value { return h.values }

// Eval gives items lo to hi, a column of fractals in each extent.
func (h halfFractals) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	zero(out)
	raw := make([]byte, kernel.FractalRows*h.k*2)
	for i := lo; i < hi; i++ {
		row, count := h.source(i)
		if count == 0 {
			continue
		}
		if err := h.read(src, row*h.k, raw[:count*h.k*2]); err != nil {
			return err
		}
		h.place(out, i-lo, raw, count, 2)
	}
	return nil
}

// read gives elements from off as halves, whatever float type the constant has.
func (h halfFractals) read(src weights.Source, off int64, out []byte) error {
	count := int64(len(out)) / 2
	if h.v.Type.DType == dtype.F16 {
		return weights.Read(src, h.v, off, count, out)
	}
	values := make([]float32, count)
	if err := weights.Floats(src, h.v, off, values); err != nil {
		return err
	}
	dtype.Encode(dtype.F16, out, values)
	return nil
}

type int8Fractals struct {
	fractal
	q, s *ir.Value
}

// Values are weight and scales.
func (w int8Fractals) Values() []*ir.Value { return w.values }

// Eval gives items lo to hi, a column of fractals in each extent, then the scales of their rows.
func (w int8Fractals) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	zero(out)
	q := make([]int8, kernel.FractalRows*w.k)
	scales := make([]float32, kernel.FractalRows)
	raw := make([]byte, len(q))
	for i := lo; i < hi; i++ {
		row, count := w.source(i)
		if count == 0 {
			continue
		}
		if err := weights.Quantize(src, w.q, w.s, row, q[:count*w.k], scales[:count]); err != nil {
			return err
		}
		for j, x := range q {
			raw[j] = byte(x)
		}
		w.place(out[:w.columns()], i-lo, raw, count, 1)
		at := 4 * (i - lo) * kernel.FractalRows
		dtype.Encode(dtype.F32, out[w.columns()][at:at+4*count], scales[:count])
	}
	return nil
}
