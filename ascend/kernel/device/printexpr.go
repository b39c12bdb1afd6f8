package device

import (
	"fmt"
	"strconv"

	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
)

// Precedence of C++ operators, loosest first.
const (
	additive = iota
	multiplicative
	primary
)

func intText(x Int) string { return exprText(x, additive) }

// factorText is x for use as an operand of * / %.
func factorText(x Int) string { return exprText(x, multiplicative) }

// exprText prints x with parentheses only where an operator around binds tighter.
func exprText(x Int, around int) string {
	a, b := x.Args()
	switch x.Op() {
	case scalar.OpConst:
		v, _ := x.Const()
		if v < 0 && around > additive {
			return "(" + strconv.Itoa(v) + ")"
		}
		return strconv.Itoa(v)
	case scalar.OpVar:
		return x.Var().Name
	case scalar.OpAdd:
		return wrapText(exprText(a, additive)+" + "+exprText(b, additive), around > additive)
	case scalar.OpSub:
		return wrapText(exprText(a, additive)+" - "+exprText(b, multiplicative), around > additive)
	case scalar.OpMul:
		return wrapText(exprText(a, multiplicative)+" * "+exprText(b, primary), around > multiplicative)
	case scalar.OpDiv:
		return wrapText(exprText(a, multiplicative)+" / "+exprText(b, primary), around > multiplicative)
	case scalar.OpMod:
		return wrapText(exprText(a, multiplicative)+" % "+exprText(b, primary), around > multiplicative)
	case scalar.OpMin:
		return "Lesser(" + intText(a) + ", " + intText(b) + ")"
	case scalar.OpMax:
		return "Greater(" + intText(a) + ", " + intText(b) + ")"
	}
	panic("BUG: integer operation is not printed")
}

func wrapText(s string, wrap bool) string {
	if wrap {
		return "(" + s + ")"
	}
	return s
}

func condText(c Cond) string {
	return intText(c.A) + [...]string{" < ", " <= ", " == ", " != "}[c.Rel] + intText(c.B)
}

func floatText(f kernel.Float) string { return floatExpr(f, additive) }

func floatExpr(f kernel.Float, around int) string {
	n := f.Node()
	switch n.Op {
	case kernel.FloatConst:
		return wrapText(kernel.FormatFloat(n.Value)+"f", n.Value < 0 && around > additive)
	case kernel.FloatVar:
		return n.Name
	case kernel.FloatInt:
		return fmt.Sprintf("static_cast<float>(%s)", intText(n.Int))
	case kernel.FloatMax:
		return "Greater(" + floatText(n.A) + ", " + floatText(n.B) + ")"
	case kernel.FloatMin:
		return "Lesser(" + floatText(n.A) + ", " + floatText(n.B) + ")"
	case kernel.FloatPick:
		return fmt.Sprintf("(%s < %s ? %s : %s)", floatText(n.A), floatText(n.B), floatText(n.C),
			floatText(n.D))
	case kernel.FloatAdd:
		return wrapText(floatExpr(n.A, additive)+" + "+floatExpr(n.B, multiplicative), around > additive)
	case kernel.FloatSub:
		return wrapText(floatExpr(n.A, additive)+" - "+floatExpr(n.B, multiplicative), around > additive)
	case kernel.FloatMul:
		return wrapText(floatExpr(n.A, multiplicative)+" * "+floatExpr(n.B, primary),
			around > multiplicative)
	case kernel.FloatDiv:
		return wrapText(floatExpr(n.A, multiplicative)+" / "+floatExpr(n.B, primary),
			around > multiplicative)
	}
	panic("BUG: float operation is not printed")
}

// EachInt calls f for every integer expression of the program that is printed.
func EachInt(p *Program, f func(Int)) {
	Walk(p.Body, func(_ *Block, _ int, n Node) {
		switch n := n.(type) {
		case *Loop:
			f(n.Lo)
			f(n.Hi)
		case *If:
			f(n.Cond.A)
			f(n.Cond.B)
		case *Let:
			f(n.Var.Def)
		case *Flag:
			f(n.Index)
		case *Call:
			for _, a := range n.Args {
				argInts(a, f)
			}
		}
	})
	eachFloat(p, func(x kernel.Float) { floatInts(x, f) })
}

func argInts(a Arg, f func(Int)) {
	switch a := a.(type) {
	case Local:
		f(a.Off)
	case Global:
		f(a.Off)
	case Number:
		f(a.X)
	case Bool:
		for _, c := range a.Conds {
			f(c.A)
			f(c.B)
		}
	case Struct:
		for _, x := range a.Fields {
			argInts(x.Value, f)
		}
	case Named:
		for _, x := range a.Fields {
			argInts(x.Value, f)
		}
	case Address:
		f(a.Local.Off)
	}
}

func floatInts(x kernel.Float, f func(Int)) {
	n := x.Node()
	switch n.Op {
	case kernel.FloatConst, kernel.FloatVar:
		return
	case kernel.FloatInt:
		f(n.Int)
		return
	}
	for _, y := range []kernel.Float{n.A, n.B, n.C, n.D} {
		floatInts(y, f)
	}
}

// eachFloat calls f for every float expression of the program.
func eachFloat(p *Program, f func(kernel.Float)) {
	Walk(p.Body, func(_ *Block, _ int, n Node) {
		switch n := n.(type) {
		case *LetFloat:
			f(n.Def)
		case *Call:
			for _, a := range n.Args {
				if s, ok := a.(Scalar); ok {
					f(s.X)
				}
			}
		}
	})
}
