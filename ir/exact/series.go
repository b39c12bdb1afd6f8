package exact

// series is a power series. The terms of lead are added in double-double; those of tail are
// small enough beside the first that float64 does.
type series struct {
	lead []dd
	tail []float64
}

// newSeries has the coefficients 1/denominator(n) for n below terms, lead of them in
// double-double.
func newSeries(lead, terms int, denominator func(n int) float64) series {
	var s series
	for n := range terms {
		c := ratio(1, denominator(n))
		if n < lead {
			s.lead = append(s.lead, c)
		} else {
			s.tail = append(s.tail, c.hi)
		}
	}
	return s
}

// at is the series at x, by Horner's rule.
func (s *series) at(x dd) dd {
	tail := 0.0
	for i := len(s.tail) - 1; i >= 0; i-- {
		tail = float64(tail*x.hi) + s.tail[i]
	}
	sum := dd{tail, 0}
	for i := len(s.lead) - 1; i >= 0; i-- {
		sum = s.lead[i].plus(sum.times(x))
	}
	return sum
}

// factorial is n!, exact up to 22.
func factorial(n int) float64 {
	f := 1.0
	for i := 2; i <= n; i++ {
		f = float64(f * float64(i))
	}
	return f
}

// alternate is v for even n and -v for odd n.
func alternate(n int, v float64) float64 {
	if n%2 == 1 {
		return -v
	}
	return v
}
