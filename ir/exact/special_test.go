package exact

import (
	"math"
	"math/rand/v2"
	"testing"
)

var (
	inf  = math.Inf(1)
	nan  = math.NaN()
	zero = math.Copysign(0, -1)
)

// same tells the zeros apart and takes every NaN for the same.
func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

func TestSpecialArguments(t *testing.T) {
	cases := map[string][][2]float64{
		"Exp": {{0, 1}, {zero, 1}, {inf, inf}, {-inf, 0}, {nan, nan}, {709.79, inf}, {1e300, inf},
			{-745.1, 5e-324}, {-745.14, 0}, {-1e300, 0}, {5e-324, 1}},
		"Log": {{1, 0}, {0, -inf}, {zero, -inf}, {inf, inf}, {-inf, nan}, {-1, nan}, {nan, nan},
			{2, math.Ln2}, {0.5, -math.Ln2}},
		"Sin": {{0, 0}, {zero, zero}, {inf, nan}, {-inf, nan}, {nan, nan}, {5e-324, 5e-324},
			{-1e-310, -1e-310}},
		"Cos": {{0, 1}, {zero, 1}, {inf, nan}, {-inf, nan}, {nan, nan}, {5e-324, 1}, {1e-300, 1}},
	}
	for _, u := range unaries {
		for _, c := range cases[u.name] {
			if got := u.f(c[0]); !same(got, c[1]) {
				t.Errorf("%s(%v) = %v, want %v", u.name, c[0], got, c[1])
			}
		}
	}
}

func TestSpecialPowers(t *testing.T) {
	for _, c := range [][3]float64{
		{0, 0, 1}, {nan, 0, 1}, {inf, 0, 1}, {-3, 0, 1}, {1, nan, 1}, {1, inf, 1}, {1, -inf, 1},
		{-3, 2, nan}, {-inf, 1, nan}, {nan, 1, nan}, {2, nan, nan},
		{0, 2, 0}, {zero, 2, 0}, {0, -2, inf}, {inf, 2, inf}, {inf, -2, 0}, {0, inf, 0}, {0, -inf, inf},
		{2, inf, inf}, {2, -inf, 0}, {0.5, inf, 0}, {0.5, -inf, inf}, {inf, inf, inf}, {inf, -inf, 0},
		{2, 1023, 0x1p1023}, {2, 1024, inf}, {2, -1074, 5e-324}, {2, -1076, 0}, {1e308, 1e308, inf},
		{16, 0.25, 2}, {10000, -0.5, 0.01}, {10, 22, 1e22}, {3, 33, 5559060566555523}, {7.25, 1, 7.25},
		{math.MaxFloat64, 1, math.MaxFloat64}, {5e-324, 1, 5e-324}, {2, 5e-324, 1},
		{1 + 0x1p-52, 1e-300, 1},
	} {
		if got := Pow(c[0], c[1]); !same(got, c[2]) {
			t.Errorf("Pow(%v, %v) = %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

// Between neighbours the true values differ by much less than a bit, so that a rounding
// which is not monotone would show.
func TestMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for name, c := range map[string]struct {
		f         func(float64) float64
		low, high float64
	}{
		"Exp": {Exp, -745, 0.5}, "Log": {Log, 2, 1e9}, "Sin": {Sin, 1, 1.57},
		"Cos": {func(x float64) float64 { return -Cos(x) }, 0, 0.5},
		"Pow": {func(x float64) float64 { return Pow(x, 0.375) }, 1, 1e9},
	} {
		for range 200 {
			x := between(r, c.low, c.high)
			for range 20 {
				next := math.Nextafter(x, inf)
				if c.f(next) < c.f(x) {
					t.Fatalf("%s falls from %v at %v to %v", name, c.f(x), x, c.f(next))
				}
				x = next
			}
		}
	}
}
