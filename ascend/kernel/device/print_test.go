package device

import (
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
)

func TestExpressionsHaveTheParenthesesTheyNeed(t *testing.T) {
	a, b := scalar.NewParam("a", 0, 99).Int(), scalar.NewParam("b", 0, 99).Int()
	for _, c := range []struct {
		x    Int
		want string
	}{
		{a.Add(b).MulN(3), "(a + b) * 3"},
		{a.Sub(b.Add(a)), "a - (b + a)"},
		{a.Sub(b.MulN(2)), "a - b * 2"},
		{a.Mul(b).Div(7), "a * b / 7"},
		{a.Mul(b.Div(7)), "a * (b / 7)"},
		{a.Div(7).Mod(3), "a / 7 % 3"},
		{a.Min(b).MulN(2), "Lesser(a, b) * 2"},
		{a.Max(b).AddN(-1), "Greater(a, b) - 1"},
		{a.CeilDiv(16).MulN(16), "(a + 15) / 16 * 16"},
	} {
		if got := intText(c.x); got != c.want {
			t.Errorf("%v: %s, want %s", c.x, got, c.want)
		}
	}
}

func TestFloatsHaveTheParenthesesTheyNeed(t *testing.T) {
	x, y := kernel.NamedFloat("x"), kernel.NamedFloat("y")
	for _, c := range []struct {
		f    kernel.Float
		want string
	}{
		{kernel.F(1).Div(x), "1.0f / x"},
		{x.Add(y).Mul(y), "(x + y) * y"},
		{x.Sub(y.Sub(x)), "x - (y - x)"},
		{x.Div(y.Div(x)), "x / (y / x)"},
		{x.Mul(kernel.F(-2)), "x * (-2.0f)"},
		{x.Max(kernel.F(0)), "Greater(x, 0.0f)"},
		{kernel.PickLess(x, y, kernel.F(1), x), "(x < y ? 1.0f : x)"},
		{kernel.F(1e-5), "1e-05f"},
	} {
		if got := floatText(c.f); got != c.want {
			t.Errorf("%v: %s, want %s", c.f, got, c.want)
		}
	}
}

// Every element of both columns in the same order: an arithmetic difference decides whether two
// accesses can meet.
func TestApart(t *testing.T) {
	i := scalar.NewParam("i", 0, 9).Int()
	rows := func(off Int, length, count, pitch int) *Access {
		n := scalar.C(count)
		return &Access{Off: off, Len: scalar.C(length), Count: &n, Pitch: pitch}
	}
	one := func(off Int, length int) *Access { return &Access{Off: off, Len: scalar.C(length)} }
	for _, c := range []struct {
		name string
		a, b *Access
		want bool
	}{
		{"one after the other", one(i, 32), one(i.AddN(32), 32), true},
		{"one byte in common", one(i, 33), one(i.AddN(32), 32), false},
		{"not related", one(i, 32), one(scalar.C(64), 32), true},
		{"perhaps the same", one(i.MulN(32), 32), one(scalar.C(64), 32), false},
		{"columns side by side", rows(scalar.C(0), 64, 8, 256), rows(scalar.C(64), 192, 8, 256), true},
		{"columns that overlap", rows(scalar.C(0), 65, 8, 256), rows(scalar.C(64), 64, 8, 256), false},
		{"columns that wrap", rows(scalar.C(0), 64, 8, 256), rows(scalar.C(224), 64, 8, 256), false},
	} {
		if got := apart(c.a, c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
