package scalar

// VarKind says where the value of a variable comes from.
type VarKind uint8

// Kinds of variables.
const (
	Param VarKind = iota // an argument of the kernel
	Loop                 // counts from Min to Max
	Named                // a name for Def
	Read                 // read from memory at run time, within Min..Max by declaration
	Turn                 // the slot of a ring
)

// Var is a named integer of the running kernel. Bounds are expressions over variables that exist
// already, so that substituting them innermost first ends.
type Var struct {
	Name string
	Kind VarKind
	Min  Int // least value
	Max  Int // greatest value, inclusive
	Step int // distance of the values of a Loop
	Def  Int // what a Named stands for
	// Depth orders substitution: greater than that of every variable in the bounds.
	Depth int
}

// Int is the expression that reads v.
func (v *Var) Int() Int {
	lo, hi := v.interval()
	return Int{&node{op: OpVar, v: v, lo: lo, hi: hi, key: v.Name}}
}

func (v *Var) interval() (lo, hi int64) {
	if v.Kind == Named {
		return Bounds(v.Def)
	}
	lo, _ = Bounds(v.Min)
	_, hi = Bounds(v.Max)
	return lo, max(lo, hi)
}

// NewParam makes an argument with its declared range.
func NewParam(name string, lo, hi int) *Var {
	return &Var{Name: name, Kind: Param, Min: C(lo), Max: C(hi)}
}

// NewRead makes a value read at run time, with its declared range.
func NewRead(name string, lo, hi Int) *Var {
	return &Var{Name: name, Kind: Read, Min: lo, Max: hi, Depth: 1 + max(depth(lo), depth(hi))}
}

// NewTurn makes the slot counter of a ring of the given depth.
func NewTurn(name string, slots int) *Var {
	return &Var{Name: name, Kind: Turn, Min: C(0), Max: C(slots - 1)}
}

// NewLoop makes the variable of a loop from lo up to but without hi.
func NewLoop(name string, lo, hi Int, step int) *Var {
	last := hi.SubN(1)
	if _, ok := linear(hi.Sub(lo)).exact(int64(step)); ok {
		last = hi.SubN(step)
	} else if l, h := Bounds(hi.SubN(1).Sub(lo)); l == h && l >= 0 {
		last = lo.AddN(int(l) / step * step)
	}
	return &Var{Name: name, Kind: Loop, Min: lo, Max: last, Step: step,
		Depth: 1 + max(depth(lo), depth(hi))}
}

// NewNamed makes a name for def.
func NewNamed(name string, def Int) *Var {
	return &Var{Name: name, Kind: Named, Def: def, Depth: 1 + depth(def)}
}

func depth(x Int) int { return x.node().depth() }

func (n *node) depth() int {
	switch n.op {
	case OpConst:
		return 0
	case OpVar:
		return n.v.Depth
	}
	return max(n.a.depth(), n.b.depth())
}

// Replace returns x with each use of v replaced by y.
func (x Int) Replace(v *Var, y Int) Int {
	return x.Substitute(func(u *Var) (Int, bool) { return y, u == v })
}

// Substitute returns x with each variable that by knows replaced by what it gives, all at once: by
// is not asked about what it gave. A name of something that changes gives way to it.
func (x Int) Substitute(by func(*Var) (Int, bool)) Int {
	n := x.node()
	switch n.op {
	case OpConst:
		return x
	case OpVar:
		return n.substituteVar(x, by)
	}
	a, b := Int{n.a}.Substitute(by), Int{n.b}.Substitute(by)
	if a.n == n.a && b.n == n.b {
		return x
	}
	return rebuild(n.op, a, b)
}

func (n *node) substituteVar(x Int, by func(*Var) (Int, bool)) Int {
	if y, ok := by(n.v); ok {
		return y
	}
	if n.v.Kind != Named {
		return x
	}
	if def := n.v.Def.Substitute(by); def.n != n.v.Def.n {
		return def
	}
	return x
}

func rebuild(op Op, a, b Int) Int {
	switch op {
	case OpAdd:
		return a.Add(b)
	case OpSub:
		return a.Sub(b)
	case OpMul:
		return a.Mul(b)
	case OpDiv:
		return a.Div(int(b.node().value))
	case OpMod:
		return a.Mod(int(b.node().value))
	case OpMin:
		return a.Min(b)
	case OpMax:
		return a.Max(b)
	}
	panic("BUG: rebuild of a leaf")
}

// Mentions reports whether x depends on v, through names too.
func (x Int) Mentions(v *Var) bool {
	n := x.node()
	switch n.op {
	case OpConst:
		return false
	case OpVar:
		return n.v == v || n.v.Kind == Named && n.v.Def.Mentions(v)
	}
	return Int{n.a}.Mentions(v) || Int{n.b}.Mentions(v)
}

// Eval computes x; value gives what a variable that is not Named holds.
func (x Int) Eval(value func(*Var) int64) int64 {
	n := x.node()
	switch n.op {
	case OpConst:
		return n.value
	case OpVar:
		if n.v.Kind == Named {
			return n.v.Def.Eval(value)
		}
		return value(n.v)
	}
	return apply(n.op, Int{n.a}.Eval(value), Int{n.b}.Eval(value))
}

func apply(op Op, a, b int64) int64 {
	switch op {
	case OpAdd:
		return a + b
	case OpSub:
		return a - b
	case OpMul:
		return a * b
	case OpDiv:
		return a / b
	case OpMod:
		return a % b
	case OpMin:
		return min(a, b)
	case OpMax:
		return max(a, b)
	}
	panic("BUG: evaluation of a leaf")
}

// Vars appends to list the variables that x reads directly, each once, in order of appearance.
func (x Int) Vars(list []*Var) []*Var {
	n := x.node()
	switch n.op {
	case OpConst:
		return list
	case OpVar:
		for _, v := range list {
			if v == n.v {
				return list
			}
		}
		return append(list, n.v)
	}
	return Int{n.b}.Vars(Int{n.a}.Vars(list))
}
