package sample

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// topOf ranks a row as a device does.
func topOf(logits []float32, count int) Top {
	ids := make([]int32, len(logits))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch x, y := logits[a], logits[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	t := Top{IDs: ids[:count]}
	for _, id := range t.IDs {
		t.Values = append(t.Values, logits[id])
	}
	for _, v := range logits {
		t.Sum += math.Exp(float64(v) - float64(t.Values[0]))
	}
	return t
}

// Two samplers with the same seed stay together, whichever way each row is asked, and where the
// greatest logits do not decide nothing is drawn.
func TestTopPicksWhatAllLogitsGive(t *testing.T) {
	for _, c := range []struct {
		p     Params
		least int // rows of 200 that must be decided by 64 of 300
		most  int
	}{
		{Params{}, 200, 200},
		{Params{Temperature: 0.7, TopP: 1, TopK: 40}, 200, 200},
		{Params{Temperature: 1.3, TopP: 0.9, TopK: 64}, 200, 200},
		{Params{Temperature: 1, TopP: 0.95}, 20, 180},
		{Params{Temperature: 0.7, TopP: 0.5}, 0, 0},
		{Params{Temperature: 1, TopP: 1}, 0, 0},
		{Params{Temperature: 1, TopP: 1, TopK: 65}, 0, 0},
	} {
		a, err := New(c.p)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := New(c.p)
		r := rand.New(rand.NewPCG(1, 2))
		decided := 0
		for range 200 {
			spread := 1 + 2*r.Float64()
			logits := make([]float32, 300)
			for i := range logits {
				logits[i] = float32(math.Round(r.NormFloat64()*spread*8) / 8) // with ties
			}
			want, err := a.Next(logits)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := b.NextTop(topOf(logits, 64))
			if ok {
				decided++
			} else if got, err = b.Next(logits); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Fatalf("%+v: %d, want %d", c.p, got, want)
			}
		}
		if decided < c.least || decided > c.most {
			t.Errorf("%+v: %d of 200 rows were decided, want %d to %d", c.p, decided, c.least, c.most)
		}
	}
}

func TestTopOfNoNumbers(t *testing.T) {
	s, _ := New(Params{})
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if _, ok := s.NextTop(Top{Values: []float32{v}, IDs: []int32{0}, Sum: 1}); ok {
			t.Errorf("%v was taken", v)
		}
	}
	if _, ok := s.NextTop(Top{}); ok {
		t.Error("nothing was taken")
	}
}
