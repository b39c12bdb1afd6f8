package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
)

// The functions below compute at 400 bits, and at 1400 where an angle is reduced, which
// may take 1024 off: what they leave out is far below any error that is measured against
// them. They share no formula with the package but the Taylor series.
const (
	wide   = 1400
	narrow = 400
)

func precise(bits uint, v float64) *big.Float {
	return new(big.Float).SetPrec(bits).SetFloat64(v)
}

// taylor is the sum of signs^n x^(step n + from) / (step n + from)!.
func taylor(x *big.Float, from, step int, sign float64) *big.Float {
	bits := x.Prec()
	term, sum := precise(bits, 1), precise(bits, 0)
	for n := 0; ; n++ {
		if n >= from && (n-from)%step == 0 {
			sum.Add(sum, new(big.Float).Mul(term, precise(bits, math.Pow(sign, float64((n-from)/step)))))
		}
		term.Quo(term.Mul(term, x), precise(bits, float64(n+1)))
		if term.Sign() == 0 || sum.Sign() != 0 && term.MantExp(nil) < sum.MantExp(nil)-int(bits) {
			return sum
		}
	}
}

// bigExp sums the series of a small part of x and squares it back.
func bigExp(x *big.Float) *big.Float {
	const halvings = 16
	sum := taylor(new(big.Float).SetMantExp(x, -halvings), 0, 1, 1)
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog is the zero of e^y - x, by Newton's method from what math.Log says of the fraction
// of x (of subnormal numbers it is wrong on some machines); each step doubles the digits.
func bigLog(x float64) *big.Float {
	m, k := math.Frexp(x)
	y := precise(narrow, math.Log(m)+float64(k)*math.Ln2)
	for range 4 {
		inverse := bigExp(new(big.Float).Neg(y))
		inverse.Mul(inverse, precise(narrow, x))
		y.Add(y, inverse.Sub(inverse, precise(narrow, 1)))
	}
	return y
}

func bigPow(x, y float64) *big.Float {
	l := bigLog(x)
	return bigExp(l.Mul(l, precise(narrow, y)))
}

// bigPi is by the arithmetic-geometric mean (Brent and Salamin).
var bigPi = sync.OnceValue(func() *big.Float {
	a, b := precise(wide, 1), precise(wide, 0.5)
	b.Sqrt(b)
	rest := precise(wide, 0.25)
	for i := range 12 {
		mean := new(big.Float).Add(a, b)
		mean.SetMantExp(mean, -1)
		b.Sqrt(b.Mul(a, b))
		a.Sub(a, mean)
		rest.Sub(rest, new(big.Float).SetMantExp(a.Mul(a, a), i))
		a = mean
	}
	pi := new(big.Float).Mul(a, a)
	return pi.Quo(pi, rest)
})

// bigTurn takes a multiple of 2 pi off, leaving less than one turn.
func bigTurn(x float64) *big.Float {
	turn := new(big.Float).SetMantExp(bigPi(), 1)
	n, _ := new(big.Float).Quo(precise(wide, x), turn).Int(nil)
	whole := new(big.Float).SetPrec(wide).SetInt(n)
	whole.Sub(precise(wide, x), whole.Mul(whole, turn))
	return whole.SetPrec(narrow)
}

func bigSin(x float64) *big.Float { return taylor(bigTurn(x), 1, 2, -1) }

func bigCos(x float64) *big.Float { return taylor(bigTurn(x), 0, 2, -1) }

// ulps is how far got is from want, in distances of float64 numbers of the size of want.
func ulps(got float64, want *big.Float) float64 {
	if math.IsNaN(got) || math.IsInf(got, 0) {
		return math.Inf(1)
	}
	gap := new(big.Float).SetPrec(want.Prec()).SetFloat64(got)
	gap.Sub(gap, want)
	exponent := -1074
	if want.Sign() != 0 {
		exponent = max(exponent, want.MantExp(nil)-53)
	}
	e, _ := gap.SetMantExp(gap, -exponent).Float64()
	return math.Abs(e)
}

// anyFloat is of random sign, fraction and exponent between 2^low and 2^high.
func anyFloat(r *rand.Rand, low, high int) float64 {
	bits := r.Uint64()&(1<<63|1<<52-1) | 1023<<52
	return math.Ldexp(math.Float64frombits(bits), low+r.IntN(high-low))
}

// between is uniform.
func between(r *rand.Rand, low, high float64) float64 {
	return low + float64((high-low)*r.Float64())
}
