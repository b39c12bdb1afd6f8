package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// emitDot emits the dot products. The f32 one takes any length, the others multiples of 16.
func emitDot(g *generator) {
	dot(g, "dotF32", f32, true)
	dot(g, "dotF16", f16, false)
	dot(g, "dotI8F32", i8, false)
}

func dot(g *generator, name string, e element, tail bool) {
	length := "n must be a multiple of 16."
	if tail {
		length = "n may be any length."
	}
	g.function(name, "func(a *float32, b *"+e.goType+", n int) float32",
		"is "+name+"Generic for n elements. "+length)
	a, b, n := g.load("a"), g.load("b"), g.load("n")
	sum := g.vec()
	g.zero(sum)
	whole := n
	if tail {
		whole = g.GP64()
		g.MOVQ(n, whole)
		g.ANDQ(operand.I8(-tileRows), whole)
	}
	g.loopTo(whole, func(index reg.Register) {
		for i, s := range sum {
			x := g.register()
			g.widen(e, g.at(b, index, e.size, i), x)
			g.VMULPS(g.at(a, index, f32.size, i), x, x)
			g.VADDPS(x, s, s)
		}
	})
	if tail {
		dotTail(g, sum, a, b, n, whole)
	}
	result := g.fold(sum, g.add)
	g.Store(result, g.ReturnIndex(0))
	g.done()
}

// dotTail adds the last n-whole elements, fewer than 16, to the first lanes.
func dotTail(g *generator, sum vec, a, b, n, whole reg.Register) {
	g.SUBQ(whole, n)
	g.JE(operand.LabelRef("fold"))
	mask := tailMask(g, n)
	for i, s := range sum {
		x, y := g.register(), g.register()
		if g.width == tileRows {
			k := g.K()
			g.VPMOVD2M(mask[i], k)
			g.VMOVUPS_Z(g.at(a, whole, f32.size, i), k, x)
			g.VMOVUPS_Z(g.at(b, whole, f32.size, i), k, y)
			g.VMULPS(x, y, x)
			g.VADDPS(x, s, k, s)
			continue
		}
		g.VMASKMOVPS(g.at(a, whole, f32.size, i), mask[i], x)
		g.VMASKMOVPS(g.at(b, whole, f32.size, i), mask[i], y)
		g.VMULPS(x, y, x)
		g.VADDPS(x, s, s) // a lane is never -0, so adding 0 leaves it as it is
	}
	g.Label("fold")
}

// tailMask has all bits set in the first n lanes, 0 < n < 16: 16 lanes read from a table of 16
// set and 16 clear words, from word 16-n on.
func tailMask(g *generator, n reg.Register) vec {
	table := g.StaticGlobal("tailMask" + g.name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 2 * tileRows {
		word := uint32(0xffffffff)
		if i >= tileRows {
			word = 0
		}
		g.AddDatum(4*i, operand.U32(word))
	}
	start, from := g.GP64(), g.GP64()
	g.LEAQ(table.Offset(4*tileRows), start)
	g.MOVQ(n, from)
	g.NEGQ(from)
	mask := g.vec()
	for i, m := range mask {
		g.VMOVUPS(g.at(start, from, 4, i), m)
	}
	return mask
}
