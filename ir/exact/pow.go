package exact

import "math"

// Pow is x^y for x >= 0. It is 1 when y is 0 or x is 1, whatever the other is; otherwise NaN
// for a negative x, also with an integer y, and when either is NaN. Zeros and infinities are
// the limits they stand for: Pow(0, -1) is +Inf, Pow(+Inf, -1) is 0 and Pow(0.5, +Inf) is 0.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x < 0 || math.IsNaN(x) || math.IsNaN(y):
		return math.NaN()
	case x == 0 || math.IsInf(x, 1) || math.IsInf(y, 0):
		return Exp(float64(y * Log(x)))
	}
	l := log(x)
	if size := float64(y * l.hi); math.Abs(size) > 1000 {
		return Exp(size)
	}
	return exp(l.times(dd{y, 0}))
}
