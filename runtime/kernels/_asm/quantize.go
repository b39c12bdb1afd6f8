package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitQuantize(g *generator) {
	maxAbsBits(g)
	quantize(g)
}

func maxAbsBits(g *generator) {
	magnitude := g.constantBits("magnitude", 0x7fffffff)
	g.function("maxAbsBits", "func(x *float32, n int) uint32",
		"is maxAbsBitsGeneric for n elements, n a multiple of 16.")
	x := g.load("x")
	largest := g.vec()
	g.zero(largest)
	mask := g.register()
	g.VMOVUPS(magnitude, mask)
	g.loop(func(index reg.Register) {
		for i, l := range largest {
			v := g.register()
			g.VANDPS(g.at(x, index, 4, i), mask, v)
			g.VPMAXUD(v, l, l)
		}
	})
	result := g.fold(largest, func(upper, lower reg.Register) { g.VPMAXUD(upper, lower, lower) })
	out := g.GP32()
	g.VMOVD(result, out)
	g.Store(out, g.ReturnIndex(0))
	g.done()
}

// quantize clamps, turns NaN into 0 and converts by the rounding mode in force, nearest even.
func quantize(g *generator) {
	low, high := g.constant("qLow", -127), g.constant("qHigh", 127)
	g.function("quantize", "func(dst *int8, x *float32, inv float32, n int)",
		"is quantizeGeneric for n elements, n a multiple of 16.")
	dst, x := g.load("dst"), g.load("x")
	inv, lowest, highest := g.broadcast("inv"), g.register(), g.register()
	g.VMOVUPS(low, lowest)
	g.VMOVUPS(high, highest)
	g.loop(func(index reg.Register) {
		q := g.vec()
		for i, r := range q {
			g.VMULPS(g.at(x, index, 4, i), inv, r)
			g.VMINPS(r, highest, r) // NaN, the second source, goes through
			g.VMAXPS(r, lowest, r)
			g.clearNaN(r)
			g.VCVTPS2DQ(r, r)
		}
		g.storeBytes(q, g.at(dst, index, 1, 0))
	})
	g.done()
}

// clearNaN turns NaN into 0.
func (g *generator) clearNaN(r reg.VecVirtual) {
	const ordered = 7
	if g.width == tileRows {
		k := g.K()
		g.VCMPPS(operand.Imm(ordered), r, r, k)
		g.VMOVAPS_Z(r, k, r)
		return
	}
	number := g.register()
	g.VCMPPS(operand.Imm(ordered), r, r, number)
	g.VANDPS(number, r, r)
}

// storeBytes stores 16 words, each in the range of int8, as 16 bytes.
func (g *generator) storeBytes(q vec, m operand.Mem) {
	if g.width == tileRows {
		g.VPMOVDB(q[0], m)
		return
	}
	packed, upper := g.YMM(), g.XMM()
	g.VPACKSSDW(q[1], q[0], packed)
	g.VPERMQ(operand.Imm(0b11011000), packed, packed)
	g.VEXTRACTI128(operand.Imm(1), packed, upper)
	g.VPACKSSWB(upper, packed.AsX(), upper)
	g.VMOVDQU(upper, m)
}
