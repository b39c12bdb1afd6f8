package exact

import "math"

// logSeries is the sum of z^n/(2n+1), so that log m = 2 s logSeries(s^2) with
// s = (m-1)/(m+1). For m in [sqrt(1/2), sqrt(2)), where s^2 < 0.0295, what is cut off is
// below 2^-86 and the tail, which starts at z^5/11, below 2^-28.
var logSeries = newSeries(5, 16, func(n int) float64 { return float64(2*n + 1) })

// Log is the natural logarithm of x. Log(0) is -Inf, Log(+Inf) is +Inf, and below 0 and at
// NaN it is NaN.
func Log(x float64) float64 {
	switch {
	case x == 0:
		return math.Inf(-1)
	case x < 0 || math.IsNaN(x):
		return math.NaN()
	case math.IsInf(x, 1):
		return x
	}
	return log(x).hi
}

// log is the logarithm of a finite x > 0 within 2^-80 of its size.
func log(x float64) dd {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := dd{m - 1, 0}.over(twoSum(m, 1))
	half := s.times(logSeries.at(s.times(s)))
	return ln2.times(dd{float64(k), 0}).plus(dd{2 * half.hi, 2 * half.lo})
}
