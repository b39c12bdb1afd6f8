package scalar

import "sort"

// form is c + Σ coef·atom; atoms are variables, products, floors, minima and maxima, sorted by key.
type form struct {
	c     int64
	terms []term
}

type term struct {
	atom *node
	coef int64
}

func constant(c int64) form { return form{c: c} }

// linear brings x to a form; names are looked through and x % c becomes x - c·(x/c).
func linear(x Int) form { return linearOf(x, false) }

// linearOf is linear, and with named leaves names as they are.
func linearOf(x Int, named bool) form {
	n := x.node()
	of := func(n *node) form { return linearOf(Int{n}, named) }
	switch n.op {
	case OpConst:
		return constant(n.value)
	case OpVar:
		if n.v.Kind == Named && !named {
			return linear(n.v.Def)
		}
	case OpAdd:
		return of(n.a).plus(of(n.b), 1)
	case OpSub:
		return of(n.a).plus(of(n.b), -1)
	case OpMul:
		return product(n, of(n.a), of(n.b))
	case OpMod:
		if n.a.lo >= 0 {
			floor := Int{n.a}.Div(int(n.b.value))
			return of(n.a).plus(linearOf(floor, named), -n.b.value)
		}
	}
	return form{terms: []term{{n, 1}}}
}

func product(n *node, a, b form) form {
	if len(b.terms) == 0 {
		return a.times(b.c)
	}
	if len(a.terms) == 0 {
		return b.times(a.c)
	}
	return form{terms: []term{{n, 1}}}
}

func (f form) times(k int64) form {
	if k == 0 {
		return form{}
	}
	out := form{c: f.c * k, terms: make([]term, len(f.terms))}
	for i, t := range f.terms {
		out.terms[i] = term{t.atom, t.coef * k}
	}
	return out
}

// plus is f + k·g.
func (f form) plus(g form, k int64) form {
	out := form{c: f.c + k*g.c}
	out.terms = append(out.terms, f.terms...)
	for _, t := range g.terms {
		out.add(t.atom, k*t.coef)
	}
	return out
}

func (f *form) add(atom *node, coef int64) {
	i := sort.Search(len(f.terms), func(i int) bool { return f.terms[i].atom.key >= atom.key })
	if i < len(f.terms) && f.terms[i].atom.key == atom.key {
		if f.terms[i].coef += coef; f.terms[i].coef == 0 {
			f.terms = append(f.terms[:i:i], f.terms[i+1:]...)
		}
		return
	}
	if coef == 0 {
		return
	}
	f.terms = append(f.terms[:i:i], append([]term{{atom, coef}}, f.terms[i:]...)...)
}

// exact divides f by k when every coefficient is a multiple of it.
func (f form) exact(k int64) (form, bool) {
	if f.c%k != 0 {
		return form{}, false
	}
	out := form{c: f.c / k}
	for _, t := range f.terms {
		if t.coef%k != 0 {
			return form{}, false
		}
		out.terms = append(out.terms, term{t.atom, t.coef / k})
	}
	return out, true
}

// expr turns a form back into an expression.
func (f form) expr() Int {
	sum := Int{}
	for _, t := range f.terms {
		if t.coef > 0 {
			sum = sum.Add(Int{t.atom}.MulN(int(t.coef)))
		}
	}
	for _, t := range f.terms {
		if t.coef < 0 {
			sum = sum.Sub(Int{t.atom}.MulN(int(-t.coef)))
		}
	}
	return sum.AddN(int(f.c))
}

// without returns f less the term at i, and that term.
func (f form) without(i int) (form, term) {
	rest := form{c: f.c, terms: append(append([]term(nil), f.terms[:i]...), f.terms[i+1:]...)}
	return rest, f.terms[i]
}
