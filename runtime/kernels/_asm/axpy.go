package main

import "github.com/mmcloughlin/avo/reg"

func emitAxpy(g *generator) {
	for _, e := range []element{f32, f16, i8} {
		axpy(g, e)
	}
}

func axpy(g *generator, e element) {
	name := "axpy" + e.name
	g.function(name, "func(y *float32, a float32, x *"+e.goType+", n int)",
		"is "+name+"Generic for n elements, n a multiple of 16.")
	y, x := g.load("y"), g.load("x")
	a := g.broadcast("a")
	g.loop(func(index reg.Register) {
		for i := range g.parts() {
			v := g.register()
			g.widen(e, g.at(x, index, e.size, i), v)
			g.VMULPS(v, a, v)
			g.VADDPS(g.at(y, index, f32.size, i), v, v)
			g.VMOVUPS(v, g.at(y, index, f32.size, i))
		}
	})
	g.done()
}
