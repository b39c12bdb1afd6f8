package exact

import (
	"math"
	"testing"
)

// FuzzUnary checks every function wherever its result is a finite number.
func FuzzUnary(f *testing.F) {
	for _, h := range hardest {
		f.Add(h.x)
	}
	f.Fuzz(func(t *testing.T, x float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Skip("the special arguments have a test")
		}
		for _, u := range unaries {
			got := u.f(x)
			if u.name == "Exp" && (x < -745 || x > 709.78) || u.name == "Log" && x <= 0 {
				continue
			}
			if e := ulps(got, u.exact(x)); !(e <= limit) {
				t.Errorf("%s(%v) = %v is off by %v ulp", u.name, x, got, e)
			}
		}
	})
}

// FuzzPow checks powers wherever the result is a finite number.
func FuzzPow(f *testing.F) {
	f.Add(1e4, -2./128)
	f.Add(1+0x1p-52, 1e18)
	f.Add(5e-324, 0.99)
	f.Fuzz(func(t *testing.T, x, y float64) {
		size := y * Log(x)
		if !(x > 0 && x <= math.MaxFloat64 && size > -745 && size < 709.7) {
			t.Skip("the special arguments have a test")
		}
		if e := ulps(Pow(x, y), bigPow(x, y)); !(e <= limit) {
			t.Errorf("Pow(%v, %v) = %v is off by %v ulp", x, y, Pow(x, y), e)
		}
	})
}
