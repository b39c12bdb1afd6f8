package card

import (
	"math"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
)

// stored says where a kernel stores result i of a node: the site of its launch and the name of its
// tensor; empty if no kernel stores it.
func stored(n *ir.Node, i int) string {
	switch n.Op {
	case ir.OpCast:
		return storedCast(n.Args[0].Def)
	case ir.OpAddRMSNorm:
		return n.Site + [...]string{" sum", " out"}[i]
	case ir.OpQuantizeStatic:
		if i == 1 {
			return "" // the scale is a section
		}
		fallthrough
	case ir.OpQuantize:
		if from := n.Args[0].Def; from.Op == ir.OpRMSNorm || from.Op == ir.OpAddRMSNorm {
			return from.Site + [...]string{" q", " scale"}[i]
		}
	case ir.OpMoEGate:
		return n.Site + [...]string{" weights", " ids"}[i]
	case ir.OpRoute:
		return n.Site + [...]string{" order", " offsets"}[i]
	case ir.OpPermute:
		if len(n.Result().Type.Shape) == 2 {
			return n.Site + " rows"
		}
		if n.Args[0].Def.Op == ir.OpQuantizeStatic {
			return ""
		}
		return n.Site + " rowScale"
	case ir.OpTakeRows:
		return n.Site + " out"
	case ir.OpLinear:
		return n.Site + " logits"
	}
	return ""
}

// storedCast is the place of a value that a kernel rounds as it stores it.
func storedCast(from *ir.Node) string {
	switch from.Op {
	case ir.OpEmbed, ir.OpAttend, ir.OpCombine:
		return from.Site + " out"
	case ir.OpQLinear, ir.OpQGroupedLinear:
		return from.Site + " y"
	case ir.OpSwiGLU:
		return from.Args[0].Def.Site + " y"
	case ir.OpAdd:
		for _, a := range from.Args {
			if a.Def.Op == ir.OpCombine {
				return a.Def.Site + " out"
			}
		}
		return from.Site + " sum"
	case ir.OpRotary:
		if site, ok := cutSuffix(from.Site, ".q"); ok {
			return site + " q"
		}
	}
	return ""
}

func cutSuffix(s, suffix string) (string, bool) {
	if len(s) < len(suffix) || s[len(s)-len(suffix):] != suffix {
		return s, false
	}
	return s[:len(s)-len(suffix)], true
}

// halfStep is the distance of halves at x.
func halfStep(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e, -13)-11)
}

// bounds are how far a kernel's result may be from the interpreter's, both computed from the same
// inputs. Integers, and floats that take the same steps (scaled sums of integers, rotation, combine,
// sums), must be equal. The exponential of SwiGLU and the sums of a norm are rounded elsewhere, so that a
// value close to the middle of two halves may be rounded to either: one step of a half. A norm rounds
// twice, the first time before the weight: two steps. Attention rounds probabilities p to halves,
// which moves Σ p·v by at most 2^-11 · max|v|; and one step for the result.
type bounds struct {
	node *ir.Node
	args []*tensor.Tensor // constants included
	maxV float64          // largest magnitude among values of the layer
}

func (b bounds) of(i, j int, want float64) float64 {
	switch b.node.Op {
	case ir.OpCast:
		switch b.node.Args[0].Def.Op {
		case ir.OpAttend:
			return halfStep(want) + b.maxV/(1<<11)
		case ir.OpSwiGLU:
			return halfStep(want)
		}
		return 0
	case ir.OpAddRMSNorm:
		if i == 0 {
			return 0
		}
		return 2 * halfStep(want)
	case ir.OpQuantize, ir.OpQuantizeStatic:
		return b.quantized(i, want)
	case ir.OpMoEGate:
		if i == 0 {
			return want * b.gate(j)
		}
	case ir.OpLinear:
		return b.logit(j)
	}
	return 0
}

// quantized: where the norm stores its rows in int8 alone, what it quantizes is the kernel's own, two
// steps of a half away, which moves an integer by one.
func (b bounds) quantized(i int, want float64) float64 {
	if b.node.Args[0].Def.Op != ir.OpRMSNorm && !b.alone() {
		return 0
	}
	if i == 0 {
		return 1
	}
	return want / (1 << 9)
}

// alone reports whether nothing but quantize reads the norm.
func (b bounds) alone() bool {
	from := b.node.Args[0]
	return from.Def.Op == ir.OpAddRMSNorm && !readElsewhere[from]
}

// readElsewhere are the norms' rows that are stored as halves too.
var readElsewhere = map[*ir.Value]bool{}

// gate is the relative bound of a weight: both sums of products are within H · 2^-24 · Σ|x·w| of the
// true logit, an error of δ in logits is one of 2δ in a probability, and a few roundings.
func (b bounds) gate(j int) float64 {
	width := len(b.args[0].F32) / int(b.args[0].Shape[0])
	groups := int(b.node.Int("groups"))
	x := b.args[0].F32[j/groups*width:][:width]
	worst := 0.0
	for e := 0; e < len(b.args[1].F32); e += width {
		worst = max(worst, magnitude(x, b.args[1].F32[e:e+width]))
	}
	return 4*float64(width)*worst/(1<<24) + 16.0/(1<<24)
}

// logit: rows of the last norm are the kernel's own, two steps of a half away, and the sum as gate's.
func (b bounds) logit(j int) float64 {
	width := len(b.args[0].F32) / int(b.args[0].Shape[0])
	vocab := len(b.args[1].F32) / width
	x := b.args[0].F32[j/vocab*width:][:width]
	return magnitude(x, b.args[1].F32[j%vocab*width:][:width]) * (1.0/(1<<9) + 2*float64(width)/(1<<24))
}

// magnitude is Σ|x·w|.
func magnitude(x, w []float32) float64 {
	sum := 0.0
	for i, v := range x {
		sum += math.Abs(float64(v) * float64(w[i]))
	}
	return sum
}

// isHalf reports whether a result is stored as halves.
func isHalf(n *ir.Node, i int) bool {
	return n.Op == ir.OpCast || n.Op == ir.OpAddRMSNorm || n.Results[i].Type.DType == dtype.F16
}
