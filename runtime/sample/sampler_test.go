package sample

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

var inf = float32(math.Inf(1))

func newSampler(t testing.TB, p Params) *Sampler {
	t.Helper()
	s, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		params Params
		want   string
	}{
		{Params{}, ""},
		{Params{Temperature: 0.7, TopP: 1, TopK: 50}, ""},
		{Params{Temperature: -1, TopP: 1},
			"temperature -1 is not a finite number from 0 up; 0 decodes greedily"},
		{Params{Temperature: math.NaN(), TopP: 1},
			"temperature NaN is not a finite number from 0 up; 0 decodes greedily"},
		{Params{Temperature: math.Inf(1), TopP: 1},
			"temperature +Inf is not a finite number from 0 up; 0 decodes greedily"},
		{Params{Temperature: 1},
			"top-p 0 keeps no token; 1 keeps every token, temperature 0 decodes greedily"},
		{Params{TopP: 1.5}, "top-p 1.5 is not in (0, 1]; 1 keeps every token"},
		{Params{TopP: math.NaN()}, "top-p NaN is not in (0, 1]; 1 keeps every token"},
		{Params{TopK: -1}, "top-k -1 is negative; 0 keeps every token"},
	} {
		got := ""
		if _, err := New(c.params); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.params, got, c.want)
		}
	}
}

func TestNextErrors(t *testing.T) {
	nan := float32(math.NaN())
	for _, temperature := range []float64{0, 1} {
		s := newSampler(t, Params{Temperature: temperature, TopP: 1})
		for _, c := range []struct {
			logits []float32
			want   string
		}{
			{[]float32{1, nan}, "logit 1 is NaN; the model's output is not usable"},
			{[]float32{inf, 1}, "logit 0 is +Inf; the model's output is not usable"},
			{[]float32{-inf, -inf}, "none of the 2 logits is above -Inf; no token can be chosen"},
			{nil, "none of the 0 logits is above -Inf; no token can be chosen"},
		} {
			if _, err := s.Next(c.logits); err == nil || err.Error() != c.want {
				t.Errorf("%v: %v, want %s", c.logits, err, c.want)
			}
		}
	}
}

func TestGreedyTakesTheLowestId(t *testing.T) {
	s := newSampler(t, Params{})
	for _, c := range []struct {
		logits []float32
		want   int32
	}{
		{[]float32{1, 3, 3, 2}, 1},
		{[]float32{-inf, -5}, 1},
		{[]float32{float32(math.Copysign(0, -1)), 0}, 0}, // zeros of either sign are equal
	} {
		if got, err := s.Next(c.logits); err != nil || got != c.want {
			t.Errorf("%v: %d, %v; want %d", c.logits, got, err, c.want)
		}
	}
}

// plainNext is the definition in Sampler's comment with a full sort.
func plainNext(logits []float32, p Params, random *rand.PCG) int32 {
	ids := make([]int32, len(logits))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	top := float64(logits[ids[0]])
	if p.TopK > 0 && p.TopK < len(ids) {
		ids = ids[:p.TopK]
	}
	weights := make([]float64, len(logits)) // 0 for what TopK dropped
	for _, id := range ids {
		weights[id] = exp((float64(logits[id]) - top) / p.Temperature)
	}
	total := 0.0
	for _, w := range weights {
		total += w
	}
	if p.TopP < 1 {
		sum, n := 0.0, 0
		for n < len(ids) && (n == 0 || sum < p.TopP*total) {
			sum += weights[ids[n]]
			n++
		}
		ids, total = ids[:n], sum
	}
	r := float64(random.Uint64()>>11) * 0x1p-53 * total
	sum := 0.0
	for _, id := range ids {
		if sum += weights[id]; sum > r {
			return id
		}
	}
	for weights[ids[len(ids)-1]] == 0 {
		ids = ids[:len(ids)-1]
	}
	return ids[len(ids)-1]
}

func TestNextEqualsThePlainDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 4000 {
		p := Params{Temperature: math.Exp(4*r.Float64() - 2), TopP: 1, Seed: r.Uint64()}
		if round%2 == 0 {
			p.TopP = 1 - r.Float64()
		}
		if round%3 != 0 {
			p.TopK = r.IntN(80)
		}
		logits := randomLogits(r, 1+r.IntN(60), round%5 == 0)
		s, plain := newSampler(t, p), rand.NewPCG(p.Seed, stream)
		for range 4 {
			got, err := s.Next(logits)
			if want := plainNext(logits, p, plain); err != nil || got != want {
				t.Fatalf("%+v over %v: %d, %v; want %d", p, logits, got, err, want)
			}
		}
	}
}

// Few distinct values make ties; some tokens are excluded.
func randomLogits(r *rand.Rand, n int, ties bool) []float32 {
	logits := make([]float32, n)
	for i := range logits {
		logits[i] = float32(8*r.NormFloat64()) / 4
		if ties {
			logits[i] = float32(r.IntN(3))
		}
		if i > 0 && r.IntN(10) == 0 {
			logits[i] = -inf
		}
	}
	return logits
}

// Drawn by this package once; any machine must give the same.
func TestSeedGivesTheSameTokensEverywhere(t *testing.T) {
	logits := make([]float32, 1000)
	for i := range logits {
		logits[i] = float32(i*7919%1000) / 150
	}
	s := newSampler(t, Params{Temperature: 0.8, TopP: 0.95, Seed: 42})
	var got []int32
	for range 8 {
		id, err := s.Next(logits)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	if want := []int32{87, 336, 531, 210, 372, 152, 741, 262}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// With n draws a count's standard deviation is at most sqrt(n p (1-p)); 6 of them are never
// exceeded by a fixed seed that was not searched for.
func TestFrequenciesFollowTheSoftmax(t *testing.T) {
	const n = 40000
	logits := []float32{0, 1, -inf, 2, -1}
	s := newSampler(t, Params{Temperature: 2, TopP: 1, Seed: 7})
	counts := make([]float64, len(logits))
	for range n {
		id, err := s.Next(logits)
		if err != nil {
			t.Fatal(err)
		}
		counts[id]++
	}
	total := 0.0
	for _, v := range logits {
		total += math.Exp(float64(v) / 2)
	}
	for id, v := range logits {
		p := math.Exp(float64(v)/2) / total
		if gap := math.Abs(counts[id] - n*p); gap > 6*math.Sqrt(n*p*(1-p)) {
			t.Errorf("token %d came %v times, expected %v", id, counts[id], n*p)
		}
	}
}

func TestTopPKeepsTheShortestPrefix(t *testing.T) {
	logits := []float32{float32(math.Log(0.2)), float32(math.Log(0.5)), float32(math.Log(0.3))}
	for topP, want := range map[float64][]bool{
		0.1: {false, true, false}, 0.6: {false, true, true}, 0.9: {true, true, true},
	} {
		s := newSampler(t, Params{Temperature: 1, TopP: topP, Seed: 1})
		seen := make([]bool, 3)
		for range 200 {
			id, err := s.Next(logits)
			if err != nil {
				t.Fatal(err)
			}
			seen[id] = true
		}
		if !reflect.DeepEqual(seen, want) {
			t.Errorf("top-p %v: %v, want %v", topP, seen, want)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255}, uint8(2), uint8(200), uint64(9))
	f.Add([]byte{7, 7}, uint8(0), uint8(255), uint64(0))
	f.Fuzz(func(t *testing.T, raw []byte, topK, share uint8, seed uint64) {
		logits := make([]float32, len(raw))
		for i, b := range raw {
			logits[i] = float32(int8(b)) / 8
			if b == 0x80 {
				logits[i] = -inf
			}
		}
		p := Params{Temperature: 0.5, TopP: (float64(share) + 1) / 256, TopK: int(topK), Seed: seed}
		got, err := newSampler(t, p).Next(logits)
		if _, bad := largest(logits); bad != nil {
			if err == nil {
				t.Fatal("no error")
			}
			return
		}
		if want := plainNext(logits, p, rand.NewPCG(seed, stream)); err != nil || got != want {
			t.Fatalf("%d, %v; want %d", got, err, want)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	logits := make([]float32, 153376)
	for i := range logits {
		logits[i] = float32(3 * r.NormFloat64())
	}
	for name, p := range map[string]Params{
		"greedy": {}, "top-k 50": {Temperature: 1, TopP: 1, TopK: 50},
		"top-p 0.9": {Temperature: 1, TopP: 0.9},
	} {
		b.Run(name, func(b *testing.B) {
			s := newSampler(b, p)
			for b.Loop() {
				if _, err := s.Next(logits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
