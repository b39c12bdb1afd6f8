package scalar

// Relation compares two integers.
type Relation uint8

// Relations.
const (
	Lt Relation = iota
	Le
	Eq
	Ne
)

// Cond is a comparison of two integers.
type Cond struct {
	Rel  Relation
	A, B Int
}

// Less is x < y.
func (x Int) Less(y Int) Cond { return Cond{Lt, x, y} }

// AtMost is x <= y.
func (x Int) AtMost(y Int) Cond { return Cond{Le, x, y} }

// Equal is x == y.
func (x Int) Equal(y Int) Cond { return Cond{Eq, x, y} }

// Differs is x != y.
func (x Int) Differs(y Int) Cond { return Cond{Ne, x, y} }

// Not is the opposite condition.
func (c Cond) Not() Cond {
	switch c.Rel {
	case Lt:
		return Cond{Le, c.B, c.A}
	case Le:
		return Cond{Lt, c.B, c.A}
	case Eq:
		return Cond{Ne, c.A, c.B}
	}
	return Cond{Eq, c.A, c.B}
}

// Replace returns c with v replaced by y.
func (c Cond) Replace(v *Var, y Int) Cond {
	return Cond{c.Rel, c.A.Replace(v, y), c.B.Replace(v, y)}
}

// Holds evaluates c.
func (c Cond) Holds(value func(*Var) int64) bool {
	a, b := c.A.Eval(value), c.B.Eval(value)
	switch c.Rel {
	case Lt:
		return a < b
	case Le:
		return a <= b
	case Eq:
		return a == b
	}
	return a != b
}

// Always reports whether c holds for every value of every variable.
func (c Cond) Always() bool {
	switch c.Rel {
	case Lt:
		return Proves(c.A.AddN(1), c.B)
	case Le:
		return Proves(c.A, c.B)
	case Eq:
		return c.A.Same(c.B)
	}
	return Proves(c.A.AddN(1), c.B) || Proves(c.B.AddN(1), c.A)
}

// Decided reports whether c is about constants only.
func (c Cond) Decided() bool { return c.A.Op() == OpConst && c.B.Op() == OpConst }

// String prints c with its operands fully parenthesised.
func (c Cond) String() string {
	return c.A.String() + [...]string{" < ", " <= ", " == ", " != "}[c.Rel] + c.B.String()
}

// Facts are conditions known to hold where a proof is wanted.
type Facts []Cond

// Proves reports whether x <= y follows from the bounds of variables and one or two of the facts.
func (fs Facts) Proves(x, y Int) bool {
	goal := withoutExactFloors(linear(x).plus(linear(y), -1))
	if upper(goal, fuel) <= 0 {
		return true
	}
	known := fs.forms()
	for i, f := range known {
		less := goal.plus(f, -multiplier(goal, f))
		if upper(less, fuel) <= 0 {
			return true
		}
		for _, g := range known[i+1:] {
			if upper(less.plus(g, -multiplier(less, g)), fuel) <= 0 {
				return true
			}
		}
	}
	return false
}

// withoutExactFloors multiplies a form by the divisors of its floors that divide without rest, so
// that what is divided becomes visible; the sign stays.
func withoutExactFloors(f form) form {
	for i := 0; i < len(f.terms); i++ {
		n := f.terms[i].atom
		if n.op != OpDiv || !Multiple(Int{n.a}, int(n.b.value)) {
			continue
		}
		rest, t := f.without(i)
		f, i = rest.times(n.b.value).plus(linear(Int{n.a}), t.coef), -1
	}
	return f
}

// multiplier is how often fact f can be subtracted from a goal so that a common term vanishes.
func multiplier(goal, f form) int64 {
	for _, t := range f.terms {
		for _, u := range goal.terms {
			if t.atom.key == u.atom.key && u.coef%t.coef == 0 && u.coef/t.coef > 0 {
				return u.coef / t.coef
			}
		}
	}
	return 1
}

// forms lists what the facts say as forms that are at most 0.
func (fs Facts) forms() []form {
	var out []form
	for _, c := range fs {
		d := linear(c.A).plus(linear(c.B), -1)
		switch c.Rel {
		case Lt:
			d.c++
			out = append(out, d)
		case Le:
			out = append(out, d)
		case Eq:
			out = append(out, d, d.times(-1))
		}
	}
	for i, f := range out {
		out[i] = tightened(withoutExactFloors(f))
	}
	return out
}

// tightened is a form that is at most 0 divided by what divides all of its coefficients: integers
// leave the constant to be rounded up.
func tightened(f form) form {
	g := int64(0)
	for _, t := range f.terms {
		for a := max(t.coef, -t.coef); a != 0; {
			g, a = a, g%a
		}
	}
	if g <= 1 {
		return f
	}
	out := form{c: -floorDiv(-f.c, g)}
	for _, t := range f.terms {
		out.terms = append(out.terms, term{t.atom, t.coef / g})
	}
	return out
}

// Implies reports whether c follows from the facts, in the sense of Proves.
func (fs Facts) Implies(c Cond) bool {
	switch c.Rel {
	case Lt:
		return fs.atMost(c.A, c.B, 1)
	case Le:
		return fs.atMost(c.A, c.B, 0)
	case Eq:
		return fs.atMost(c.A, c.B, 0) && fs.atMost(c.B, c.A, 0)
	}
	return fs.atMost(c.A, c.B, 1) || fs.atMost(c.B, c.A, 1)
}

// atMost proves x + more <= y. Facts may be about either part of a minimum or a maximum.
func (fs Facts) atMost(x, y Int, more int) bool {
	if y.Op() == OpMin {
		a, b := y.Args()
		return fs.atMost(x, a, more) && fs.atMost(x, b, more)
	}
	if x.Op() == OpMax {
		a, b := x.Args()
		return fs.atMost(a, y, more) && fs.atMost(b, y, more)
	}
	return fs.Proves(x.AddN(more), y)
}
