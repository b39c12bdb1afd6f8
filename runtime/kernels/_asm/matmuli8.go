package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// matMulI8Shapes mirror the tables in the kernels' matmuli8_amd64.go.
var matMulI8Shapes = map[string][]shape{
	"AVX2":   {{2, 1}, {1, 1}},
	"AVX512": {{6, 4}, {4, 4}, {2, 4}, {1, 4}, {4, 1}, {2, 1}, {1, 1}},
}

func emitMatMulI8(g *generator) {
	for _, s := range matMulI8Shapes[g.name] {
		p := newProductI8(g, s)
		if g.width == tileRows {
			p.emitVNNI()
		} else {
			p.emitMaddWords()
		}
	}
}

func newProductI8(g *generator, s shape) *product {
	p := &product{generator: g, shape: s}
	g.function(fmt.Sprintf("matMulI8Rows%dTiles%d", s.rows, s.tiles),
		"func(acc *int32, accStride int, x *int8, xStride int, w *int8, tileBytes, "+
			"groups int, rowSums *int32)",
		fmt.Sprintf("multiplies %d rows of x by %d tiles of w, %s;",
			s.rows, s.tiles, "four columns a group"),
		"strides are in bytes.")
	p.xs, p.ws = p.load("xStride"), p.load("tileBytes")
	p.x = p.reach(p.load("x"), p.xs, p.rows)
	p.w = p.reach(p.load("w"), p.ws, p.tiles)
	p.k = p.load("groups")
	return p
}

// emitVNNI multiplies x+128, unsigned, by the signed weights, starting from -128 times the sum
// of each row of weights.
func (p *product) emitVNNI() {
	p.startFromRowSums()
	flip := p.ZMM()
	bits := p.GP32()
	p.MOVL(operand.U32(0x80808080), bits)
	p.VPBROADCASTD(bits, flip)
	p.times("group", p.k, func() {
		p.groupVNNI(flip)
		p.advance(p.w, 4*tileRows)
		p.advance(p.x, 4)
	})
	p.storeI32()
}

func (p *product) startFromRowSums() {
	sums := p.load("rowSums")
	zero := p.ZMM()
	p.VPXORD(zero, zero, zero)
	start := make([]reg.VecVirtual, p.tiles)
	for t := range start {
		start[t] = p.ZMM()
		p.VPSLLD(operand.Imm(7), operand.Mem{Base: sums, Disp: 4 * tileRows * t}, start[t])
		p.VPSUBD(start[t], zero, start[t])
	}
	for r := range p.rows {
		row := make([]vec, p.tiles)
		for t := range row {
			row[t] = vec{start[t]}
			if r+1 < p.rows {
				row[t] = vec{p.ZMM()}
				p.VMOVDQA32(start[t], row[t][0])
			}
		}
		p.acc = append(p.acc, row)
	}
}

func (p *product) groupVNNI(flip reg.VecVirtual) {
	weights := make([]operand.Op, p.tiles)
	for t := range weights {
		m := mem(p.w, p.ws, t, 0)
		weights[t] = m
		if p.rows > 1 {
			r := p.ZMM()
			p.VMOVDQU32(m, r)
			weights[t] = r
		}
	}
	for r := range p.rows {
		x := p.ZMM()
		p.VPBROADCASTD(mem(p.x, p.xs, r, 0), x)
		p.VPXORD(flip, x, x)
		for t := range weights {
			p.VPDPBUSD(weights[t], x, p.acc[r][t][0])
		}
	}
}

// emitMaddWords widens both sides to 16 bits and adds neighbouring products, which is exact:
// two products of int8 fit in 32 bits. An accumulator has two sums for each of 4 rows of w.
func (p *product) emitMaddWords() {
	const quads = 4
	acc := make([]vec, p.rows)
	for r := range acc {
		for range quads {
			q := p.YMM()
			p.VPXOR(q, q, q)
			acc[r] = append(acc[r], q)
		}
	}
	p.times("group", p.k, func() {
		x := p.widenedRows()
		for q := range quads {
			w := p.YMM()
			p.VPMOVSXBW(mem(p.w, p.ws, 0, 16*q), w)
			for r := range acc {
				product := p.YMM()
				p.VPMADDWD(w, x[r], product)
				p.VPADDD(product, acc[r][q], acc[r][q])
			}
		}
		p.advance(p.w, 4*tileRows)
		p.advance(p.x, 4)
	})
	for _, row := range acc {
		p.acc = append(p.acc, []vec{{p.joinPairs(row[0], row[1]), p.joinPairs(row[2], row[3])}})
	}
	p.storeI32()
}

// widenedRows is the group's four columns of each row as 16 bits, four times over.
func (p *product) widenedRows() []reg.VecVirtual {
	x := make([]reg.VecVirtual, p.rows)
	for r := range x {
		bytes := p.XMM()
		p.VPBROADCASTD(mem(p.x, p.xs, r, 0), bytes)
		x[r] = p.YMM()
		p.VPMOVSXBW(bytes, x[r])
	}
	return x
}

// joinPairs adds the two sums of each of 8 rows and puts the rows in order.
func (p *product) joinPairs(low, high reg.VecVirtual) reg.VecVirtual {
	p.VPHADDD(high, low, low)
	p.VPERMQ(operand.Imm(0b11011000), low, low)
	return low
}

func (p *product) storeI32() {
	dst, stride := p.load("acc"), p.load("accStride")
	for r := range p.rows {
		for t := range p.tiles {
			for i, v := range p.acc[r][t] {
				p.VMOVUPS(v, operand.Mem{Base: dst, Disp: (t*tileRows + i*p.width) * 4})
			}
		}
		if r+1 < p.rows {
			p.ADDQ(stride, dst)
		}
	}
	p.done()
}
