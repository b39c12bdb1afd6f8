package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// level is an instruction set level.
type level struct {
	name       string
	width      int      // f32 lanes in one register
	extensions []string // what the level of moge/runtime/cpu guarantees, as avo names it
}

var levels = []level{
	{"AVX2", 8, []string{"MMX+", "SSE", "AVX", "AVX2", "F16C"}},
	{"AVX512", 16, []string{"MMX+", "SSE", "AVX", "AVX2", "F16C", "AVX512F", "AVX512BW", "AVX512DQ",
		"AVX512VL", "AVX512VNNI"}},
}

// tileRows is the number of lanes all kernels work in; it mirrors TileRows of the kernels.
const tileRows = 16

// generator emits the functions of one level.
type generator struct {
	*build.Context
	level
}

// vec is 16 lanes of 32 bits: one register or two.
type vec []reg.VecVirtual

// parts is the number of registers in a vec.
func (g *generator) parts() int { return tileRows / g.width }

func (g *generator) register() reg.VecVirtual {
	if g.width == tileRows {
		return g.ZMM()
	}
	return g.YMM()
}

func (g *generator) vec() vec {
	v := make(vec, g.parts())
	for i := range v {
		v[i] = g.register()
	}
	return v
}

func (g *generator) zero(v vec) {
	for _, r := range v {
		if g.width == tileRows {
			g.VPXORD(r, r, r)
		} else {
			g.VPXOR(r, r, r)
		}
	}
}

// function starts a function called name plus the level.
func (g *generator) function(name, signature string, doc ...string) {
	g.Function(name + g.name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(signature)
	doc[0] = name + g.name + " " + doc[0]
	g.Doc(doc...)
	g.Pragma("noescape")
}

// done ends a function.
func (g *generator) done() {
	g.VZEROUPPER()
	g.RET()
}

// load reads a parameter into a general register.
func (g *generator) load(name string) reg.Register { return g.Load(g.Param(name), g.GP64()) }

// address is the place of a parameter on the stack.
func (g *generator) address(name string) operand.Mem {
	basic, err := g.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return basic.Addr
}

// broadcast fills a register with a float32 parameter.
func (g *generator) broadcast(name string) reg.VecVirtual {
	r := g.register()
	g.VBROADCASTSS(g.address(name), r)
	return r
}

// constant is 16 copies of a float32 in read-only memory.
func (g *generator) constant(name string, value float32) operand.Mem {
	return g.constantBits(name, math.Float32bits(value))
}

func (g *generator) constantBits(name string, bits uint32) operand.Mem {
	m := g.StaticGlobal(name + g.name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range g.width {
		g.AddDatum(4*i, operand.U32(bits))
	}
	return m
}

// at is the memory of part i of 16 elements of size bytes from base plus index elements.
func (g *generator) at(base, index reg.Register, size, i int) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: uint8(size), Disp: i * g.width * size}
}

// loop repeats body for index = 0, 16, ... below the parameter n, which is a multiple of 16.
func (g *generator) loop(body func(index reg.Register)) {
	g.loopTo(g.load("n"), body)
}

func (g *generator) loopTo(n reg.Register, body func(index reg.Register)) {
	index := g.GP64()
	g.XORQ(index, index)
	g.JMP(operand.LabelRef("check"))
	g.Label("next")
	body(index)
	g.ADDQ(operand.Imm(tileRows), index)
	g.Label("check")
	g.CMPQ(index, n)
	g.JB(operand.LabelRef("next"))
}

// element is how elements of one type become f32 lanes.
type element struct {
	name   string // as it stands in function names
	goType string
	size   int // bytes
}

var (
	f32  = element{"F32", "float32", 4}
	bf16 = element{"BF16", "uint16", 2}
	f16  = element{"F16", "uint16", 2}
	i8   = element{"I8", "int8", 1}
)

// widen loads one register of elements from m as f32, exactly.
func (g *generator) widen(e element, m operand.Mem, r reg.VecVirtual) {
	switch e {
	case f32:
		g.VMOVUPS(m, r)
	case bf16:
		g.VPMOVZXWD(m, r)
		g.VPSLLD(operand.Imm(16), r, r)
	case f16:
		g.VCVTPH2PS(m, r)
	case i8:
		g.VPMOVSXBD(m, r)
		g.VCVTDQ2PS(r, r)
	default:
		panic(fmt.Sprintf("no widening of %s", e.name))
	}
}

// fold combines the upper half of the lanes with the lower, 16 to 8 to 4 to 2 to 1, and
// returns the register whose lane 0 is the result.
func (g *generator) fold(v vec, combine func(upper, lower reg.Register)) reg.Register {
	low := v[0].AsY()
	upper := g.YMM()
	if g.width == tileRows {
		g.VEXTRACTF64X4(operand.Imm(1), v[0], upper)
	} else {
		upper = v[1]
	}
	combine(upper, low)
	x, half := v[0].AsX(), g.XMM()
	g.VEXTRACTF128(operand.Imm(1), low, half)
	combine(half, x)
	g.VPSHUFD(operand.Imm(0b1110), x, half)
	combine(half, x)
	g.VPSHUFD(operand.Imm(0b01), x, half)
	combine(half, x)
	return x
}

func (g *generator) add(upper, lower reg.Register) { g.VADDPS(upper, lower, lower) }
