package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// xorStreamCounts mirror the table in the kernels' probe_amd64.go, xorLines their constant.
var xorStreamCounts = []int{1, 2, 4, 8}

const (
	xorLines  = 8 // lines that one round reads of all streams together
	lineBytes = 64
)

func emitProbe(g *generator) {
	for _, streams := range xorStreamCounts {
		xorStreams(g, streams)
	}
	multiplyOnes(g)
}

// xorStreams reads streams that lie stride bytes apart side by side.
func xorStreams(g *generator, streams int) {
	g.function(fmt.Sprintf("xorStreams%d", streams), "func(p *byte, stride, n, ahead int) uint32",
		fmt.Sprintf("is xorGeneric of %d streams of n bytes that lie stride bytes apart, n a", streams),
		fmt.Sprintf("multiple of %d. Lines are asked for ahead bytes before they are read.",
			xorLines/streams*lineBytes))
	base := []reg.Register{g.load("p")}
	stride, n, far := g.load("stride"), g.load("n"), g.load("ahead")
	for i := 1; i < streams; i++ {
		next := g.GP64()
		g.LEAQ(operand.Mem{Base: base[i-1], Index: stride, Scale: 1}, next)
		base = append(base, next)
	}
	sums := make([]vec, 4) // hide the latency of the operation
	for i := range sums {
		sums[i] = g.vec()
		g.zero(sums[i])
	}
	index := g.GP64()
	g.XORQ(index, index)
	g.Label("next")
	for line := range xorLines {
		from, at := base[line%streams], line/streams*lineBytes
		g.PREFETCHT0(operand.Mem{Base: from, Index: far, Scale: 1, Disp: at})
		for part, sum := range sums[line%len(sums)] {
			m := operand.Mem{Base: from, Index: index, Scale: 1, Disp: at + 4*g.width*part}
			g.xor(m, sum)
		}
	}
	step := operand.I32(int32(xorLines / streams * lineBytes))
	g.ADDQ(step, far)
	g.ADDQ(step, index)
	g.CMPQ(index, n)
	g.JB(operand.LabelRef("next"))
	g.returnFolded(sums, g.xor)
}

func (g *generator) xor(from operand.Op, sum reg.Register) {
	if g.width == tileRows && sum.Size() == lineBytes {
		g.VPXORD(from, sum, sum)
		return
	}
	g.VPXOR(from, sum, sum)
}

// returnFolded ends a function whose result is all lanes of all sums together.
func (g *generator) returnFolded(sums []vec, combine func(from operand.Op, sum reg.Register)) {
	for _, v := range sums[1:] {
		for i := range v {
			combine(v[i], sums[0][i])
		}
	}
	result := g.fold(sums[0], func(upper, lower reg.Register) { combine(upper, lower) })
	out := g.GP32()
	g.VMOVD(result, out)
	g.Store(out, g.ReturnIndex(0))
	g.done()
}

// onesSums mirror the table onesPerRound in the kernels' probe_amd64.go: accumulators enough to
// keep the multipliers busy.
var onesSums = map[string]int{"AVX2": 8, "AVX512": 24}

// multiplyOnes does nothing but the multiply-adds that MatMulI8 is made of, of ones.
func multiplyOnes(g *generator) {
	bits := uint32(0x01010101)
	if g.width < tileRows {
		bits = 0x00010001
	}
	ones := g.constantBits("ones", bits)
	g.function("multiplyOnes", "func(rounds int) uint32",
		"is the sum of rounds times onesPerRound products of ones, modulo 2^32.")
	x, w := g.register(), g.register()
	g.VMOVUPS(ones, x)
	g.VMOVUPS(ones, w)
	sums := make([]vec, onesSums[g.name])
	for i := range sums {
		sums[i] = vec{g.register()}
		g.zero(sums[i])
	}
	rounds := g.load("rounds")
	g.Label("round")
	for _, sum := range sums {
		g.multiplyAdd(w, x, sum[0])
	}
	g.DECQ(rounds)
	g.JNE(operand.LabelRef("round"))
	if g.width == tileRows {
		g.returnFolded(sums, g.addWords)
		return
	}
	halves := []vec{}
	for i := 0; i < len(sums); i += 2 {
		halves = append(halves, vec{sums[i][0], sums[i+1][0]})
	}
	g.returnFolded(halves, g.addWords)
}

// multiplyAdd is the instruction of MatMulI8, or the pair of them.
func (g *generator) multiplyAdd(w, x, sum reg.VecVirtual) {
	if g.width == tileRows {
		g.VPDPBUSD(w, x, sum)
		return
	}
	product := g.YMM()
	g.VPMADDWD(w, x, product)
	g.VPADDD(product, sum, sum)
}

func (g *generator) addWords(from operand.Op, sum reg.Register) { g.VPADDD(from, sum, sum) }
