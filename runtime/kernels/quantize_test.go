package kernels

import (
	"math"
	"testing"
)

// quantizeDefinition is the comment of QuantizeRow in the float64 functions of package math,
// for finite rows.
func quantizeDefinition(x []float32, amax float32) []int8 {
	q := make([]int8, len(x))
	inv := 127 / amax
	if math.IsInf(float64(inv), 0) {
		return q
	}
	for i, v := range x {
		rounded := math.RoundToEven(float64(float32(v * inv)))
		if rounded == rounded {
			q[i] = int8(math.Max(-127, math.Min(127, rounded)))
		}
	}
	return q
}

func largestMagnitude(x []float32) float32 {
	amax := float32(0)
	for _, v := range x {
		amax = max(amax, float32(math.Abs(float64(v))))
	}
	return amax
}

func TestQuantizeRowFollowsItsDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(15)
		for _, n := range lengths {
			for _, magnitude := range []float32{1, 1e-37, 3e-38, 1e-45, 1e38} {
				x := misaligned(floats(r, n, false), 1)
				for i := range x {
					x[i] = float32(math.Max(-3, math.Min(3, float64(x[i])))) * magnitude
				}
				checkQuantizeRow(t, x)
			}
		}
	})
}

func checkQuantizeRow(t *testing.T, x []float32) {
	t.Helper()
	amax := largestMagnitude(x)
	wantScale := amax / 127
	if amax < MinAmax {
		wantScale = 0
	}
	dst := guard[int8](len(x), 3)
	scale := QuantizeRow(dst.in, x)
	dst.check(t)
	sameInts(t, "QuantizeRow", dst.in, quantizeDefinition(x, amax))
	if !equalBits(scale, wantScale) {
		t.Fatalf("scale of %d elements up to %v is %v, want %v", len(x), amax, scale, wantScale)
	}
}

func TestQuantizeRowStaticFollowsItsDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(16)
		for _, n := range lengths {
			for _, amax := range []float32{0, 1e-40, 0.5, 2, 1e38, float32(math.Inf(1))} {
				x := misaligned(floats(r, n, true), 1)
				dst := guard[int8](n, 3)
				QuantizeRowStatic(dst.in, x, amax)
				dst.check(t)
				sameInts(t, "QuantizeRowStatic", dst.in, quantizeDefinition(x, amax))
			}
		}
	})
}

// TestQuantizeRoundsHalfToEven has every tie between two quantized values.
func TestQuantizeRoundsHalfToEven(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		x := make([]float32, 256)
		for i := range x {
			x[i] = float32(i) - 127.5
		}
		x[0], x[255] = 127, -127
		dst := make([]int8, len(x))
		if scale := QuantizeRow(dst, x); scale != 1 {
			t.Fatalf("scale %v, want 1", scale)
		}
		for i, q := range dst {
			if want := math.RoundToEven(float64(x[i])); float64(q) != want {
				t.Errorf("%v becomes %d, want %v", x[i], q, want)
			}
		}
	})
}

func TestQuantizeRowShowsWhatIsNotANumber(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ value, scale float32 }{{inf, inf}, {-inf, inf}, {nan, nan}} {
		for _, n := range []int{1, 17, 64} {
			eachISA(t, func(t *testing.T) {
				for at := range n {
					x, dst := make([]float32, n), make([]int8, n)
					for i := range x {
						x[i], dst[i] = 1, 99
					}
					x[at] = c.value
					if scale := QuantizeRow(dst, x); !equalBits(scale, c.scale) {
						t.Fatalf("scale with %v at %d is %v, want %v", c.value, at, scale, c.scale)
					}
					sameInts(t, "QuantizeRow", dst, make([]int8, n))
				}
			})
		}
	}
}

func TestMinAmaxIsTheLeastThatScales(t *testing.T) {
	least := MinAmax // not a constant, whose division would not round
	if inv := 127 / least; math.IsInf(float64(inv), 0) {
		t.Errorf("127/%v overflows", least)
	}
	if inv := 127 / math.Nextafter32(least, 0); !math.IsInf(float64(inv), 0) {
		t.Errorf("127/amax does not overflow just below %v", least)
	}
}
