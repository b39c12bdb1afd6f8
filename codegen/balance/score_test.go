package balance

import (
	"math"
	"reflect"
	"testing"
)

func TestScore(t *testing.T) {
	for _, c := range []struct {
		rows  []int64
		batch int64
		want  float64
	}{
		{[]int64{16, 16, 16, 16}, 16, 0},
		{[]int64{20, 12, 16, 16}, 16, 0.5},
		{[]int64{128, 0, 0, 0}, 16, 8},
		{nil, 16, 0},
		{[]int64{1, 2}, 0, 0},
	} {
		if got := Score(c.rows, c.batch); got != c.want {
			t.Errorf("Score(%v, %d) is %v, want %v", c.rows, c.batch, got, c.want)
		}
	}
}

// paper is the simulation of figure 2b.
func paper(groups int) Simulation {
	return Simulation{Experts: 64, TopK: 8, Groups: groups, Devices: 8, Batch: 16, Draws: 20000, Seed: 1}
}

// TestPaperWithoutGroups: the figure shows P(IS > 0) nearly 1; an independent simulation of it has a
// mean of 0.668, known to three decimals. The estimate may differ by that and by four of its standard
// errors, which a right program exceeds with one seed in 16000, and this is one seed for all time.
// A batch is even with a probability of about 4e-7: the rows of a device vary by
// 16·8·(1/8)·(7/8)·(56/63) = 12.4, and a normal distribution of eight such that sum up to a constant
// has the density √8/(2π·12.4·8/7)^3.5 at its centre. Of 20000 batches more than two are never even.
func TestPaperWithoutGroups(t *testing.T) {
	e := run(t, paper(0))
	if d := math.Abs(e.Mean - 0.668); d > 0.0005+4*e.Error {
		t.Errorf("mean %v ± %v, want 0.668", e.Mean, e.Error)
	}
	if e.Above < 1-2.0/20000 {
		t.Errorf("P(IS > 0) is %v", e.Above)
	}
	if e.Error <= 0 || e.Error > 0.01 {
		t.Errorf("standard error %v", e.Error)
	}
}

func TestPaperWithGroups(t *testing.T) {
	e := run(t, paper(8))
	want := &Estimate{Counts: []int64{20000}, Batch: 16, Draws: 20000}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, want %+v", e, want)
	}
}

// TestSmallCaseAgainstEnumeration: of 4 experts on 2 devices a token takes 2. Of the 6 choices 2 are on
// one device, with the score 2, and 4 on both, with 0: the mean is 2/3, P(IS > 0) a third. Its
// standard error over n batches is √(1/3·2/3/n).
func TestSmallCaseAgainstEnumeration(t *testing.T) {
	const n = 10000
	e := run(t, Simulation{Experts: 4, TopK: 2, Devices: 2, Batch: 1, Draws: n, Seed: 5})
	deviation := math.Sqrt(2.0 / 9 / n)
	if math.Abs(e.Above-1.0/3) > 4*deviation || math.Abs(e.Mean-2.0/3) > 8*deviation {
		t.Errorf("got %+v", e)
	}
	if math.Abs(e.Error-2*deviation) > 0.05*deviation || len(e.Counts) != 3 || e.Counts[1] != 0 {
		t.Errorf("standard error %v, want about %v; counts %v", e.Error, 2*deviation, e.Counts)
	}
}

func TestSimulationIsDeterministic(t *testing.T) {
	s := paper(0)
	s.Draws = 50
	a, b := run(t, s), run(t, s)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v and %+v", a, b)
	}
	s.Seed++
	if reflect.DeepEqual(a, run(t, s)) {
		t.Error("the seed has no effect")
	}
}

func run(t *testing.T, s Simulation) *Estimate {
	t.Helper()
	e, err := s.Run()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSimulationRefuses(t *testing.T) {
	for _, c := range []struct {
		s    Simulation
		want string
	}{
		{Simulation{Experts: 2000, TopK: 8}, "8 of 2000 experts: at most 1024 can be simulated"},
		{Simulation{Experts: 8, TopK: 9}, "9 of 8 experts: at most 1024 can be simulated"},
		{Simulation{Experts: 64, TopK: 6, Groups: 4}, "6 of 64 experts cannot be taken equally of 4 groups"},
		{Simulation{Experts: 64, TopK: 8, Devices: 5}, "64 experts do not lie evenly on 5 devices"},
		{Simulation{Experts: 64, TopK: 8, Devices: 8, Batch: 16, Draws: 1 << 20},
			"1048576 batches of 16 tokens are none, or too many to simulate"},
		{Simulation{Experts: 64, TopK: 8, Devices: 8, Draws: 1},
			"1 batches of 0 tokens are none, or too many to simulate"},
	} {
		if _, err := c.s.Run(); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
