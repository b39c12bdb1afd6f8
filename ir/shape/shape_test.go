package shape

import (
	"math"
	"testing"
)

func TestDimText(t *testing.T) {
	for _, d := range []Dim{Fixed(0), Fixed(128), Of(T), Of(L), Of(TDP), Of(TPad), Of(TWorld),
		{8, T, 1}, {8, T, 16}, {1, TWorld, 4}, {0, T, 1}} {
		got, err := ParseDim(d.String())
		if err != nil || got != d {
			t.Errorf("ParseDim(%q) = %v, %v", d.String(), got, err)
		}
	}
	for _, text := range []string{"", "-1", "Q", "1*T", "08", "ceil(T/1)", "ceil(T/0)", "ceil(T",
		"x*T", "8*", "2*3", "ceil(T/2"} {
		if d, err := ParseDim(text); err == nil {
			t.Errorf("ParseDim(%q) = %v, want an error", text, d)
		}
	}
}

func TestDimEval(t *testing.T) {
	env := Env{T: 33, L: 2}
	for _, c := range []struct {
		d    Dim
		want int64
	}{{Fixed(7), 7}, {Of(T), 33}, {Dim{8, T, 1}, 264}, {Dim{16, T, 16}, 48}, {Of(L), 2}} {
		if got := c.d.Eval(&env); got != c.want {
			t.Errorf("%v = %d, want %d", c.d, got, c.want)
		}
	}
}

func TestShapeElements(t *testing.T) {
	for _, c := range []struct {
		s    Shape
		want string
		ok   bool
	}{
		{Make(2, 3, 4), "24", true},
		{Rows(Of(T), 8, 16), "128*T", true},
		{Shape{}, "1", true},
		{Shape{Of(T), Of(L)}, "", false},
		{Make(math.MaxInt64, 2), "", false},
		{Rows(Dim{4, T, 16}, 2), "8*ceil(T/16)", true},
	} {
		d, ok := c.s.Elements()
		if ok != c.ok || ok && d.String() != c.want {
			t.Errorf("%v has %v elements (%v), want %s (%v)", c.s, d, ok, c.want, c.ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"[]", "[T,128]", "[8*ceil(T/16),2]", "[1,2,3,4,5,6,7,8,9]", "[,]", "[T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse(text); err == nil && s.String() != text {
			t.Errorf("Parse(%q) prints as %q", text, s.String())
		}
	})
}
