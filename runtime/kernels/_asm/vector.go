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

// elementwise emits a function over n elements, a multiple of 16, that computes each register
// of dst by body. mem gives the memory of the register under computation in the array called
// name, of 4-byte elements.
func elementwise(g *generator, name, signature string, arrays []string,
	body func(mem func(name string) operand.Mem, r reg.VecVirtual)) {
	g.function(name, signature, "is "+name+"Generic for n elements, n a multiple of 16.")
	base := map[string]reg.Register{}
	for _, array := range arrays {
		base[array] = g.load(array)
	}
	g.loop(func(index reg.Register) {
		for i := range g.parts() {
			mem := func(name string) operand.Mem { return g.at(base[name], index, 4, i) }
			r := g.register()
			body(mem, r)
			g.VMOVUPS(r, mem(arrays[0]))
		}
	})
	g.done()
}

func binary(g *generator, name string, operate func(m operand.Mem, r reg.VecVirtual)) {
	elementwise(g, name, "func(dst, a, b *float32, n int)", []string{"dst", "a", "b"},
		func(mem func(string) operand.Mem, r reg.VecVirtual) {
			g.VMOVUPS(mem("a"), r)
			operate(mem("b"), r)
		})
}

// inLoop broadcasts a float32 parameter in each step: cheap, because it is in the first level
// cache, and it leaves the register allocation to one function body.
func (g *generator) inLoop(name string) reg.VecVirtual { return g.broadcast(name) }

func scaleF32(g *generator) {
	elementwise(g, "scaleF32", "func(dst, x *float32, a float32, n int)", []string{"dst", "x"},
		func(mem func(string) operand.Mem, r reg.VecVirtual) {
			g.VMULPS(mem("x"), g.inLoop("a"), r)
		})
}

func divF32(g *generator) {
	elementwise(g, "divF32", "func(x *float32, a float32, n int)", []string{"x"},
		func(mem func(string) operand.Mem, r reg.VecVirtual) {
			g.VMOVUPS(mem("x"), r)
			g.VDIVPS(g.inLoop("a"), r, r)
		})
}

func scaleMul(g *generator) {
	elementwise(g, "scaleMul", "func(dst, x *float32, a float32, w *float32, n int)",
		[]string{"dst", "x", "w"},
		func(mem func(string) operand.Mem, r reg.VecVirtual) {
			g.VMULPS(mem("x"), g.inLoop("a"), r)
			g.VMULPS(mem("w"), r, r)
		})
}

func dequant(g *generator) {
	elementwise(g, "dequant",
		"func(dst *float32, acc *int32, xs float32, ws *float32, n int)",
		[]string{"dst", "acc", "ws"},
		func(mem func(string) operand.Mem, r reg.VecVirtual) {
			g.VCVTDQ2PS(mem("acc"), r)
			g.VMULPS(mem("ws"), r, r)
			g.VMULPS(g.inLoop("xs"), r, r)
		})
}

func rotary(g *generator) {
	elementwise(g, "rotary", "func(lo, hi, cos, sin *float32, n int)",
		[]string{"lo", "hi", "cos", "sin"},
		func(mem func(string) operand.Mem, lo reg.VecVirtual) {
			hi, cross, product := g.register(), g.register(), g.register()
			g.VMOVUPS(mem("lo"), lo)
			g.VMOVUPS(mem("hi"), hi)
			g.VMULPS(mem("sin"), hi, product)
			g.VMULPS(mem("sin"), lo, cross)
			g.VMULPS(mem("cos"), lo, lo)
			g.VMULPS(mem("cos"), hi, hi)
			g.VSUBPS(product, lo, lo)
			g.VADDPS(cross, hi, hi)
			g.VMOVUPS(hi, mem("hi"))
		})
}
