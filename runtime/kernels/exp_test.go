package kernels

import (
	"math"
	"testing"
)

// ulpError is the distance of got from want in units in the last place of want as a float32.
func ulpError(got float32, want float64) float64 {
	rounded := float32(want)
	if math.IsInf(float64(rounded), 0) || math.IsInf(float64(got), 0) {
		if got == rounded {
			return 0
		}
		largest := float64(math.MaxFloat32)
		return math.Abs(math.Min(float64(got), largest)-math.Min(want, largest)) / 0x1p104
	}
	exponent := max(math.Ilogb(want), -126)
	return math.Abs(float64(got)-want) / math.Ldexp(1, exponent-23)
}

// The bound of 2 units is that of the comment of Exp: half a unit for the last addition, a
// quarter for each of the two roundings before it where the result is below 1, half a unit
// for a subnormal result, and the rest of the polynomial below.
func TestExpIsWithinTwoUlp(t *testing.T) {
	worst, at := 0.0, float32(0)
	for bits := uint32(0); bits < 0x42d20000; bits += 251 {
		for _, x := range []float32{math.Float32frombits(bits), -math.Float32frombits(bits)} {
			if e := ulpError(Exp(x), math.Exp(float64(x))); e > worst {
				worst, at = e, x
			}
		}
	}
	t.Logf("largest error %.3f ulp at %v", worst, at)
	if worst > 2 {
		t.Errorf("error %.3f ulp at %v, want at most 2", worst, at)
	}
}

func TestExpSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct{ x, want float32 }{
		{0, 1}, {float32(math.Copysign(0, -1)), 1}, {inf, inf}, {-inf, 0}, {88.7229, inf},
		{1e30, inf}, {-104, 0}, {-1e30, 0}, {-103.97, math.SmallestNonzeroFloat32},
		{float32(math.NaN()), float32(math.NaN())},
	} {
		if got := Exp(c.x); !equalBits(got, c.want) {
			t.Errorf("Exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}

func TestSoftmaxOfNothingAboveMinusInfinityIsNaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{1, 16, 33} {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(math.Inf(-1))
			}
			Softmax(x)
			for i, v := range x {
				if v == v {
					t.Fatalf("element %d of %d is %v, want NaN", i, n, v)
				}
			}
		}
	})
}

func TestSwiGLUAndSoftmaxMatchGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(1)
		for _, n := range lengths {
			for _, special := range []bool{false, true} {
				checkSwiGLU(t, floats(r, n, special), floats(r, n, special))
				checkSoftmax(t, floats(r, n, special))
			}
		}
	})
}

func checkSwiGLU(t *testing.T, gate, up []float32) {
	t.Helper()
	want := make([]float32, len(gate))
	for i := range want {
		want[i] = Silu(gate[i]) * up[i]
	}
	got := guard[float32](len(gate), 1)
	SwiGLU(got.in, misaligned(gate, 3), misaligned(up, 1))
	sameBits(t, "SwiGLU", got.in, want)
	got.check(t)
}

func checkSoftmax(t *testing.T, x []float32) {
	t.Helper()
	want := append([]float32(nil), x...)
	if len(x) > 0 {
		sum := expSumGeneric(want, maxF32Generic(x))
		divF32Generic(want, sum)
	}
	got := guard[float32](len(x), 3)
	copy(got.in, x)
	Softmax(got.in)
	sameBits(t, "Softmax", got.in, want)
	got.check(t)
}

// An element of the softmax is exp with 2 ulp and an argument rounded once (relative error
// of the result at most |argument|*2^-24), over a sum whose error is n/16+4 roundings more.
func TestSoftmaxAgainstFloat64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(2)
		for _, n := range []int{1, 5, 16, 100, 1000} {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(r.NormFloat64() * 4)
			}
			want, spread := softmax64(x)
			Softmax(x)
			bound := 2*(4+spread/2) + float64(n)/16 + 6
			for i := range x {
				if e := math.Abs(float64(x[i])-want[i]) / want[i] * 0x1p24; e > bound {
					t.Fatalf("n=%d: element %d is off by %g, allowed %g", n, i, e, bound)
				}
			}
		}
	})
}

func softmax64(x []float32) (y []float64, spread float64) {
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, v := range x {
		low, high = math.Min(low, float64(v)), math.Max(high, float64(v))
	}
	for _, v := range x {
		e := math.Exp(float64(v) - high)
		y = append(y, e)
		sum += e
	}
	for i := range y {
		y[i] /= sum
	}
	return y, high - low
}
