package ir

import (
	"moge/ir/dtype"
	"moge/ir/shape"
)

// Expand builds the definition of fused node n over args, which stand for its arguments.
func (b *Builder) Expand(n *Node, args []*Value) []*Value {
	if !n.Op.Fused() {
		panic("BUG: " + n.Op.String() + " has no expansion")
	}
	return n.Op.row().expand(b, n, args)
}

func expandAddRMSNorm(b *Builder, n *Node, args []*Value) []*Value {
	sum := b.Op1(OpAdd, n.Site, args[0], args[1])
	attrs := []Attr{Float("eps", n.Float("eps"))}
	if round, ok := n.Attr("round"); ok {
		sum = Rounded(b, n.Site, sum, round.DType)
		attrs = append(attrs, round)
	}
	return []*Value{sum, b.Add(OpRMSNorm, n.Site, []*Value{sum, args[2]}, attrs...)[0]}
}

// Rounded is x, f32, with the values that d can hold.
func Rounded(b *Builder, site string, x *Value, d dtype.Type) *Value {
	narrow := b.Add(OpCast, site, []*Value{x}, DType("to", d))[0]
	return b.Add(OpCast, site, []*Value{narrow}, DType("to", dtype.F32))[0]
}

func expandRotary(b *Builder, n *Node, args []*Value) []*Value {
	x := args[0]
	half := x.Type.Shape[2].Coef / 2
	perHead := shape.Shape{x.Type.Shape[0], shape.Fixed(1), shape.Fixed(half)}
	cos := b.Reshape(n.Site, args[1], perHead)
	sin := b.Reshape(n.Site, args[2], perHead)
	lo := b.Slice(n.Site, x, 2, 0, half)
	hi := b.Slice(n.Site, x, 2, half, 2*half)
	first := b.Op1(OpSub, n.Site, b.Op1(OpMul, n.Site, lo, cos), b.Op1(OpMul, n.Site, hi, sin))
	second := b.Op1(OpAdd, n.Site, b.Op1(OpMul, n.Site, hi, cos), b.Op1(OpMul, n.Site, lo, sin))
	return b.Add(OpConcat, n.Site, []*Value{first, second}, Int("axis", 2))
}

func expandSwiGLU(b *Builder, n *Node, args []*Value) []*Value {
	width := args[0].Type.Shape[1].Coef / 2
	gate := b.Slice(n.Site, args[0], 1, 0, width)
	up := b.Slice(n.Site, args[0], 1, width, 2*width)
	return []*Value{b.Op1(OpMul, n.Site, b.Op1(OpSiLU, n.Site, gate), up)}
}

// expandMoEGate is the grouped gating of Pangu Pro MoE (paper Eq. 2; checkpoints 1.3):
// softmax over all experts, the best of each group by the unscaled probability, then
// router_scale on what was chosen; no renormalisation.
func expandMoEGate(b *Builder, n *Node, args []*Value) []*Value {
	site := n.Site
	logits := b.Op1(OpLinear, site, args[0], args[1])
	p := b.Op1(OpSoftmax, site, logits)
	tokens, experts, groups := logits.Type.Shape[0], logits.Type.Shape[1].Coef, n.Int("groups")
	size := experts / groups
	grouped := b.Reshape(site, p, shape.Shape{tokens, shape.Fixed(groups), shape.Fixed(size)})
	w := b.Op1(OpMaxLast, site, grouped)
	first := b.Add(OpIota, site, nil, Int("count", groups), Int("step", size))[0]
	firstRow := b.Reshape(site, first, shape.Make(1, groups))
	ids := b.Op1(OpAdd, site, b.Op1(OpArgMaxLast, site, grouped), firstRow)
	if len(args) == 3 {
		w = b.Op1(OpMul, site, w, b.Op1(OpGather, site, args[2], ids))
	}
	return []*Value{w, ids}
}

func toF32(b *Builder, site string, x *Value) *Value {
	if x.Type.DType == dtype.F32 {
		return x
	}
	return b.Add(OpCast, site, []*Value{x}, DType("to", dtype.F32))[0]
}

// asRow views a vector [N] as [1,N], asColumn as [N,1], so that both broadcast over a matrix.
func asRow(b *Builder, site string, v *Value) *Value {
	return b.Reshape(site, v, shape.Shape{shape.Fixed(1), v.Type.Shape[0]})
}

func asColumn(b *Builder, site string, v *Value) *Value {
	return b.Reshape(site, v, shape.Shape{v.Type.Shape[0], shape.Fixed(1)})
}

func addBias(b *Builder, site string, y *Value, bias []*Value) []*Value {
	if len(bias) == 1 {
		y = b.Op1(OpAdd, site, y, asRow(b, site, toF32(b, site, bias[0])))
	}
	return []*Value{y}
}

func expandQLinear(b *Builder, n *Node, args []*Value) []*Value {
	site, bias := n.Site, args[4:]
	return []*Value{eachBlock(b, site, args[0], args[1], func(x, scale *Value, lo, hi int64) *Value {
		w := part(b, site, args[2], lo, hi)
		acc := toF32(b, site, b.Op1(OpDotI8, site, x, w))
		y := b.Op1(OpMul, site, acc, asRow(b, site, args[3]))
		y = b.Op1(OpMul, site, y, asColumn(b, site, scale))
		if lo > 0 {
			return y
		}
		return addBias(b, site, y, bias)[0] // to the first, as the first of ranks does
	})}
}

// eachBlock sums, in order, what product makes of each block of int8 rows: the block's columns lo to hi
// and a scale for each row. Rows with one scale are one block.
func eachBlock(b *Builder, site string, x, scales *Value,
	product func(x, scale *Value, lo, hi int64) *Value) *Value {
	k := x.Type.Shape[1].Coef
	if len(scales.Type.Shape) == 1 {
		return product(x, scales, 0, k)
	}
	blocks := scales.Type.Shape[1].Coef
	width := k / blocks
	var sum *Value
	for i := range blocks {
		column := b.Slice(site, scales, 1, i, i+1)
		scale := b.Reshape(site, column, column.Type.Shape[:1])
		y := product(part(b, site, x, i*width, (i+1)*width), scale, i*width, (i+1)*width)
		if sum == nil {
			sum = y
		} else {
			sum = b.Op1(OpAdd, site, sum, y)
		}
	}
	return sum
}

// part is columns lo to hi of a matrix, or of each of a stack of them.
func part(b *Builder, site string, x *Value, lo, hi int64) *Value {
	axis := len(x.Type.Shape) - 1
	if x.Type.Shape[axis].Coef == hi-lo {
		return x
	}
	return b.Slice(site, x, axis, lo, hi)
}

// stackScales gives the scales of a grouped op as one [E,N].
func stackScales(b *Builder, site string, scales []*Value) *Value {
	if len(scales) == 1 && len(scales[0].Type.Shape) == 2 {
		return scales[0]
	}
	return b.Op1(OpStack, site, scales...)
}

func expandQGroupedLinear(b *Builder, n *Node, args []*Value) []*Value {
	site, count := n.Site, (len(args)-3)/2
	return []*Value{eachBlock(b, site, args[0], args[2], func(x, scale *Value, lo, hi int64) *Value {
		dot := []*Value{x, args[1]}
		for _, w := range args[3 : 3+count] {
			dot = append(dot, part(b, site, w, lo, hi))
		}
		acc := toF32(b, site, b.Op1(OpGroupedDotI8, site, dot...))
		scales := b.Op1(OpSpreadRows, site, stackScales(b, site, args[3+count:]), args[1], acc)
		return b.Op1(OpMul, site, b.Op1(OpMul, site, acc, scales), asColumn(b, site, scale))
	})}
}

func expandW8Linear(b *Builder, n *Node, args []*Value) []*Value {
	site := n.Site
	acc := b.Op1(OpLinear, site, args[0], toF32(b, site, args[1]))
	y := b.Op1(OpMul, site, acc, asRow(b, site, args[2]))
	return addBias(b, site, y, args[3:])
}

func expandW8GroupedLinear(b *Builder, n *Node, args []*Value) []*Value {
	site, count := n.Site, (len(args)-2)/2
	linear := []*Value{args[0], args[1]}
	for _, w := range args[2 : 2+count] {
		linear = append(linear, toF32(b, site, w))
	}
	acc := b.Op1(OpGroupedLinear, site, linear...)
	scales := b.Op1(OpSpreadRows, site, stackScales(b, site, args[2+count:]), args[1], acc)
	return []*Value{b.Op1(OpMul, site, acc, scales)}
}
