package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitVector(g *generator) {
	binary(g, "addF32", func(m operand.Mem, r reg.VecVirtual) { g.VADDPS(m, r, r) })
	binary(g, "mulF32", func(m operand.Mem, r reg.VecVirtual) { g.VMULPS(m, r, r) })
	scaleF32(g)
	divF32(g)
	scaleMul(g)
	dequant(g)
	rotary(g)
}

// scratch is what the body of an elementwise kernel works with.
type scratch struct {
	mem    func(array string) operand.Mem // the elements at hand, of 4 bytes each
	r      reg.VecVirtual                 // becomes the elements of the first array
	scalar reg.VecVirtual                 // the scalar parameter in all lanes, if there is one
}

// elementwise emits a function over n elements, a multiple of 16, that computes each register
// of the first array by body.
func elementwise(g *generator, name, signature string, arrays []string, scalar string,
	body func(s scratch)) {
	g.function(name, signature, "is "+name+"Generic for n elements, n a multiple of 16.")
	base := map[string]reg.Register{}
	for _, array := range arrays {
		base[array] = g.load(array)
	}
	var everywhere reg.VecVirtual
	if scalar != "" {
		everywhere = g.broadcast(scalar)
	}
	g.loop(func(index reg.Register) {
		for i := range g.parts() {
			mem := func(array string) operand.Mem { return g.at(base[array], index, 4, i) }
			s := scratch{mem: mem, r: g.register(), scalar: everywhere}
			body(s)
			g.VMOVUPS(s.r, mem(arrays[0]))
		}
	})
	g.done()
}

func binary(g *generator, name string, operate func(m operand.Mem, r reg.VecVirtual)) {
	elementwise(g, name, "func(dst, a, b *float32, n int)", []string{"dst", "a", "b"}, "",
		func(s scratch) {
			g.VMOVUPS(s.mem("a"), s.r)
			operate(s.mem("b"), s.r)
		})
}

func scaleF32(g *generator) {
	elementwise(g, "scaleF32", "func(dst, x *float32, a float32, n int)",
		[]string{"dst", "x"}, "a",
		func(s scratch) { g.VMULPS(s.mem("x"), s.scalar, s.r) })
}

func divF32(g *generator) {
	elementwise(g, "divF32", "func(x *float32, a float32, n int)", []string{"x"}, "a",
		func(s scratch) {
			g.VMOVUPS(s.mem("x"), s.r)
			g.VDIVPS(s.scalar, s.r, s.r)
		})
}

func scaleMul(g *generator) {
	elementwise(g, "scaleMul", "func(dst, x *float32, a float32, w *float32, n int)",
		[]string{"dst", "x", "w"}, "a",
		func(s scratch) {
			g.VMULPS(s.mem("x"), s.scalar, s.r)
			g.VMULPS(s.mem("w"), s.r, s.r)
		})
}

func dequant(g *generator) {
	elementwise(g, "dequant",
		"func(dst *float32, acc *int32, xs float32, ws *float32, n int)",
		[]string{"dst", "acc", "ws"}, "xs",
		func(s scratch) {
			g.VCVTDQ2PS(s.mem("acc"), s.r)
			g.VMULPS(s.mem("ws"), s.r, s.r)
			g.VMULPS(s.scalar, s.r, s.r)
		})
}

func rotary(g *generator) {
	elementwise(g, "rotary", "func(lo, hi, cos, sin *float32, n int)",
		[]string{"lo", "hi", "cos", "sin"}, "",
		func(s scratch) {
			lo, hi, cross, product := s.r, g.register(), g.register(), g.register()
			g.VMOVUPS(s.mem("lo"), lo)
			g.VMOVUPS(s.mem("hi"), hi)
			g.VMULPS(s.mem("sin"), hi, product)
			g.VMULPS(s.mem("sin"), lo, cross)
			g.VMULPS(s.mem("cos"), lo, lo)
			g.VMULPS(s.mem("cos"), hi, hi)
			g.VSUBPS(product, lo, lo)
			g.VADDPS(cross, hi, hi)
			g.VMOVUPS(hi, s.mem("hi"))
		})
}
