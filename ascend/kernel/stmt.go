package kernel

import "moge/ascend/kernel/scalar"

// Stmt is a statement of the author level.
type Stmt interface{ stmt() }

// Body is a list of statements.
type Body struct{ Stmts []Stmt }

// For runs Body for Var from Lo up to but without Hi. With Units set the range is the work of
// all cores together, and each core runs a contiguous part of it.
type For struct {
	Var    *scalar.Var
	Lo, Hi Int
	Step   int
	Units  bool
	Body   *Body
}

// Stream is a loop whose loads run one iteration ahead: Load of iteration i+1 comes before Use of
// iteration i.
type Stream struct {
	Var       *scalar.Var
	Lo, Hi    Int
	Step      int
	Load, Use *Body
}

// If runs Then or Else.
type If struct {
	Cond       scalar.Cond
	Then, Else *Body
}

// Phase is a part of a kernel with storage of its own: what it allocates is free after it.
type Phase struct {
	Name string
	Body *Body
}

// Let names an integer.
type Let struct{ Var *scalar.Var }

// LetFloat names a float.
type LetFloat struct {
	Name string
	Def  Float
}

// Note is a comment for the reader of the printed kernel.
type Note struct{ Text string }

// Load copies a region of device memory into a tile.
type Load struct {
	Dst Tile
	Src Region
}

// Store copies a tile to device memory, or adds it to what is there.
type Store struct {
	Dst Region
	Src Tile
	Add bool
}

// Vector is an elementwise statement: Dst = op(Src...), with a scalar where the op has one. A
// source of one row serves every row of Dst.
type Vector struct {
	Op     VectorOp
	Dst    Tile
	Src    []Tile
	Scalar Float
	Round  Rounding
	Rel    Comparison
}

// Reduce puts the reduction of each row of Src into consecutive elements of Dst. With Index, rows
// must be 1 and Dst gets value and index (raw bits). Work is storage for partial results.
type Reduce struct {
	Op    ReduceOp
	Dst   Tile
	Src   Tile
	Work  Tile
	Index bool
}

// Gather sets Dst[i] = Src[Offsets[i]/size]; offsets are in bytes.
type Gather struct{ Dst, Src, Offsets Tile }

// Iota sets Dst[i] = First + i.
type Iota struct {
	Dst   Tile
	First Float
}

// Transpose turns a 16 × 16 tile of 16-bit elements.
type Transpose struct{ Dst, Src Tile }

// ReadInt reads one element into an integer with a declared range.
type ReadInt struct {
	Var  *scalar.Var
	Tile Tile
}

// ReadIndex reads one element of an input, an integer with a declared range.
type ReadIndex struct {
	Var *scalar.Var
	At  Region
}

// ReadFloat reads one element into a float.
type ReadFloat struct {
	Name string
	Tile Tile
}

// Write sets one element.
type Write struct {
	Tile  Tile
	Float Float
	Int   Int
}

// MatMul is Acc (+)= A · Bᵀ with A [M, K], B [N, K]; with Init the accumulator starts at zero.
// TransB says that B's tile is [K, N] instead (16-bit elements only).
type MatMul struct {
	Acc, A, B Tile
	Init      scalar.Cond
	TransB    bool
}

// Drain copies an accumulator [M, N] to a row-major tile, converted by Spec.
type Drain struct {
	Dst  Tile
	Acc  Tile
	Spec DrainSpec
}

// DrainSpec says how an accumulator is converted. At most one of Scale and Deq is set; neither
// means a copy as it is.
type DrainSpec struct {
	Scale Tile // F32 [1, N]: float(acc) * scale, in float
	Deq   Tile // U64 [1, N]: the unit's own per-channel conversion to F16
	Bias  Tile // F32 [1, N], added after Scale
}

// ToMat copies a row-major vector tile into an NZ tile for MatMul.
type ToMat struct{ Dst, Src Tile }

// SyncAll waits until every core has come here; what any core stored before is visible after.
type SyncAll struct{}

func (*For) stmt()       {}
func (*Stream) stmt()    {}
func (*If) stmt()        {}
func (*Phase) stmt()     {}
func (*Let) stmt()       {}
func (*LetFloat) stmt()  {}
func (*Note) stmt()      {}
func (*Load) stmt()      {}
func (*Store) stmt()     {}
func (*Vector) stmt()    {}
func (*Reduce) stmt()    {}
func (*Gather) stmt()    {}
func (*Iota) stmt()      {}
func (*Transpose) stmt() {}
func (*ReadInt) stmt()   {}
func (*ReadIndex) stmt() {}
func (*ReadFloat) stmt() {}
func (*Write) stmt()     {}
func (*MatMul) stmt()    {}
func (*Drain) stmt()     {}
func (*ToMat) stmt()     {}
func (*SyncAll) stmt()   {}
func (*Slot) stmt()      {}
