package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Score is the imbalance score of a batch (Eq. 3 of the paper): the most rows of a device less the
// fewest, for each of batch tokens. It is 0 for no devices.
func Score(rows []int64, batch int64) float64 {
	if len(rows) == 0 || batch < 1 {
		return 0
	}
	return float64(spread(rows)) / float64(batch)
}

func spread(rows []int64) int64 { return slices.Max(rows) - slices.Min(rows) }

// Simulation estimates the distribution of the score for experts that are taken at random (Eq. 4):
// each token independently takes TopK different experts, each set as likely as another; of a
// grouped router TopK/Groups in each group. The paper's figure has 64, 8, 0, 8, 16.
type Simulation struct {
	Experts, TopK, Groups int // Groups 0 or 1: not grouped
	Devices               int // each has Experts/Devices neighbours
	Batch                 int // tokens
	Draws                 int // batches
	Seed                  uint64
}

// Estimate is what a simulation found.
type Estimate struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"standard_error"` // of the mean
	// Above is the share of batches whose score is above 0.
	Above float64 `json:"share_above_0"`
	// Counts[d] batches had the score d/Batch.
	Counts []int64 `json:"counts"`
	Batch  int     `json:"batch"`
	Draws  int     `json:"draws"`
}

// limits of a simulation keep its time below some seconds.
const (
	maxExperts = 1024
	maxPicks   = 1 << 26 // in all
)

// Run draws the batches. The result depends on the simulation's fields alone. Its error says which
// of them makes no sense.
func (s Simulation) Run() (*Estimate, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(s.Seed, 0x9e3779b97f4a7c15))
	groups := max(s.Groups, 1)
	size, perDevice := s.Experts/groups, s.Experts/s.Devices
	order := make([]int, size) // of the experts of a group
	for i := range order {
		order[i] = i
	}
	out := &Estimate{Counts: []int64{0}, Batch: s.Batch, Draws: s.Draws}
	rows := make([]int64, s.Devices)
	for range s.Draws {
		clear(rows)
		for range s.Batch {
			for g := range groups {
				for _, e := range take(random, order, s.TopK/groups) {
					rows[(g*size+e)/perDevice]++
				}
			}
		}
		out.add(spread(rows))
	}
	out.finish()
	return out, nil
}

func (s Simulation) check() error {
	groups := max(s.Groups, 1)
	switch {
	case s.Experts < 1 || s.Experts > maxExperts || s.TopK < 1 || s.TopK > s.Experts:
		return fmt.Errorf("%d of %d experts: at most %d can be simulated", s.TopK, s.Experts, maxExperts)
	case s.Experts%groups != 0 || s.TopK%groups != 0:
		return fmt.Errorf("%d of %d experts cannot be taken equally of %d groups", s.TopK, s.Experts, groups)
	case s.Devices < 1 || s.Experts%s.Devices != 0:
		return fmt.Errorf("%d experts do not lie evenly on %d devices", s.Experts, s.Devices)
	case s.Batch < 1 || s.Draws < 1 || s.Batch > maxPicks || s.Draws > maxPicks ||
		int64(s.Batch)*int64(s.Draws) > maxPicks/int64(s.TopK):
		return fmt.Errorf("%d batches of %d tokens are none, or too many to simulate", s.Draws, s.Batch)
	}
	return nil
}

// take brings n random elements to the front: the first steps of a Fisher-Yates shuffle, from
// whatever order they are in.
func take(random *rand.Rand, order []int, n int) []int {
	for i := range n {
		j := i + random.IntN(len(order)-i)
		order[i], order[j] = order[j], order[i]
	}
	return order[:n]
}

func (e *Estimate) add(spread int64) {
	for int64(len(e.Counts)) <= spread {
		e.Counts = append(e.Counts, 0)
	}
	e.Counts[spread]++
}

// finish derives the moments from the counts.
func (e *Estimate) finish() {
	n, sum, squares := float64(e.Draws), 0.0, 0.0
	for d, count := range e.Counts {
		v := float64(d) / float64(e.Batch)
		sum += float64(v * float64(count))
		squares += float64(v * float64(v*float64(count)))
	}
	e.Mean = sum / n
	e.Above = 1 - float64(e.Counts[0])/n
	if n > 1 {
		e.Error = math.Sqrt(max(squares-float64(n*float64(e.Mean*e.Mean)), 0) / (n - 1) / n)
	}
}
