package exact

import "math"

// dd is the double-double number hi + lo, hi being that sum rounded to float64: about 106
// bits (Dekker, "A floating-point technique for extending the available precision", 1971).
// Every product below is converted, which forbids the compiler to fuse it into a sum.
type dd struct{ hi, lo float64 }

// twoSum is a + b without error (Knuth, The Art of Computer Programming 2, 4.2.2 theorem B).
func twoSum(a, b float64) dd {
	s := a + b
	t := s - a
	return dd{s, (a - (s - t)) + (b - t)}
}

// ordered is a + b without error for |a| >= |b|.
func ordered(a, b float64) dd {
	s := a + b
	return dd{s, b - (s - a)}
}

// twoProduct is a * b without error unless it underflows; math.FMA rounds once everywhere.
func twoProduct(a, b float64) dd {
	p := float64(a * b)
	return dd{p, math.FMA(a, b, -p)}
}

// ratio is a / b.
func ratio(a, b float64) dd {
	q := a / b
	return dd{q, math.FMA(-q, b, a) / b}
}

// plus is a + b within 2^-104 (|a| + |b|).
func (a dd) plus(b dd) dd {
	s := twoSum(a.hi, b.hi)
	return ordered(s.hi, s.lo+(a.lo+b.lo))
}

// times is a * b within 2^-102 |a b|.
func (a dd) times(b dd) dd {
	p := twoProduct(a.hi, b.hi)
	return ordered(p.hi, p.lo+(float64(a.hi*b.lo)+float64(a.lo*b.hi)))
}

// over is a / b within 2^-102 |a / b|.
func (a dd) over(b dd) dd {
	q := a.hi / b.hi
	rest := a.plus(b.times(dd{-q, 0}))
	return ordered(q, rest.hi/b.hi)
}
