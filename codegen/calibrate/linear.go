package calibrate

import (
	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
	"moge/runtime/kernels"
)

// blockBytes is about how much of a weight, as f32 tiles, one worker holds.
const blockBytes = 1 << 20

// block is a few output rows of one expert's weight, times a range of the input rows.
type block struct {
	weight     *ir.Value
	row        int64 // first of the weight's rows, counted over all experts stacked in it
	column     int64 // of the output
	count      int64 // rows of the weight
	from, upTo int64 // rows of x
}

// linear computes x [T,K] times the weight, plus the bias if there is one.
func (r *runner) linear(n *ir.Node, x *tensor.Tensor) (*tensor.Tensor, error) {
	w := n.Args[1]
	out := tensor.New(dtype.F32, x.Shape[0], w.Type.Shape[0].Coef)
	if err := r.blocks(x, out, cut(nil, w, 0, out.Shape[1], 0, x.Shape[0])); err != nil || len(n.Args) < 3 {
		return out, err
	}
	bias := make([]float32, out.Shape[1])
	if err := weights.Floats(r.src, n.Args[2], 0, bias); err != nil {
		return nil, err
	}
	for t := range int(x.Shape[0]) {
		row := out.F32[t*len(bias) : (t+1)*len(bias)]
		kernels.AddF32(row, row, bias)
	}
	return out, nil
}

// grouped computes each row range of x [R,K] times the weight of its expert.
func (r *runner) grouped(n *ir.Node, x, offsets *tensor.Tensor) (*tensor.Tensor, error) {
	first := n.Args[2]
	dims := first.Type.Shape
	columns := dims[len(dims)-2].Coef
	out := tensor.New(dtype.F32, x.Shape[0], columns)
	var work []block
	for e := range len(offsets.I32) - 1 {
		lo, hi := int64(offsets.I32[e]), int64(offsets.I32[e+1])
		w, row := first, int64(e)*columns
		if len(dims) == 2 {
			w, row = n.Args[2+e], 0
		}
		if lo < hi {
			work = cut(work, w, row, columns, lo, hi)
		}
	}
	return out, r.blocks(x, out, work)
}

// cut appends the blocks of one expert.
func cut(work []block, w *ir.Value, row, columns, from, upTo int64) []block {
	step := max(1, blockBytes/(4*kernels.TileRows*weights.RowLength(w))) * kernels.TileRows
	for c := int64(0); c < columns; c += step {
		work = append(work, block{w, row + c, c, min(step, columns-c), from, upTo})
	}
	return work
}

// blocks computes all blocks; each writes its own columns of its own rows.
func (r *runner) blocks(x, out *tensor.Tensor, work []block) error {
	failed := make([]error, len(work))
	err := r.pool.Run(len(work), func(_, i int) { failed[i] = r.block(x, out, work[i]) })
	for _, f := range failed {
		if err == nil {
			err = f
		}
	}
	return err
}

func (r *runner) block(x, out *tensor.Tensor, b block) error {
	k := int(weights.RowLength(b.weight))
	rows := make([]float32, int(b.count)*k)
	if err := weights.Floats(r.src, b.weight, b.row*int64(k), rows); err != nil {
		return err
	}
	tiles := kernels.Tiles(int(b.count))
	packed := make([]byte, kernels.MatrixBytes(dtype.F32, int(b.count), k))
	kernels.Pack(dtype.F32, packed, kernels.Bytes(rows), int(b.count), k)
	width := tiles * kernels.TileRows
	columns := int(out.Shape[1])
	scratch := make([]float32, width)
	for t := int(b.from); t < int(b.upTo); t++ {
		kernels.MatMulF32(scratch, width, x.F32[t*k:(t+1)*k], k, 1, kernels.Float32s(packed), tiles, k)
		copy(out.F32[t*columns+int(b.column):][:b.count], scratch)
	}
	return nil
}
