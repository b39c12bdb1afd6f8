package sample

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigExp sums the series at 300 bits after halving x until it is small.
func bigExp(x float64) *big.Float {
	const halvings = 20
	precise := func(v float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(v) }
	r := precise(math.Ldexp(x, -halvings))
	sum, term := precise(1), precise(1)
	for n := 1; n < 40; n++ {
		term.Mul(term, r)
		term.Quo(term, precise(float64(n)))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

func TestExpIsAccurate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		x := -700 * math.Pow(r.Float64(), 4)
		exact := bigExp(x)
		gap := new(big.Float).SetPrec(300).SetFloat64(exp(x))
		gap.Quo(gap.Sub(gap, exact), exact)
		if relative, _ := gap.Float64(); math.Abs(relative) > 0x1p-51 {
			t.Fatalf("exp(%v) is off by %v", x, relative)
		}
	}
	for x, want := range map[float64]float64{0: 1, -745.1: 5e-324, -746: 0, math.Inf(-1): 0} {
		if got := exp(x); got != want {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
}

// math.Log is within 1 unit in the last place; both together are within 4.
func TestLogIsAccurate(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 20000 {
		x := math.Exp(14 * r.Float64() * r.Float64())
		got, want := log(x), math.Log(x)
		if math.Abs(got-want) > 4*0x1p-53*math.Abs(want) {
			t.Fatalf("log(%v) = %v, want %v", x, got, want)
		}
	}
	if log(1) != 0 {
		t.Error("log 1 must be exactly 0")
	}
}

func TestLogProb(t *testing.T) {
	logits := []float32{1, 2, 3, float32(math.Inf(-1))}
	want := -math.Log(1 + math.Exp(-1) + math.Exp(-2))
	if got := LogProb(logits, 2); math.Abs(got-want) > 1e-15 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := LogProb(logits, 3); !math.IsInf(got, -1) {
		t.Errorf("an excluded token has log-probability %v", got)
	}
	total := 0.0
	for id := range logits {
		total += math.Exp(LogProb(logits, int32(id)))
	}
	if math.Abs(total-1) > 1e-15 {
		t.Errorf("probabilities add up to %v", total)
	}
	// Large logits must not overflow, nor a shift of all change anything but rounding of the input.
	if got := LogProb([]float32{3e38, -3e38}, 0); got != 0 {
		t.Errorf("%v, want 0", got)
	}
	if got := LogProb([]float32{float32(math.NaN()), 0}, 1); !math.IsNaN(got) {
		t.Errorf("%v, want NaN", got)
	}
}

func TestKL(t *testing.T) {
	neg := float32(math.Inf(-1))
	p, q := []float32{0, 1, 2}, []float32{0.5, 0, 1}
	want := 0.0
	for id := range p {
		lp := LogProb(p, int32(id))
		want += math.Exp(lp) * (lp - LogProb(q, int32(id)))
	}
	for _, c := range []struct {
		p, q []float32
		want float64
	}{
		{p, q, want}, {p, p, 0}, {[]float32{0, neg}, []float32{0, 0}, math.Log(2)},
		{[]float32{0, 0}, []float32{0, neg}, math.Inf(1)},
	} {
		got := KL(c.p, c.q)
		if got != c.want && !(math.Abs(got-c.want) <= 1e-15) {
			t.Errorf("KL(%v, %v) = %v, want %v", c.p, c.q, got, c.want)
		}
	}
	if got := KL([]float32{0}, []float32{float32(math.NaN())}); !math.IsNaN(got) {
		t.Errorf("%v, want NaN", got)
	}
}

func TestBugsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"id":      func() { LogProb([]float32{1}, 1) },
		"lengths": func() { KL([]float32{1}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s must panic", name)
				}
			}()
			f()
		}()
	}
}
