package sample

import "math"

// math.Exp and math.Log are assembly on some machines and may differ there in the last bit;
// one bit can change a drawn token. These run the same roundings everywhere.

// ln2High has 32 significant bits, so its product with any exponent of a float64 is exact;
// ln2High + ln2Low is ln 2 to about 85 bits.
const (
	ln2High = 0x1.62e42feep-1
	ln2Low  = 0x1.a39ef35793c76p-33
)

// expTerms are 1/n! from n = 13 down to 2: for |r| <= ln2/2 what is cut off, r^14/14!,
// is below 2^-57.
var expTerms = [...]float64{
	1. / 6227020800, 1. / 479001600, 1. / 39916800, 1. / 3628800, 1. / 362880, 1. / 40320,
	1. / 5040, 1. / 720, 1. / 120, 1. / 24, 1. / 6, 1. / 2,
}

// exp is e^x for x <= 0, within 2 units in the last place; below -745.2 it is 0.
func exp(x float64) float64 {
	if x < -745.2 {
		return 0
	}
	k := math.RoundToEven(float64(x * math.Log2E))
	r := float64(x-float64(k*ln2High)) - float64(k*ln2Low)
	sum := expTerms[0]
	for _, c := range expTerms[1:] {
		sum = float64(sum*r) + c
	}
	square := float64(r * r)
	return scale(1+(r+float64(sum*square)), int(k))
}

// scale is y·2^k for a y near 1, by a multiplication where 2^k is a normal number.
func scale(y float64, k int) float64 {
	if k > -1023 {
		return y * math.Float64frombits(uint64(k+1023)<<52)
	}
	return math.Ldexp(y, k)
}

// log is the natural logarithm of a finite x >= 1 within a few units in the last place:
// x = m 2^k with m in [sqrt(1/2), sqrt(2)), and with s = (m-1)/(m+1), |s| < 0.1716,
// log m = 2 (s + s^3/3 + s^5/5 + ...), cut after s^21, which leaves less than 2^-57.
func log(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := (m - 1) / (m + 1)
	square := float64(s * s)
	sum := 0.0
	for n := 21; n >= 3; n -= 2 {
		sum = float64(sum*square) + 1/float64(n)
	}
	tail := float64(float64(sum*square) * s)
	high := float64(float64(k) * ln2High)
	return high + (float64(float64(k)*ln2Low) + 2*(s+tail))
}
