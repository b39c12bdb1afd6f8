package kernel

import "strconv"

// FloatOp is the operation of a Float.
type FloatOp uint8

// Operations of run-time floats.
const (
	FloatConst FloatOp = iota
	FloatVar
	FloatAdd
	FloatSub
	FloatMul
	FloatDiv
	FloatMax
	FloatMin
	FloatInt  // an Int converted
	FloatPick // A < B ? C : D
)

// Float is a scalar of the running kernel in single precision; the zero value is 0. Each
// operation rounds once; expressions are evaluated by the scalar unit.
type Float struct{ n *FloatNode }

// FloatNode is the node of a Float, for whoever prints or walks it.
type FloatNode struct {
	Op         FloatOp
	Value      float32
	Name       string
	Int        Int
	A, B, C, D Float
}

var zeroFloat = &FloatNode{}

// Node returns the root of f.
func (f Float) Node() *FloatNode {
	if f.n == nil {
		return zeroFloat
	}
	return f.n
}

// F is the constant v.
func F(v float32) Float { return Float{&FloatNode{Op: FloatConst, Value: v}} }

// NamedFloat is the variable called name.
func NamedFloat(name string) Float { return Float{&FloatNode{Op: FloatVar, Name: name}} }

// FloatOf converts an integer.
func FloatOf(x Int) Float { return Float{&FloatNode{Op: FloatInt, Int: x}} }

func floatBinary(op FloatOp, a, b Float) Float { return Float{&FloatNode{Op: op, A: a, B: b}} }

// Add is f + g.
func (f Float) Add(g Float) Float { return floatBinary(FloatAdd, f, g) }

// Sub is f - g.
func (f Float) Sub(g Float) Float { return floatBinary(FloatSub, f, g) }

// Mul is f * g.
func (f Float) Mul(g Float) Float { return floatBinary(FloatMul, f, g) }

// Div is f / g.
func (f Float) Div(g Float) Float { return floatBinary(FloatDiv, f, g) }

// Max is the greater of f and g.
func (f Float) Max(g Float) Float { return floatBinary(FloatMax, f, g) }

// Min is the smaller of f and g.
func (f Float) Min(g Float) Float { return floatBinary(FloatMin, f, g) }

// Neg is -f.
func (f Float) Neg() Float { return F(0).Sub(f) }

// PickLess is yes where a < b, otherwise no.
func PickLess(a, b, yes, no Float) Float {
	return Float{&FloatNode{Op: FloatPick, A: a, B: b, C: yes, D: no}}
}

var floatSymbols = [...]string{FloatAdd: " + ", FloatSub: " - ", FloatMul: " * ", FloatDiv: " / "}

// String prints f, fully parenthesised.
func (f Float) String() string {
	n := f.Node()
	switch n.Op {
	case FloatConst:
		return FormatFloat(n.Value)
	case FloatVar:
		return n.Name
	case FloatMax:
		return "max(" + n.A.String() + ", " + n.B.String() + ")"
	case FloatMin:
		return "min(" + n.A.String() + ", " + n.B.String() + ")"
	case FloatInt:
		return "float(" + n.Int.String() + ")"
	case FloatPick:
		return "(" + n.A.String() + " < " + n.B.String() + " ? " + n.C.String() + " : " +
			n.D.String() + ")"
	}
	return "(" + n.A.String() + floatSymbols[n.Op] + n.B.String() + ")"
}

// FormatFloat is the shortest text that reads back as v, always with a point or an exponent.
func FormatFloat(v float32) string {
	s := strconv.FormatFloat(float64(v), 'g', -1, 32)
	for _, c := range s {
		if c == '.' || c == 'e' {
			return s
		}
	}
	return s + ".0"
}

// Float is the expression with n at its root.
func (n FloatNode) Float() Float { return Float{&n} }
