package scalar

import "testing"

func TestProves(t *testing.T) {
	rows := NewParam("rows", 1, 1025).Int()
	at := NewLoop("at", C(0), rows, 16)
	count := rows.Sub(at.Int()).MinN(16)
	inner := NewLoop("r", C(0), count, 1)
	tile := NewLoop("tile", C(0), rows.Align(16), 16)
	cols := NewLoop("col", C(0), C(5120), 1024)
	cases := []struct {
		name string
		x, y Int
		want bool
	}{
		{"tail stays inside", at.Int().Add(count), rows, true},
		{"one row more does not", at.Int().Add(count).AddN(1), rows, false},
		{"row of a tail", at.Int().Add(inner.Int()).AddN(1), rows, true},
		{"whole tile fits aligned rows", tile.Int().AddN(16), rows.Align(16), true},
		{"whole tile exceeds rows", tile.Int().AddN(16), rows, false},
		{"aligned rows are at most 15 more", rows.Align(16), rows.AddN(15), true},
		{"aligned rows are at most 14 more", rows.Align(16), rows.AddN(14), false},
		{"constant loop ends at a multiple", cols.Int().AddN(1024), C(5120), true},
		{"mod below its divisor", rows.Mod(7), C(6), true},
		{"mod not below 6", rows.Mod(7), C(5), false},
		{"division", rows.Div(16).MulN(16), rows, true},
		{"name is looked through", NewNamed("n", count).Int(), C(16), true},
	}
	for _, c := range cases {
		if got := Proves(c.x, c.y); got != c.want {
			t.Errorf("%s: Proves(%v <= %v) = %v", c.name, c.x, c.y, got)
		}
	}
}

func TestFactsProve(t *testing.T) {
	i, n := NewParam("i", 0, 100).Int(), NewParam("n", 0, 50).Int()
	if !(Facts{i.Less(n)}).Proves(i.AddN(1), n) {
		t.Error("i < n does not give i+1 <= n")
	}
	if (Facts{i.Less(n)}).Proves(i.AddN(2), n) {
		t.Error("i < n gives i+2 <= n")
	}
	if !(Facts{i.Equal(n)}).Proves(n, i) {
		t.Error("i == n does not give n <= i")
	}
}

// Variables are integers: 1 <= 2n gives 1 <= n, and 3 <= 2n + 4i gives 2 <= n + 2i.
func TestFactsAreAboutIntegers(t *testing.T) {
	i, n := NewParam("i", 0, 100).Int(), NewParam("n", 0, 50).Int()
	positive, sum := Facts{C(0).Less(n.MulN(2))}, Facts{C(3).AtMost(n.MulN(2).Add(i.MulN(4)))}
	for _, c := range []struct {
		facts Facts
		cond  Cond
		want  bool
	}{
		{positive, C(0).Less(n), true},
		{positive, C(0).Differs(n), true},
		{positive, C(1).Less(n), false},
		{positive, n.Equal(C(0)), false},
		{sum, C(2).AtMost(n.Add(i.MulN(2))), true},
		{sum, C(3).AtMost(n.Add(i.MulN(2))), false},
		{Facts{i.Equal(n)}, n.Equal(i), true},
		{positive, C(0).Less(n.Min(C(1))), true},
		{positive, C(0).Less(n.Min(i)), false},
		{positive, C(1).Sub(n).Max(C(-2)).AtMost(C(0)), true},
		{nil, n.AtMost(C(50)), true},
		{nil, n.Less(C(50)), false},
	} {
		if got := c.facts.Implies(c.cond); got != c.want {
			t.Errorf("%v imply %v: %v, want %v", c.facts, c.cond, got, c.want)
		}
	}
}

// Every claim of the prover is checked against all values of small variables.
func TestBoundsAgainstEnumeration(t *testing.T) {
	p := NewParam("p", 0, 9)
	q := NewParam("q", 1, 7)
	x, y := p.Int(), q.Int()
	exprs := []Int{
		x.Add(y), x.Sub(y), x.Mul(y), x.Div(3), x.Mod(4), x.Min(y), x.Max(y), x.Align(4),
		x.Sub(y).Min(C(2)).Max(C(-1)), x.Div(3).MulN(3).Sub(x), x.Mod(4).Sub(x.Min(y)),
		x.CeilDiv(5).MulN(2).Sub(y.Max(x)), y.Sub(x.Min(y)), x.Max(y).Div(2).Sub(x),
	}
	for _, e := range exprs {
		lo, hi := Bounds(e)
		for a := int64(0); a <= 9; a++ {
			for b := int64(1); b <= 7; b++ {
				v := e.Eval(func(v *Var) int64 {
					if v == p {
						return a
					}
					return b
				})
				if v < lo || v > hi {
					t.Fatalf("%v = %d at p=%d q=%d, outside [%d, %d]", e, v, a, b, lo, hi)
				}
			}
		}
	}
}

func TestReplace(t *testing.T) {
	i := NewLoop("i", C(0), C(64), 8)
	n := NewNamed("n", i.Int().MulN(2).AddN(1))
	got := n.Int().Add(i.Int()).Replace(i, C(8))
	if v, ok := got.Const(); !ok || v != 25 {
		t.Errorf("2i+1+i at 8 = %v", got)
	}
}

// What stands in place of a variable may mention it, and names of it give way once.
func TestSubstituteAtOnce(t *testing.T) {
	i, j := NewParam("i", 0, 9), NewParam("j", 0, 9)
	name := NewNamed("name", i.Int().MulN(2))
	x := name.Int().Add(i.Int()).Add(j.Int())
	got := x.Substitute(func(v *Var) (Int, bool) {
		switch v {
		case i:
			return i.Int().AddN(1), true
		case j:
			return i.Int(), true
		}
		return Int{}, false
	})
	if want := "((((i + 1) * 2) + (i + 1)) + i)"; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFolding(t *testing.T) {
	x, y := NewParam("x", 0, 9).Int(), NewParam("y", -9, 9).Int()
	for _, c := range []struct{ got, want string }{
		{x.AddN(1).AddN(2).String(), "(x + 3)"},
		{x.MulN(2).MulN(3).String(), "(x * 6)"},
		{x.MulN(32).Div(16).String(), "(x * 2)"},
		{x.Mod(10).String(), "x"},
		{x.MinN(9).String(), "x"},
		{x.Sub(x).String(), "0"},
		{x.MulN(32).AddN(31).Div(32).String(), "x"},
		{NewNamed("x2", x).Int().MulN(8).CeilDiv(8).String(), "x2"},
		{x.MulN(32).AddN(70).Div(32).String(), "(x + 2)"},
		{y.MulN(32).AddN(31).Div(32).String(), "(((y * 32) + 31) / 32)"},
		{y.AddN(9).MulN(4).AddN(3).Div(4).String(), "(y + 9)"},
		{x.MulN(16).Align(16).String(), "(x * 16)"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
