package ratio

import (
	"math"
	"math/rand/v2"
	"testing"
)

var rules = Rules{Drift: 0.05, Steal: 0.01}

// pair is a block on a machine that changes by a factor from each measurement to the next.
func pair(ours, peer, drift float64) Pair {
	quiet := Probe{1e10, 1e12}
	return Pair{Ours: [2]float64{ours, ours * drift * drift * drift},
		Peer: [2]float64{peer * drift, peer * drift * drift}, Before: quiet, After: quiet}
}

func TestRatioCancelsDrift(t *testing.T) {
	for _, drift := range []float64{0.5, 0.97, 1, 1.1} {
		// Three roundings of factors near 1 and a root.
		if got := pair(30, 20, drift).Ratio(); math.Abs(got-1.5) > 1e-14 {
			t.Errorf("drift %v: ratio %v", drift, got)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		change func(p *Pair)
		want   Reason
	}{
		{func(*Pair) {}, Kept},
		{func(p *Pair) { p.Steal = 0.01 }, Kept},
		{func(p *Pair) { p.Steal = 0.011 }, Stolen},
		{func(p *Pair) { p.Steal = math.NaN() }, Stolen},
		{func(p *Pair) { p.After.Memory *= 0.951 }, Kept},
		{func(p *Pair) { p.After.Memory *= 0.949 }, Drifted},
		{func(p *Pair) { p.Before.Int8 *= 0.949 }, Drifted},
		{func(p *Pair) { p.After.Int8 = 0 }, Drifted},
		{func(p *Pair) { p.After.Int8 = math.NaN() }, Drifted},
		{func(p *Pair) { p.Before.Memory, p.Steal = 1, 1 }, Stolen},
	} {
		p := pair(1, 1, 1)
		c.change(&p)
		if got := rules.Judge(p); got != c.want {
			t.Errorf("%+v: %q, want %q", p, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 3, 2, 100}, 3.5}} {
		if got := Median(c.x); got != c.want {
			t.Errorf("%v: %v, want %v", c.x, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
	x := []float64{2, 1}
	if Median(x); x[0] != 2 {
		t.Error("the values were sorted in place")
	}
}

func TestSummarizeDropsAndCounts(t *testing.T) {
	pairs := []Pair{pair(2, 1, 1), pair(2.2, 1, 1), pair(1.8, 1, 1), pair(99, 1, 1), pair(99, 1, 1)}
	pairs[3].Steal, pairs[4].After.Memory = 0.5, 1
	s, err := Summarize(pairs, rules)
	if err != nil {
		t.Fatal(err)
	}
	if s.Kept != 3 || s.Drift != 1 || s.Stolen != 1 || s.Ratio != 2 || s.Ours != 2 || s.Peer != 1 {
		t.Errorf("%+v", s)
	}
	if !(s.Low >= 1.8 && s.Low <= 2 && s.High >= 2 && s.High <= 2.2) {
		t.Errorf("interval %v to %v", s.Low, s.High)
	}
}

func TestSummarizeRefuses(t *testing.T) {
	bad, dropped := pair(1, 1, 1), pair(1, 1, 1)
	bad.Peer[1], dropped.Steal = 0, 1
	for want, pairs := range map[string][]Pair{
		"none of 0 blocks was kept":      {},
		"none of 1 blocks was kept":      {dropped},
		"block 2: a measurement is 0":    {pair(1, 1, 1), bad},
		"block 1: a measurement is NaN":  {pair(math.NaN(), 1, 1)},
		"block 1: a measurement is +Inf": {pair(math.Inf(1), 1, 1)},
	} {
		if _, err := Summarize(pairs, rules); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestIntervalIsTheSameEachTime(t *testing.T) {
	x := []float64{1.3, 0.9, 1.1, 1.05, 0.95, 1.2, 1.0}
	low, high := Interval(x)
	again, top := Interval(x)
	if low != again || high != top || !(low < high) {
		t.Errorf("%v to %v, then %v to %v", low, high, again, top)
	}
	if low, high := Interval([]float64{2, 2, 2}); low != 2 || high != 2 {
		t.Errorf("of equal values: %v to %v", low, high)
	}
}

// TestIntervalCovers draws 15 ratios around a true median again and again. An interval of 95 % may
// miss it in 5 % of cases; with 400 trials the standard deviation of that is 1.1 %, and the
// percentile interval of a median of 15 is known to be a little too wide, so 91 % and 99.5 % are
// more than three standard deviations away on the one side and possible on the other.
func TestIntervalCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const trials = 400
	covered := 0
	for range trials {
		x := make([]float64, 15)
		for i := range x {
			x[i] = math.Exp(0.05 * random.NormFloat64())
		}
		if low, high := Interval(x); low <= 1 && 1 <= high {
			covered++
		}
	}
	if share := float64(covered) / trials; share < 0.91 || share > 0.995 {
		t.Errorf("%.3f of the intervals have the true median", share)
	}
}

// TestEqualProgramsGiveOne is A against A: measurements with noise of 3 %, a machine that drifts by
// 10 % from block to block. The median of 15 ratios of four measurements has a standard error of
// 1.25 · 3 % / √15 = 1 %, and the seed is fixed.
func TestEqualProgramsGiveOne(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	var pairs []Pair
	for range 15 {
		p := pair(100*math.Exp(0.1*random.NormFloat64()), 0, 1)
		p.Peer = p.Ours
		for i := range 2 {
			p.Ours[i] *= math.Exp(0.03 * random.NormFloat64())
			p.Peer[i] *= math.Exp(0.03 * random.NormFloat64())
		}
		pairs = append(pairs, p)
	}
	s, err := Summarize(pairs, rules)
	if err != nil || math.Abs(s.Ratio-1) > 0.02 || s.Low > 1 || s.High < 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
