package scalar

import (
	"fmt"
	"strconv"
)

// Op is the operation of an Int.
type Op uint8

// Operations. Div and Mod have a positive constant as right operand and, where proofs are
// concerned, a left operand that is not negative (C++ and floor division then agree).
const (
	OpConst Op = iota
	OpVar
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMod
	OpMin
	OpMax
)

// Int is an immutable integer expression; the zero value is the constant 0.
type Int struct{ n *node }

type node struct {
	op     Op
	value  int64
	v      *Var
	a, b   *node
	lo, hi int64
	key    string
}

var zero = &node{key: "0"}

func (x Int) node() *node {
	if x.n == nil {
		return zero
	}
	return x.n
}

// C is the constant c.
func C(c int) Int {
	v := int64(c)
	return Int{&node{op: OpConst, value: v, lo: v, hi: v, key: strconv.Itoa(c)}}
}

// Op returns the operation at the root of x.
func (x Int) Op() Op { return x.node().op }

// Args returns the operands of a binary operation.
func (x Int) Args() (a, b Int) { return Int{x.node().a}, Int{x.node().b} }

// Var returns the variable of an OpVar, otherwise nil.
func (x Int) Var() *Var { return x.node().v }

// Const returns the value when x is a constant.
func (x Int) Const() (int, bool) {
	n := x.node()
	return int(n.value), n.op == OpConst
}

// Is reports whether x is the constant c.
func (x Int) Is(c int) bool {
	v, ok := x.Const()
	return ok && v == c
}

// Range returns the least and the greatest value that interval arithmetic allows for x.
func (x Int) Range() (lo, hi int64) { return x.node().lo, x.node().hi }

// Key is the canonical text of x: equal keys mean equal expressions.
func (x Int) Key() string { return x.node().key }

// String prints x fully parenthesised, as the key.
func (x Int) String() string { return x.node().key }

// Same reports whether x and y are provably equal.
func (x Int) Same(y Int) bool {
	if x.Key() == y.Key() {
		return true
	}
	d := linear(x.Sub(y))
	return len(d.terms) == 0 && d.c == 0
}

var symbols = [...]string{OpAdd: " + ", OpSub: " - ", OpMul: " * ", OpDiv: " / ", OpMod: " % "}

func binary(op Op, x, y Int, lo, hi int64) Int {
	a, b := x.node(), y.node()
	var key string
	switch op {
	case OpMin:
		key = "min(" + a.key + ", " + b.key + ")"
	case OpMax:
		key = "max(" + a.key + ", " + b.key + ")"
	default:
		key = "(" + a.key + symbols[op] + b.key + ")"
	}
	return Int{&node{op: op, a: a, b: b, lo: lo, hi: hi, key: key}}
}

// Add is x + y.
func (x Int) Add(y Int) Int {
	a, okA := x.Const()
	b, okB := y.Const()
	switch {
	case okA && okB:
		return C(a + b)
	case okA && a == 0:
		return y
	case okB && b == 0:
		return x
	case okB && b < 0:
		return x.subConst(-b)
	case okA:
		return y.Add(x)
	}
	if p, q := x.node(), y; q.Op() == OpConst && p.op == OpAdd && p.b.op == OpConst {
		return Int{p.a}.Add(C(int(p.b.value) + int(q.node().value)))
	}
	p, q := x.node(), y.node()
	return binary(OpAdd, x, y, p.lo+q.lo, p.hi+q.hi)
}

// Sub is x - y.
func (x Int) Sub(y Int) Int {
	b, okB := y.Const()
	if okB {
		return x.subConst(b)
	}
	if x.Key() == y.Key() {
		return C(0)
	}
	p, q := x.node(), y.node()
	return binary(OpSub, x, y, p.lo-q.hi, p.hi-q.lo)
}

func (x Int) subConst(b int) Int {
	a, okA := x.Const()
	switch {
	case okA:
		return C(a - b)
	case b == 0:
		return x
	case b < 0:
		return x.Add(C(-b))
	}
	p := x.node()
	if p.op == OpAdd && p.b.op == OpConst { // (y + 3) - 1 is y + 2
		return Int{p.a}.Add(C(int(p.b.value) - b))
	}
	return binary(OpSub, x, C(b), p.lo-int64(b), p.hi-int64(b))
}

// Mul is x * y.
func (x Int) Mul(y Int) Int {
	a, okA := x.Const()
	b, okB := y.Const()
	switch {
	case okA && okB:
		return C(a * b)
	case okA && a == 0 || okB && b == 0:
		return C(0)
	case okA && a == 1:
		return y
	case okB && b == 1:
		return x
	case okA:
		x, y = y, x
	}
	p, q := x.node(), y.node()
	if q.op == OpConst && p.op == OpMul && p.b.op == OpConst {
		return Int{p.a}.Mul(C(int(p.b.value * q.value)))
	}
	c := [4]int64{p.lo * q.lo, p.lo * q.hi, p.hi * q.lo, p.hi * q.hi}
	return binary(OpMul, x, y, min(c[0], c[1], c[2], c[3]), max(c[0], c[1], c[2], c[3]))
}

// Div is x / c, rounded towards zero; c must be positive.
func (x Int) Div(c int) Int {
	mustBePositive(c)
	if a, ok := x.Const(); ok {
		return C(a / c)
	}
	if c == 1 {
		return x
	}
	if q, ok := quotient(x, int64(c)); ok {
		return q.expr()
	}
	p := x.node()
	return binary(OpDiv, x, C(c), p.lo/int64(c), p.hi/int64(c))
}

// quotient is x / c where that has no remainder but a constant: (c·y + r) / c is y for 0 <= r < c,
// unless the sum is negative, which rounds the other way.
func quotient(x Int, c int64) (form, bool) {
	if q, ok := linear(x).exact(c); ok {
		return q, true
	}
	for _, named := range []bool{true, false} {
		f := linearOf(x, named)
		f.c -= (f.c%c + c) % c
		if q, ok := f.exact(c); ok {
			return q, notNegative(x)
		}
	}
	return form{}, false
}

func notNegative(x Int) bool { return x.node().lo >= 0 || Proves(Int{}, x) }

// Mod is x % c; c must be positive.
func (x Int) Mod(c int) Int {
	mustBePositive(c)
	if a, ok := x.Const(); ok {
		return C(a % c)
	}
	p := x.node()
	m := int64(c)
	if c == 1 {
		return C(0)
	}
	if p.lo >= 0 && p.hi < m {
		return x
	}
	if Multiple(x, c) {
		return C(0)
	}
	return binary(OpMod, x, C(c), max(min(p.lo, 0), 1-m), min(max(p.hi, 0), m-1))
}

func mustBePositive(c int) {
	if c <= 0 {
		panic(fmt.Sprintf("BUG: division of a scalar by %d", c))
	}
}

// Min is the smaller of x and y; it folds where one is provably the smaller.
func (x Int) Min(y Int) Int {
	if Proves(x, y) {
		return x
	}
	if Proves(y, x) {
		return y
	}
	p, q := x.node(), y.node()
	return binary(OpMin, x, y, min(p.lo, q.lo), min(p.hi, q.hi))
}

// Max is the greater of x and y; it folds where one is provably the greater.
func (x Int) Max(y Int) Int {
	if Proves(x, y) {
		return y
	}
	if Proves(y, x) {
		return x
	}
	p, q := x.node(), y.node()
	return binary(OpMax, x, y, max(p.lo, q.lo), max(p.hi, q.hi))
}

// AddN, SubN, MulN and MinN are the operations with a constant.
func (x Int) AddN(c int) Int { return x.Add(C(c)) }

// SubN is x - c.
func (x Int) SubN(c int) Int { return x.Sub(C(c)) }

// MulN is x * c.
func (x Int) MulN(c int) Int { return x.Mul(C(c)) }

// MinN is min(x, c).
func (x Int) MinN(c int) Int { return x.Min(C(c)) }

// CeilDiv is (x + c-1) / c, for x that is not negative.
func (x Int) CeilDiv(c int) Int { return x.AddN(c - 1).Div(c) }

// Align is the least multiple of c that is not below x.
func (x Int) Align(c int) Int {
	if _, ok := linear(x).exact(int64(c)); ok {
		return x
	}
	return x.CeilDiv(c).MulN(c)
}
