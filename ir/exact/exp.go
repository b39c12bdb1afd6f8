package exact

import "math"

// ln2 is the natural logarithm of 2 to 2^-108.
var ln2 = dd{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}

// expSeries is the sum of r^n/n!, for |r| < 0.347: what is cut off is below 2^-78, and the
// tail, which starts at r^6/720, below 2^-18.
var expSeries = newSeries(6, 18, factorial)

// Exp is e^x. Exp(-Inf) is 0, Exp(+Inf) is +Inf and Exp(NaN) is NaN; above the range of
// float64 it is +Inf, and below it rounds to a subnormal number or 0.
func Exp(x float64) float64 { return exp(dd{x, 0}) }

func exp(x dd) float64 {
	switch {
	case math.IsNaN(x.hi):
		return x.hi
	case x.hi > 709.8:
		return math.Inf(1)
	case x.hi < -745.2:
		return 0
	}
	k := math.RoundToEven(float64(x.hi * math.Log2E))
	r := x.plus(ln2.times(dd{-k, 0}))
	return scale(expSeries.at(r), int(k))
}

// scale is v 2^k, for v in (1/2, 2), rounded once: to a result that is subnormal, v is
// rounded where the last bit of the subnormal numbers will be, which is that of offset.
func scale(v dd, k int) float64 {
	if k > -1022 || k == -1022 && v.hi >= 1 {
		return math.Ldexp(v.hi, k)
	}
	offset := math.Ldexp(1, -1022-k)
	s := twoSum(offset, v.hi)
	return math.Ldexp(ordered(s.hi, s.lo+v.lo).hi-offset, k)
}
