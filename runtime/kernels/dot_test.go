package kernels

import (
	"math"
	"testing"

	"moge/ir/dtype"
)

// dotDefinition is the order of operations of the comment of DotF32, told another way: lane by
// lane, and the reduction by recursion.
func dotDefinition(n int, product func(i int) float32) float32 {
	var sums [TileRows]float32
	for lane := range sums {
		for i := lane; i < n; i += TileRows {
			sums[lane] = sums[lane] + product(i)
		}
	}
	return upperOntoLower(sums[:])
}

func upperOntoLower(v []float32) float32 {
	if len(v) == 1 {
		return v[0]
	}
	half := make([]float32, len(v)/2)
	for i := range half {
		half[i] = v[i] + v[i+len(half)]
	}
	return upperOntoLower(half)
}

func TestDotBitsFollowTheDefinition(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(7)
		for _, n := range lengths {
			for shift := range 3 {
				a, b := misaligned(floats(r, n, false), shift), misaligned(floats(r, n, false), 1)
				h, i := misaligned(halves(r, n), shift), misaligned(int8s(r, n), shift)
				checkDot(t, "DotF32", n, DotF32(a, b),
					func(at int) float32 { return float32(a[at] * b[at]) })
				checkDot(t, "DotF16", n, DotF16(a, h),
					func(at int) float32 { return float32(a[at] * dtype.F16ToF32(h[at])) })
				checkDot(t, "DotI8F32", n, DotI8F32(a, i),
					func(at int) float32 { return float32(a[at] * float32(i[at])) })
			}
		}
	})
}

func checkDot(t *testing.T, name string, n int, got float32, product func(i int) float32) {
	t.Helper()
	if want := dotDefinition(n, product); !equalBits(got, want) {
		t.Fatalf("%s of %d elements is %v, want %v", name, n, got, want)
	}
}

func TestDotSpecialValues(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(8)
		for _, n := range lengths {
			a, b := floats(r, n, true), floats(r, n, true)
			checkDot(t, "DotF32", n, DotF32(a, b),
				func(at int) float32 { return float32(a[at] * b[at]) })
		}
	})
}

// TestDotError compares with a float64 sum: an element passes through one product and at most
// n/16+1+4 sums, each rounded once.
func TestDotError(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := testRand(9)
		for _, n := range lengths {
			a, b := floats(r, n, false), floats(r, n, false)
			sum, magnitude := 0.0, 0.0
			for i := range a {
				sum += float64(a[i]) * float64(b[i])
				magnitude += math.Abs(float64(a[i]) * float64(b[i]))
			}
			bound := 2 * (float64(n)/16 + 6) * 0x1p-24 * magnitude
			if e := math.Abs(float64(DotF32(a, b)) - sum); e > bound {
				t.Fatalf("dot product of %d elements is off by %g, allowed %g", n, e, bound)
			}
		}
	})
}
