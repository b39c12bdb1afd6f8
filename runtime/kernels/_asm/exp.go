package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitExp(g *generator) {
	c := newExpConstants(g)
	maxF32(g)
	expSum(g, c)
	swiGLU(g, c)
}

// expConstants mirror the constants of the same names in the kernels' exp.go.
type expConstants struct {
	max, min, log2e, ln2High, ln2Low, magic, magicBits, bias, one, sign operand.Mem
	p                                                                   [6]operand.Mem
}

func newExpConstants(g *generator) expConstants {
	const roundMagic = 0x1.8p23
	c := expConstants{
		max:       g.constant("expMax", 89),
		min:       g.constant("expMin", -104),
		log2e:     g.constant("log2e", 1.44269504088896341),
		ln2High:   g.constant("ln2High", 0.693359375),
		ln2Low:    g.constant("ln2Low", -2.12194440e-4),
		magic:     g.constant("roundMagic", roundMagic),
		magicBits: g.constantBits("roundMagicBits", 0x4b400000),
		bias:      g.constantBits("expBias", 127),
		one:       g.constant("one", 1),
		sign:      g.constantBits("sign", 0x80000000),
	}
	for i, v := range []float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
		4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		c.p[i] = g.constant("expP"+string(rune('0'+i)), v)
	}
	return c
}

// exp replaces x by Exp(x), operation by operation as in Go.
func (g *generator) exp(c expConstants, x reg.VecVirtual) {
	shifted, n, p, square := g.register(), g.register(), g.register(), g.register()
	g.VMOVUPS(c.max, n)
	g.VMINPS(x, n, x) // NaN, the second source, goes through
	g.VMOVUPS(c.min, n)
	g.VMAXPS(x, n, x)
	g.VMULPS(c.log2e, x, shifted)
	g.VADDPS(c.magic, shifted, shifted)
	g.VSUBPS(c.magic, shifted, n)
	g.VMULPS(c.ln2High, n, p)
	g.VSUBPS(p, x, x)
	g.VMULPS(c.ln2Low, n, p)
	g.VSUBPS(p, x, x)
	g.VMULPS(c.p[0], x, p)
	for _, coefficient := range c.p[1:5] {
		g.VADDPS(coefficient, p, p)
		g.VMULPS(x, p, p)
	}
	g.VADDPS(c.p[5], p, p)
	g.VMULPS(x, x, square)
	g.VMULPS(square, p, p)
	g.VADDPS(x, p, p)
	g.VADDPS(c.one, p, p)
	half := n
	g.VPSUBD(c.magicBits, shifted, shifted)
	g.VPSRAD(operand.Imm(1), shifted, half)
	g.VPSUBD(half, shifted, shifted)
	for _, power := range []reg.VecVirtual{half, shifted} {
		g.VPADDD(c.bias, power, power)
		g.VPSLLD(operand.Imm(23), power, power)
		g.VMULPS(power, p, p)
	}
	g.VMOVAPS(p, x)
}

func maxF32(g *generator) {
	infinity := g.constantBits("minusInf", 0xff800000)
	g.function("maxF32", "func(x *float32, n int) float32",
		"is maxF32Generic for n elements, n a multiple of 16.")
	x := g.load("x")
	largest := g.vec()
	for _, l := range largest {
		g.VMOVUPS(infinity, l)
	}
	g.loop(func(index reg.Register) {
		for i, l := range largest {
			v := g.register()
			g.VMOVUPS(g.at(x, index, 4, i), v)
			g.VMAXPS(l, v, l) // if v is NaN, the second source l stays
		}
	})
	result := g.fold(largest, func(upper, lower reg.Register) { g.VMAXPS(upper, lower, lower) })
	g.Store(result, g.ReturnIndex(0))
	g.done()
}

func expSum(g *generator, c expConstants) {
	g.function("expLanes", "func(x *float32, shift float32, sum *[16]float32, n int)",
		"is expLanes for n elements, n a multiple of 16, and sets sum.")
	x, out := g.load("x"), g.load("sum")
	shift := g.broadcast("shift")
	sum := g.vec()
	g.zero(sum)
	g.loop(func(index reg.Register) {
		for i, s := range sum {
			v := g.register()
			g.VMOVUPS(g.at(x, index, 4, i), v)
			g.VSUBPS(shift, v, v)
			g.exp(c, v)
			g.VMOVUPS(v, g.at(x, index, 4, i))
			g.VADDPS(v, s, s)
		}
	})
	for i, s := range sum {
		g.VMOVUPS(s, operand.Mem{Base: out, Disp: 4 * g.width * i})
	}
	g.done()
}

func swiGLU(g *generator, c expConstants) {
	elementwise(g, "swiGLU", "func(dst, gate, up *float32, n int)",
		[]string{"dst", "gate", "up"}, "",
		func(s scratch) {
			e := g.register()
			g.VMOVUPS(c.sign, e)
			g.VXORPS(s.mem("gate"), e, e)
			g.exp(c, e)
			g.VADDPS(c.one, e, e)
			g.VMOVUPS(s.mem("gate"), s.r)
			g.VDIVPS(e, s.r, s.r)
			g.VMULPS(s.mem("up"), s.r, s.r)
		})
}
