package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// limit is the error the package comment promises, in units in the last place.
const limit = 0.5001

// unary is one function of one argument, and arguments by number: a dense row and random ones.
type unary struct {
	name   string
	f      func(float64) float64
	exact  func(float64) *big.Float
	sample func(r *rand.Rand, i int) float64
}

var unaries = []unary{
	{"Exp", Exp, func(x float64) *big.Float { return bigExp(precise(narrow, x)) }, expSample},
	{"Log", Log, bigLog, logSample},
	{"Sin", Sin, bigSin, angle},
	{"Cos", Cos, bigCos, angle},
}

func expSample(r *rand.Rand, i int) float64 {
	switch i % 4 {
	case 0:
		return float64(i) / 1024
	case 1:
		return -float64(i) / 1024
	case 2:
		return between(r, -745.2, 709.78)
	}
	return anyFloat(r, -60, 9)
}

func logSample(r *rand.Rand, i int) float64 {
	switch i % 4 {
	case 0:
		return 0.5 + float64(i)/4096
	case 1:
		return 1 + anyFloat(r, -53, -1)
	case 2:
		return between(r, 1, 1e9)
	}
	return math.Abs(anyFloat(r, -1074, 1024))
}

// angle also gives the float64 closest to a random multiple of pi/2, where the most bits cancel.
func angle(r *rand.Rand, i int) float64 {
	switch i % 6 {
	case 0:
		return float64(i) / 512
	case 1:
		return between(r, -1<<22, 1<<22)
	case 2:
		return anyFloat(r, -40, 31)
	case 3:
		return anyFloat(r, 30, 1024)
	case 4:
		return float64(float32(r.IntN(1<<22)) * r.Float32())
	}
	n := new(big.Float).SetPrec(wide).SetInt64(r.Int64N(1 << (1 + r.IntN(40))))
	x, _ := n.SetMantExp(n.Mul(n, bigPi()), -1).Float64()
	return x
}

func TestErrorIsBelowLimit(t *testing.T) {
	for _, u := range unaries {
		t.Run(u.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			worst, at := 0.0, 0.0
			for i := range 6000 {
				x := u.sample(r, i)
				if e := ulps(u.f(x), u.exact(x)); e > worst {
					worst, at = e, x
				}
			}
			if !(worst <= limit) {
				t.Errorf("%s(%v) = %v is off by %v ulp", u.name, at, u.f(at), worst)
			}
			t.Logf("worst error %.6f ulp at %v", worst, at)
		})
	}
}

// powSample gives the powers of rotary tables, and any others whose result has a size.
func powSample(r *rand.Rand, i int) (x, y float64) {
	switch i % 4 {
	case 0:
		dim := 2 * (1 + r.IntN(256))
		return []float64{1e4, 5e5, 1e6, 1.6e7, 1e9}[r.IntN(5)], -2 * float64(r.IntN(dim/2)) / float64(dim)
	case 1:
		return between(r, 1, 1e9), between(r, -1, 0)
	case 2:
		x = 1 + anyFloat(r, -52, -1)
	default:
		x = math.Abs(anyFloat(r, -1074, 1024))
	}
	return x, between(r, -745, 709) / Log(x)
}

func TestPowErrorIsBelowLimit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	worst := 0.0
	for i := range 6000 {
		x, y := powSample(r, i)
		e := ulps(Pow(x, y), bigPow(x, y))
		if !(e <= limit) {
			t.Fatalf("Pow(%v, %v) = %v is off by %v ulp", x, y, Pow(x, y), e)
		}
		worst = max(worst, e)
	}
	t.Logf("worst error %.6f ulp", worst)
}

// hardest are arguments next to which the functions pass the middle of two float64, or
// which come closest to a multiple of pi/2 (Muller, Elementary Functions, chapter 11).
var hardest = []struct {
	name string
	x    float64
}{
	{"Sin", math.Ldexp(6381956970095103, 797)}, {"Cos", math.Ldexp(6381956970095103, 797)},
	{"Sin", math.MaxFloat64}, {"Cos", math.MaxFloat64},
	{"Sin", maxFast}, {"Cos", maxFast}, {"Sin", maxFast + 0x1p-22}, {"Cos", maxFast + 0x1p-22},
	{"Sin", math.Pi}, {"Cos", math.Pi / 2}, {"Sin", math.Pi / 4}, {"Cos", math.Pi / 4},
	{"Sin", math.SmallestNonzeroFloat64}, {"Sin", 0x1p-1022}, {"Sin", 0x1p-300},
	{"Exp", 0x1.62e42fefa39efp+9}, {"Exp", -0x1.74910d52d3051p+9},
	{"Exp", -708}, {"Exp", -708.2}, {"Exp", -708.4}, {"Exp", -709}, {"Exp", -744.5}, {"Exp", -745.1},
	{"Exp", 0x1p-54}, {"Exp", -0x1p-54}, {"Exp", math.Ln2 / 2}, {"Exp", -math.Ln2 / 2},
	{"Log", math.MaxFloat64}, {"Log", math.SmallestNonzeroFloat64},
	{"Log", 1 + 0x1p-52}, {"Log", 1 - 0x1p-53}, {"Log", math.Sqrt2}, {"Log", math.Sqrt2 / 2},
}

func TestHardArguments(t *testing.T) {
	for _, u := range unaries {
		for _, h := range hardest {
			if h.name != u.name {
				continue
			}
			if e := ulps(u.f(h.x), u.exact(h.x)); !(e <= limit) {
				t.Errorf("%s(%v) = %v is off by %v ulp", u.name, h.x, u.f(h.x), e)
			}
		}
	}
}

// Both reductions must agree where both are defined.
func TestReductionsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		x := math.Abs(anyFloat(r, 0, 30))
		q, fast := reduceFast(x)
		p, slow := reduceSlow(x)
		gap := math.Abs((fast.hi - slow.hi) + (fast.lo - slow.lo))
		if q != p || gap > 0x1p-65*math.Abs(slow.hi) {
			t.Fatalf("%v reduces to %d, %v and %d, %v", x, q, fast, p, slow)
		}
	}
}
