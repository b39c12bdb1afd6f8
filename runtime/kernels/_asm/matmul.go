package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// shape is how many rows of x and how many tiles of w one function multiplies.
type shape struct{ rows, tiles int }

// matMulShapes mirror the tables in the kernels' matmul_amd64.go. Four tiles together hide the
// latency of the addition; four rows together use each widened weight four times.
var matMulShapes = map[string][]shape{
	"AVX2":   {{4, 1}, {1, 4}, {1, 1}},
	"AVX512": {{4, 4}, {1, 4}, {4, 1}, {1, 1}},
}

func emitMatMul(g *generator) {
	for _, e := range []element{f32, bf16, f16} {
		for _, s := range matMulShapes[g.name] {
			newProduct(g, "matMul"+e.name, s, f32).emitFloat(e)
		}
	}
	for _, s := range matMulShapes[g.name] {
		newProduct(g, "matMulW8", s, f32).emitW8()
	}
}

// product is one block of a matrix product: its registers and pointers. The pointers walk
// along k; from each of them three rows or tiles are reached by one address.
type product struct {
	*generator
	shape
	acc    [][]vec // [rows][tiles]
	x, w   []reg.Register
	xs, ws reg.Register // bytes between rows of x, between tiles of w
	k      reg.Register
}

// newProduct starts the function and loads its parameters. x has elements of type e.
func newProduct(g *generator, name string, s shape, e element) *product {
	p := &product{generator: g, shape: s}
	g.function(fmt.Sprintf("%sRows%dTiles%d", name, s.rows, s.tiles),
		"func(dst *float32, dstStride int, x *float32, xStride int, w *byte, tileBytes, k int)",
		fmt.Sprintf("multiplies %d rows of x by %d tiles of w; strides are in bytes.",
			s.rows, s.tiles))
	p.pointers(e)
	return p
}

func (p *product) pointers(e element) {
	p.xs, p.ws = p.load("xStride"), p.load("tileBytes")
	p.x = p.reach(p.load("x"), p.xs, p.rows)
	p.w = p.reach(p.load("w"), p.ws, p.tiles)
	p.k = p.load("k")
	for range p.rows {
		var row []vec
		for range p.tiles {
			v := p.vec()
			p.zero(v)
			row = append(row, v)
		}
		p.acc = append(p.acc, row)
	}
}

// reach returns pointers to every third of n things that lie stride apart.
func (p *product) reach(first, stride reg.Register, n int) []reg.Register {
	all := []reg.Register{first}
	for i := 3; i < n; i += 3 {
		next := p.GP64()
		p.LEAQ(operand.Mem{Base: all[len(all)-1], Index: stride, Scale: 2}, next)
		p.ADDQ(stride, next)
		all = append(all, next)
	}
	return all
}

// mem is the memory disp bytes into thing i of those that reach prepared.
func mem(pointers []reg.Register, stride reg.Register, i, disp int) operand.Mem {
	m := operand.Mem{Base: pointers[i/3], Disp: disp}
	if i%3 > 0 {
		m.Index, m.Scale = stride, uint8(i%3)
	}
	return m
}

func (p *product) advance(pointers []reg.Register, bytes int) {
	for _, r := range pointers {
		p.ADDQ(operand.I32(int32(bytes)), r)
	}
}

// times repeats body count times, label by label.
func (p *product) times(label string, count reg.Register, body func()) {
	p.TESTQ(count, count)
	p.JE(operand.LabelRef(label + "_done"))
	p.Label(label)
	body()
	p.DECQ(count)
	p.JNE(operand.LabelRef(label))
	p.Label(label + "_done")
}

func (p *product) emitFloat(e element) {
	p.times("column", p.k, func() {
		p.step(0, func(tile int, w vec) {
			for i, r := range w {
				p.widen(e, mem(p.w, p.ws, tile, i*p.width*e.size), r)
			}
		})
		p.advance(p.w, tileRows*e.size)
		p.advance(p.x, f32.size)
	})
	p.storeAll()
}

// step adds column xDisp/4 of x times the weights that load gives to all accumulators.
func (p *product) step(xDisp int, load func(tile int, w vec)) {
	weights := make([]vec, p.tiles)
	if p.rows > 1 {
		for t := range weights {
			weights[t] = p.vec()
			load(t, weights[t])
		}
	}
	for r := range p.rows {
		x := p.register()
		p.VBROADCASTSS(mem(p.x, p.xs, r, xDisp), x)
		for t := range p.tiles {
			w := weights[t]
			if w == nil {
				w = p.vec()
				load(t, w)
			}
			p.addProduct(p.acc[r][t], x, w)
		}
	}
}

func (p *product) addProduct(acc vec, x reg.VecVirtual, w vec) {
	for i := range w {
		product := p.register()
		p.VMULPS(x, w[i], product)
		p.VADDPS(product, acc[i], acc[i])
	}
}

// storeAll writes the accumulators to dst and ends the function.
func (p *product) storeAll() {
	dst, stride := p.load("dst"), p.load("dstStride")
	for r := range p.rows {
		for t := range p.tiles {
			for i, v := range p.acc[r][t] {
				p.VMOVUPS(v, operand.Mem{Base: dst, Disp: (t*tileRows + i*p.width) * f32.size})
			}
		}
		if r+1 < p.rows {
			p.ADDQ(stride, dst)
		}
	}
	p.done()
}

// emitW8 takes four columns at a time, one 32-bit word of each row, and picks byte after byte.
func (p *product) emitW8() {
	groups := p.GP64()
	p.MOVQ(p.k, groups)
	p.SHRQ(operand.Imm(2), groups)
	p.times("group", groups, func() {
		for column := range 4 {
			p.stepW8(column)
		}
		p.advance(p.w, 4*tileRows)
		p.advance(p.x, 4*f32.size)
	})
	p.ANDQ(operand.Imm(3), p.k)
	for column := range 3 {
		p.CMPQ(p.k, operand.Imm(uint64(column)))
		p.JE(operand.LabelRef("store"))
		p.stepW8(column)
	}
	p.Label("store")
	p.storeAll()
}

// stepW8 is step for one of the four columns of a group.
func (p *product) stepW8(column int) {
	p.step(column*f32.size, func(tile int, w vec) {
		for i, r := range w {
			m := mem(p.w, p.ws, tile, i*p.width*4)
			p.loadInts(m, r)
			if column < 3 {
				p.VPSLLD(operand.Imm(uint64(24-8*column)), r, r)
			}
			p.VPSRAD(operand.Imm(24), r, r)
			p.VCVTDQ2PS(r, r)
		}
	})
}

// loadInts loads a register of integers.
func (p *product) loadInts(m operand.Mem, r reg.VecVirtual) {
	if p.width == tileRows {
		p.VMOVDQU32(m, r)
	} else {
		p.VMOVDQU(m, r)
	}
}
