package model

import (
	"moge/ascend/kernel"
	"moge/codegen"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// fixed is a constant dimension.
func fixed(n int) *bundlepb.Dim { return &bundlepb.Dim{Coef: int64(n)} }

// rowsOf is the storage of per rows for each of so many tokens or rows of logits: whole fractals of
// rows. Of ranks that have a part of the tokens each, parts are whole fractals.
func rowsOf(per int, d shape.Dim) *bundlepb.Dim {
	return &bundlepb.Dim{Coef: int64(per) * d.Coef * kernel.FractalRows, Scalar: bundlepb.Scalar(d.Scalar),
		Div: d.Div * kernel.FractalRows}
}

// blocksOf is the storage of per elements of 32 bits for each of so many tokens, as rows of whole blocks.
func blocksOf(per int, d shape.Dim) *bundlepb.Dim {
	return rowsOf((per+blockLanes-1)/blockLanes, d)
}

// rowsIn is the number of rows of argument i.
func rowsIn(n *ir.Node, i int) shape.Dim { return n.Args[i].Type.Shape[0] }

// most is a number of rows when every scalar is at its limit.
func (b *builder) most(d shape.Dim) int {
	return int(d.Eval(&shape.Env{shape.T: int64(b.limits.Tokens), shape.L: int64(b.limits.Rows)}))
}

// blockLanes is the number of elements of 32 bits in a block.
const blockLanes = kernel.Block / 4

// buffer makes a matrix in the arena, live from the step about to be added.
func (b *builder) buffer(d dtype.Type, rows *bundlepb.Dim, cols int) *bundlepb.Operand {
	i := len(b.program.Buffers)
	dims := []*bundlepb.Dim{rows, fixed(cols)}
	b.program.Buffers = append(b.program.Buffers, &bundlepb.Buffer{Dtype: bundlepb.DType(d), Shape: dims})
	b.live = append(b.live, codegen.Interval{First: len(b.launches), Last: len(b.launches),
		Size: b.bytes(d, dims)})
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: uint32(i)}}
}

// bytes is the memory of a buffer when every scalar is at its limit.
func (b *builder) bytes(d dtype.Type, dims []*bundlepb.Dim) int64 {
	limit := map[bundlepb.Scalar]int64{bundlepb.Scalar_T: int64(b.limits.Tokens),
		bundlepb.Scalar_L: int64(b.limits.Rows)}
	n := int64(1)
	for _, p := range dims {
		if p.Scalar == bundlepb.Scalar_FIXED {
			n *= p.Coef
			continue
		}
		n *= p.Coef * ((limit[p.Scalar] + p.Div - 1) / p.Div)
	}
	return d.Bytes(n)
}

// halves is a matrix of activations.
func (b *builder) halves(rows shape.Dim, cols int) *bundlepb.Operand {
	return b.buffer(dtype.F16, rowsOf(1, rows), cols)
}

// bufferOf is the index of an operand's buffer.
func bufferOf(o *bundlepb.Operand) uint32 { return o.Kind.(*bundlepb.Operand_Buffer).Buffer }

// input is the buffer that the host fills under a name before every step.
func (b *builder) input(name string, rows *bundlepb.Dim, cols int) *bundlepb.Operand {
	for _, p := range b.program.Inputs {
		if p.Name == name {
			return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: p.Buffer}}
		}
	}
	o := b.buffer(dtype.I32, rows, cols)
	b.live[bufferOf(o)].First = 0
	b.program.Inputs = append(b.program.Inputs, &bundlepb.Port{Name: name, Buffer: bufferOf(o)})
	return o
}

// output gives a buffer a name for the host.
func (b *builder) output(name string, o *bundlepb.Operand) {
	b.live[bufferOf(o)].Last = len(b.launches)
	b.program.Outputs = append(b.program.Outputs, &bundlepb.Port{Name: name, Buffer: bufferOf(o)})
}

// state is the slot of the cache that a state value is.
func (b *builder) state(v *ir.Value) *bundlepb.Operand {
	name := v.Def.Str("name")
	operand := func(i int) *bundlepb.Operand {
		return &bundlepb.Operand{Kind: &bundlepb.Operand_State{State: uint32(i)}}
	}
	for i, s := range b.program.States {
		if s.Name == name {
			return operand(i)
		}
	}
	b.program.States = append(b.program.States, &bundlepb.State{Name: name, Dtype: bundlepb.DType_F16,
		Heads: v.Type.Shape[0].Coef, Width: v.Type.Shape[1].Coef})
	return operand(len(b.program.States) - 1)
}
