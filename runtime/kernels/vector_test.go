package kernels

import (
	"fmt"
	"math"
	"testing"

	"moge/ir/dtype"
)

// checkElements runs an elementwise kernel into a guarded output and compares each element
// with its definition.
func checkElements(t *testing.T, name string, before []float32, run func(dst []float32),
	want func(i int) float32) {
	t.Helper()
	for _, shift := range []int{0, 1, 5} {
		dst := guard[float32](len(before), shift)
		copy(dst.in, before)
		run(dst.in)
		dst.check(t)
		for i, got := range dst.in {
			if w := want(i); !equalBits(got, w) {
				t.Fatalf("%s of %d elements: element %d is %v, want %v", name, len(before), i,
					got, w)
			}
		}
	}
}

func TestVectorKernelsFollowTheirDefinitions(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(10)
		for _, n := range lengths {
			y, a, b := floats(r, n, true), misaligned(floats(r, n, true), 1), floats(r, n, true)
			acc := make([]int32, n)
			for i := range acc {
				acc[i] = int32(r.Uint32())
			}
			checkElements(t, "AddF32", y, func(dst []float32) { AddF32(dst, a, b) },
				func(i int) float32 { return a[i] + b[i] })
			checkElements(t, "MulF32", y, func(dst []float32) { MulF32(dst, a, b) },
				func(i int) float32 { return a[i] * b[i] })
			checkElements(t, "ScaleF32", y, func(dst []float32) { ScaleF32(dst, a, 0.3) },
				func(i int) float32 { return a[i] * 0.3 })
			checkElements(t, "ScaleF32 in place", y, func(dst []float32) { ScaleF32(dst, dst, 3) },
				func(i int) float32 { return y[i] * 3 })
			checkElements(t, "ScaleBias", y, func(dst []float32) { ScaleBias(dst, a, nil) },
				func(i int) float32 { return y[i] * a[i] })
			checkElements(t, "ScaleBias", y, func(dst []float32) { ScaleBias(dst, a, b) },
				func(i int) float32 { return float32(y[i]*a[i]) + b[i] })
			checkElements(t, "Dequant", y,
				func(dst []float32) { Dequant(dst, acc, 0.7, a, nil) },
				func(i int) float32 { return float32(float32(acc[i])*a[i]) * 0.7 })
			checkElements(t, "Dequant", y,
				func(dst []float32) { Dequant(dst, acc, 0.7, a, b) },
				func(i int) float32 {
					return float32(float32(float32(acc[i])*a[i])*0.7) + b[i]
				})
		}
	})
}

func TestAxpyFollowsItsDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(11)
		for _, n := range lengths {
			y, x := floats(r, n, true), misaligned(floats(r, n, true), 3)
			h, b := misaligned(halves(r, n), 1), misaligned(int8s(r, n), 1)
			checkElements(t, "AxpyF32", y, func(dst []float32) { AxpyF32(dst, 1.7, x) },
				func(i int) float32 { return y[i] + float32(1.7*x[i]) })
			checkElements(t, "AxpyF16", y, func(dst []float32) { AxpyF16(dst, 1.7, h) },
				func(i int) float32 { return y[i] + float32(1.7*dtype.F16ToF32(h[i])) })
			checkElements(t, "AxpyI8", y, func(dst []float32) { AxpyI8(dst, 1.7, b) },
				func(i int) float32 { return y[i] + float32(1.7*float32(b[i])) })
		}
	})
}

func TestRotaryFollowsItsDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(12)
		for _, half := range lengths {
			x, cos, sin := floats(r, 2*half, true), floats(r, half, false), floats(r, half, false)
			checkElements(t, "Rotary", x, func(dst []float32) { Rotary(dst, cos, sin) },
				func(i int) float32 {
					lo, hi, at := x[i%max(half, 1)], x[i%max(half, 1)+half], i%max(half, 1)
					if i < half {
						return float32(lo*cos[at]) - float32(hi*sin[at])
					}
					return float32(hi*cos[at]) + float32(lo*sin[at])
				})
		}
	})
}

func TestRMSNormFollowsItsDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(13)
		for _, n := range lengths[1:] {
			x, y, w := floats(r, n, false), floats(r, n, false), floats(r, n, false)
			sum := make([]float32, n)
			for i := range sum {
				sum[i] = x[i] + y[i]
			}
			checkRMSNorm(t, x, w, func(dst []float32) { RMSNorm(dst, x, w, 1e-5) })
			checkRMSNorm(t, sum, w, func(dst []float32) {
				got := guard[float32](n, 1)
				AddRMSNorm(got.in, dst, x, y, w, 1e-5)
				sameBits(t, "sum of AddRMSNorm", got.in, sum)
				got.check(t)
			})
		}
		RMSNorm(nil, nil, nil, 1)
	})
}

func checkRMSNorm(t *testing.T, x, w []float32, run func(dst []float32)) {
	t.Helper()
	n := len(x)
	squares := dotDefinition(n, func(i int) float32 { return float32(x[i] * x[i]) })
	mean := squares/float32(n) + 1e-5
	scale := 1 / float32(math.Sqrt(float64(mean)))
	checkElements(t, fmt.Sprintf("RMSNorm of %d", n), x, run,
		func(i int) float32 { return float32(x[i]*scale) * w[i] })
}

func TestArgMax(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	zero, minusZero := float32(0), float32(math.Copysign(0, -1))
	long := make([]float32, 100)
	long[63], long[97] = 2, 2
	tail := make([]float32, 100)
	tail[99] = 1
	for _, c := range []struct {
		x    []float32
		want int
	}{
		{nil, -1}, {[]float32{nan}, -1}, {[]float32{nan, -inf}, 1}, {[]float32{-inf, -inf}, 0},
		{[]float32{1, 3, nan, 3}, 1}, {[]float32{minusZero, zero}, 0}, {[]float32{-1, -inf}, 0},
		{[]float32{inf, inf}, 0}, {long, 63}, {tail, 99},
	} {
		eachISA(t, func(t *testing.T) {
			if got := ArgMax(c.x); got != c.want {
				t.Errorf("ArgMax(%v) = %d, want %d", c.x, got, c.want)
			}
		})
	}
}

func TestArgMaxMatchesDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(14)
		for _, n := range lengths {
			x := misaligned(floats(r, n, true), 1)
			want := -1
			for i, v := range x {
				if v == v && (want < 0 || v > x[want]) {
					want = i
				}
			}
			if got := ArgMax(x); got != want {
				t.Fatalf("ArgMax of %d elements is %d, want %d", n, got, want)
			}
		}
	})
}
