package scalar

import "math"

// Unbounded stands for "no bound found".
const Unbounded = math.MaxInt64 / 8

// Bounds returns the tightest bounds of x that the prover finds.
func Bounds(x Int) (lo, hi int64) {
	if n := x.node(); n.op == OpConst {
		return n.value, n.value
	}
	f := linear(x)
	return -upper(f.times(-1), fuel), upper(f, fuel)
}

// Proves reports whether x <= y holds for every value of every variable.
func Proves(x, y Int) bool { return Facts{}.Proves(x, y) }

// fuel bounds the case splits of one proof.
const fuel = 12

// upper returns an upper bound of f: loop variables give way to their bounds, innermost first and
// while no other term hides a use of them; minima and maxima split into cases; floors relax to
// quotients; the rest is intervals.
func upper(f form, budget int) int64 {
	if len(f.terms) == 0 {
		return f.c
	}
	if budget == 0 {
		return byIntervals(f)
	}
	if i := innermost(f); i >= 0 && !hidden(f, i) {
		return substitute(f, i, budget)
	}
	if i := find(f, func(n *node) bool { return n.op == OpMin || n.op == OpMax }); i >= 0 {
		return splitCases(f, i, budget-1)
	}
	if i := find(f, func(n *node) bool { return n.op == OpDiv && n.a.lo >= 0 }); i >= 0 {
		return relaxFloor(f, i, budget-1)
	}
	if i := innermost(f); i >= 0 {
		return substitute(f, i, budget)
	}
	return byIntervals(f)
}

func find(f form, match func(*node) bool) int {
	for i, t := range f.terms {
		if match(t.atom) {
			return i
		}
	}
	return -1
}

func splitCases(f form, i, budget int) int64 {
	rest, t := f.without(i)
	a := upper(rest.plus(linear(Int{t.atom.a}), t.coef), budget)
	b := upper(rest.plus(linear(Int{t.atom.b}), t.coef), budget)
	if (t.atom.op == OpMin) == (t.coef > 0) {
		return min(a, b)
	}
	return max(a, b)
}

// relaxFloor uses (x-c+1)/c <= floor(x/c) <= x/c, or the interval of the floor if that is tighter.
func relaxFloor(f form, i, budget int) int64 {
	rest, t := f.without(i)
	c := t.atom.b.value
	inner := linear(Int{t.atom.a})
	if t.coef < 0 {
		inner.c -= c - 1
	}
	scaled := rest.times(c).plus(inner, t.coef)
	related := floorDiv(upper(scaled, budget), c)
	alone := upper(rest, budget) + extreme(t)
	return min(related, alone)
}

func floorDiv(a, c int64) int64 {
	q := a / c
	if a%c < 0 {
		q--
	}
	return q
}

func extreme(t term) int64 {
	if t.coef > 0 {
		return t.coef * t.atom.hi
	}
	return t.coef * t.atom.lo
}

// innermost picks the loop variable, or value with symbolic bounds, of greatest depth.
func innermost(f form) int {
	best := -1
	for i, t := range f.terms {
		if t.atom.op != OpVar || t.atom.v.Depth == 0 {
			continue
		}
		if best < 0 || t.atom.v.Depth > f.terms[best].atom.v.Depth {
			best = i
		}
	}
	return best
}

// hidden reports whether another term of f depends on the variable of term i.
func hidden(f form, i int) bool {
	v := f.terms[i].atom.v
	for j, t := range f.terms {
		if j != i && (Int{t.atom}).Mentions(v) {
			return true
		}
	}
	return false
}

func substitute(f form, i, budget int) int64 {
	rest, t := f.without(i)
	bound := t.atom.v.Max
	if t.coef < 0 {
		bound = t.atom.v.Min
	}
	return upper(rest.plus(linear(bound), t.coef), budget)
}

func byIntervals(f form) int64 {
	sum := f.c
	for _, t := range f.terms {
		sum += extreme(t)
	}
	return sum
}

// Multiple reports whether x is provably a multiple of k for all values of its variables.
func Multiple(x Int, k int) bool { return multiple(linear(x), int64(k), fuel) }

func multiple(f form, k int64, budget int) bool {
	var rest form
	for _, t := range f.terms {
		if t.coef%k != 0 {
			rest.add(t.atom, t.coef)
		}
	}
	if len(rest.terms) == 0 {
		return f.c%k == 0
	}
	if budget == 0 {
		return false
	}
	rest.c = f.c
	for i, t := range rest.terms {
		switch n := t.atom; {
		case n.op == OpMin || n.op == OpMax:
			less, _ := rest.without(i)
			return multiple(less.plus(linear(Int{n.a}), t.coef), k, budget-1) &&
				multiple(less.plus(linear(Int{n.b}), t.coef), k, budget-1)
		case n.op == OpVar && n.v.Kind == Loop:
			less, _ := rest.without(i)
			return t.coef*int64(n.v.Step)%k == 0 && multiple(less.plus(linear(n.v.Min), t.coef), k, budget-1)
		case n.op == OpMul:
			if multiple(linear(Int{n.a}).times(t.coef), k, budget-1) ||
				multiple(linear(Int{n.b}).times(t.coef), k, budget-1) {
				less, _ := rest.without(i)
				return multiple(less, k, budget-1)
			}
		}
	}
	return false
}
