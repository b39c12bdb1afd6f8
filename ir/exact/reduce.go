package exact

import (
	"math"
	"math/big"
	"sync"
)

// pi/2 is the sum of these to 2^-163, so that up to maxFast multiples of it are known to
// 2^-133, and the remainder, with the roundings on the way, to 2^-129. No float64 but 0 comes
// within 2^-62 of a multiple of pi/2 (Muller, Elementary Functions, chapter 11): the
// remainder is right to 2^-67 of itself at least.
const (
	halfPi1 = 0x1.921fb54442d18p+0
	halfPi2 = 0x1.1a62633145c07p-54
	halfPi3 = -0x1.f1976b7ed8fbcp-110
)

// maxFast is where the reduction in float64 ends and that in integers begins.
const maxFast = 1 << 30

// reduce gives x >= 0 as quadrant pi/2 + r, but for whole turns: the quadrant is 0 to 3 and
// |r| at most pi/4 and a rounding. Without a number to reduce r is NaN.
func reduce(x float64) (quadrant int, r dd) {
	switch {
	case x <= maxFast:
		return reduceFast(x)
	case x <= math.MaxFloat64:
		return reduceSlow(x)
	}
	return 0, dd{math.NaN(), math.NaN()}
}

// reduceFast takes n pi/2 off in three parts (Cody and Waite, Software Manual for the
// Elementary Functions). x less the first is exact, for the two are within a factor of 2 of
// each other or n is 0; the sums that may cancel are without error too.
func reduceFast(x float64) (quadrant int, r dd) {
	n := math.RoundToEven(float64(x * (2 / math.Pi)))
	first, second := twoProduct(n, halfPi1), twoProduct(n, halfPi2)
	a := twoSum(x-first.hi, -first.lo)
	b := twoSum(a.hi, -second.hi)
	rest := (a.lo + b.lo) - (second.lo + float64(n*halfPi3))
	return int(n) & 3, ordered(b.hi, rest)
}

// fraction is the number of bits after the point of the numbers of reduceSlow: 1024 for the
// largest multiple of pi/2, 62 for the smallest remainder and 130 for its precision.
const fraction = 1216

// reduceSlow divides integers, in units of 2^-fraction.
func reduceSlow(x float64) (quadrant int, r dd) {
	m, e := math.Frexp(x)
	n := big.NewInt(int64(math.Ldexp(m, 53)))
	n.Lsh(n, uint(e-53+fraction))
	halfPi := bigHalfPi()
	n.Add(n, new(big.Int).Rsh(halfPi, 1))
	rest := new(big.Int)
	n.DivMod(n, halfPi, rest)
	rest.Sub(rest, new(big.Int).Rsh(halfPi, 1))
	return int(n.Bit(1)<<1 | n.Bit(0)), fromUnits(rest)
}

// fromUnits is v 2^-fraction.
func fromUnits(v *big.Int) dd {
	exact := new(big.Float).SetInt(v)
	exact.SetMantExp(exact, -fraction)
	hi, _ := exact.Float64()
	lo, _ := exact.Sub(exact, big.NewFloat(hi)).Float64()
	return dd{hi, lo}
}

// bigHalfPi is pi/2 in units of 2^-fraction within one of them: Machin's
// pi/4 = 4 arctan(1/5) - arctan(1/239), with guard bits for the terms rounded down.
var bigHalfPi = sync.OnceValue(func() *big.Int {
	const guard = 16
	pi := arctanInverse(5, fraction+guard)
	pi.Lsh(pi, 2).Sub(pi, arctanInverse(239, fraction+guard))
	return pi.Rsh(pi, guard-1)
})

// arctanInverse is arctan(1/q) in units of 2^-bits, by its series.
func arctanInverse(q, bits int64) *big.Int {
	power := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	power.Quo(power, big.NewInt(q))
	sum, term := new(big.Int), new(big.Int)
	for n := int64(0); power.Sign() > 0; n++ {
		term.Quo(power, big.NewInt(2*n+1))
		if n%2 == 1 {
			term.Neg(term)
		}
		sum.Add(sum, term)
		power.Quo(power, big.NewInt(q*q))
	}
	return sum
}
