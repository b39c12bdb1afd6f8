package ratio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Probe is what the machine did at most at some moment.
type Probe struct {
	Memory float64 // bytes a second
	Int8   float64 // operations a second
}

// Pair is one block A B B A: two measurements of each program, in an order in which a steady drift
// of the machine favours neither.
type Pair struct {
	Ours, Peer    [2]float64 // of whatever is better when it is more, tokens a second
	Before, After Probe
	Steal         float64 // share of the processors' time that was stolen meanwhile, 0 to 1
}

// Ratio is ours over the peer's, by their geometric means: a drift by the same factor from each
// measurement to the next cancels.
func (p Pair) Ratio() float64 {
	return math.Sqrt(p.Ours[0] / p.Peer[0] * (p.Ours[1] / p.Peer[1]))
}

// Drift is the larger relative difference of the two probes.
func (p Pair) Drift() float64 {
	return max(apart(p.Before.Memory, p.After.Memory), apart(p.Before.Int8, p.After.Int8))
}

// apart is how much smaller the smaller one is than the larger.
func apart(a, b float64) float64 {
	if a == b {
		return 0
	}
	return 1 - min(a, b)/max(a, b)
}

// Rules say which blocks are not used. They know nothing of the measurements themselves.
type Rules struct {
	Drift float64 // of the probe, beyond which a block is dropped
	Steal float64 // share of time, beyond which a block is dropped
}

// Reason is why a block was dropped.
type Reason string

// The reasons.
const (
	Kept    Reason = ""
	Drifted Reason = "drift"
	Stolen  Reason = "steal"
)

// Judge says whether a block is kept. What is not a number is not kept.
func (r Rules) Judge(p Pair) Reason {
	switch {
	case !(p.Steal <= r.Steal):
		return Stolen
	case !(p.Drift() <= r.Drift):
		return Drifted
	}
	return Kept
}

// Summary is what a comparison came to.
type Summary struct {
	Ratio, Low, High    float64 // the median of the ratios of blocks, and an interval of 95 % for it
	Ours, Peer          float64 // medians of all measurements that were kept
	Kept, Drift, Stolen int     // blocks
}

// Summarize takes all blocks in the order of measurement. It fails if none was kept or a measurement
// is not above 0.
func Summarize(pairs []Pair, r Rules) (s Summary, err error) {
	var ratios, ours, peer []float64
	for i, p := range pairs {
		for _, v := range slices.Concat(p.Ours[:], p.Peer[:]) {
			if !(v > 0) || math.IsInf(v, 0) {
				return s, fmt.Errorf("block %d: a measurement is %v", i+1, v)
			}
		}
		switch r.Judge(p) {
		case Drifted:
			s.Drift++
		case Stolen:
			s.Stolen++
		default:
			s.Kept++
			ratios = append(ratios, p.Ratio())
			ours, peer = append(ours, p.Ours[:]...), append(peer, p.Peer[:]...)
		}
	}
	if s.Kept == 0 {
		return s, fmt.Errorf("none of %d blocks was kept", len(pairs))
	}
	s.Ratio, s.Ours, s.Peer = Median(ratios), Median(ours), Median(peer)
	s.Low, s.High = Interval(ratios)
	return s, nil
}

// Median is the middle value, or the mean of the two in the middle; NaN of none.
func Median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(x))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

const (
	resamples = 10000
	tail      = 0.025 // on either side of the interval
)

// Interval is the 95 % percentile bootstrap interval of the median: the same for the same values in
// the same order. (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.)
func Interval(x []float64) (low, high float64) {
	random := rand.New(rand.NewPCG(6, 95))
	medians, sample := make([]float64, resamples), make([]float64, len(x))
	for i := range medians {
		for j := range sample {
			sample[j] = x[random.IntN(len(x))]
		}
		medians[i] = Median(sample)
	}
	slices.Sort(medians)
	at := int(tail * resamples)
	return medians[at], medians[resamples-1-at]
}
