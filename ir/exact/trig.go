package exact

import "math"

// sinSeries is the sum of (-z)^n/(2n+1)!, so that sin r = r sinSeries(r^2); cosSeries is that
// of (-z)^n/(2n)!, so that cos r = cosSeries(r^2). For |r| < 0.7854 what is cut off is below
// 2^-77 and the tails, which start at z^4/9! and z^4/8!, are below 2^-18.
var (
	sinSeries = newSeries(4, 11, func(n int) float64 { return alternate(n, factorial(2*n+1)) })
	cosSeries = newSeries(4, 12, func(n int) float64 { return alternate(n, factorial(2*n)) })
)

// Sin is the sine of x radians, for every finite x; of NaN and the infinities it is NaN, and
// of -0 it is -0.
func Sin(x float64) float64 {
	if math.Signbit(x) {
		return -Sin(-x)
	}
	quadrant, r := reduce(x)
	return sine(quadrant, r)
}

// Cos is the cosine of x radians, for every finite x; of NaN and the infinities it is NaN.
func Cos(x float64) float64 {
	quadrant, r := reduce(math.Abs(x))
	return sine(quadrant+1, r)
}

// sine is the sine of quadrant pi/2 + r.
func sine(quadrant int, r dd) float64 {
	square := r.times(r)
	var v dd
	if quadrant%2 == 0 {
		v = r.times(sinSeries.at(square))
	} else {
		v = cosSeries.at(square)
	}
	return alternate(quadrant/2, v.hi)
}
