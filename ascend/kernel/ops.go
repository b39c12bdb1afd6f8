package kernel

// VectorOp is an elementwise operation.
type VectorOp uint8

// Elementwise operations. Names are those of the printed calls where there is one.
const (
	OpAdd VectorOp = iota
	OpSub
	OpMul
	OpDiv
	OpMax
	OpMin
	OpAnd
	OpOr
	OpAdds
	OpMuls
	OpMaxs
	OpMins
	OpExp
	OpLn
	OpSqrt
	OpAbs
	OpRelu
	OpNot
	OpFill    // Dst = Scalar
	OpMove    // Dst = Src, same type
	OpCast    // Dst = Src in Dst's type, by Round
	OpCompare // Dst (bits in U8) = Src[0] Rel Src[1]
	OpCompares
	OpSelect  // Dst = bit of Src[0] ? Src[1] : Src[2]
	OpSelects // Dst = bit of Src[0] ? Src[1] : Scalar
	opEnd
)

// VectorInfo is a row of the table of elementwise operations.
type VectorInfo struct {
	Name   string
	Args   int  // tiles read
	Scalar bool // takes a scalar
}

var vectorTable = [opEnd]VectorInfo{
	OpAdd:      {"Add", 2, false},
	OpSub:      {"Sub", 2, false},
	OpMul:      {"Mul", 2, false},
	OpDiv:      {"Div", 2, false},
	OpMax:      {"Max", 2, false},
	OpMin:      {"Min", 2, false},
	OpAnd:      {"And", 2, false},
	OpOr:       {"Or", 2, false},
	OpAdds:     {"Adds", 1, true},
	OpMuls:     {"Muls", 1, true},
	OpMaxs:     {"Maxs", 1, true},
	OpMins:     {"Mins", 1, true},
	OpExp:      {"Exp", 1, false},
	OpLn:       {"Ln", 1, false},
	OpSqrt:     {"Sqrt", 1, false},
	OpAbs:      {"Abs", 1, false},
	OpRelu:     {"Relu", 1, false},
	OpNot:      {"Not", 1, false},
	OpFill:     {"Fill", 0, true},
	OpMove:     {"Move", 1, false},
	OpCast:     {"Cast", 1, false},
	OpCompare:  {"Compare", 2, false},
	OpCompares: {"Compares", 1, true},
	OpSelect:   {"Select", 3, false},
	OpSelects:  {"Selects", 2, true},
}

// Info returns the row of op.
func (op VectorOp) Info() VectorInfo { return vectorTable[op] }

// String is the name in the table of operations.
func (op VectorOp) String() string { return vectorTable[op].Name }

// ReduceOp is a reduction.
type ReduceOp uint8

// Reductions.
const (
	ReduceSum ReduceOp = iota
	ReduceMax
	ReduceMin
)

// String is the name of the reduction, such as "ReduceSum".
func (op ReduceOp) String() string {
	return [...]string{"ReduceSum", "ReduceMax", "ReduceMin"}[op]
}

// Rounding says what a cast does with values that the target type lacks.
type Rounding uint8

// Roundings. Exact is for casts that lose nothing.
const (
	Exact    Rounding = iota
	Nearest           // ties to even
	Away              // ties away from zero
	Down              // towards minus infinity
	Up                // towards plus infinity
	Truncate          // towards zero
)

// String is the word of text forms, such as "nearest".
func (r Rounding) String() string {
	return [...]string{"exact", "nearest", "away", "down", "up", "truncate"}[r]
}

// Comparison is the relation of Compare.
type Comparison uint8

// Comparisons.
const (
	Less Comparison = iota
	Greater
	Equal
	LessEqual
	GreaterEqual
	NotEqual
)

// String is the two letters of the relation, such as "LT".
func (c Comparison) String() string {
	return [...]string{"LT", "GT", "EQ", "LE", "GE", "NE"}[c]
}
