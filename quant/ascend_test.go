package quant

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"moge/ir/dtype"
)

// The worked example of the AscendV1 format: two output channels over four inputs.
func TestAffineWorkedVector(t *testing.T) {
	const inputScale, offset = 0.05, -3
	x := []float32{0.3, -0.41, 1.0, 0.07}
	xq := make([]int8, 4)
	EncodeAffine(xq, x, inputScale, offset)
	if want := []int8{3, -11, 17, -2}; !reflect.DeepEqual(xq, want) {
		t.Fatalf("xq %v, want %v", xq, want)
	}
	for _, c := range []struct {
		wq             []int8
		weightScale    float32
		bias           float32
		deq            float32
		quantBias, acc int32
		y              float64
	}{
		{[]int8{10, -20, 30, 127}, 0.01, 0.25, 0.0005, 941, 506, 0.7235},
		{[]int8{-127, 5, 0, 1}, 0.002, -0.125, 1e-4, -1613, -438, -0.2051},
	} {
		deq := DeqScale(inputScale, c.weightScale)
		// Both scales are rounded decimals, so the product may be 3 rounding units off.
		if math.Abs(float64(deq/c.deq-1)) > 3*unit {
			t.Errorf("deq %v, want %v", deq, c.deq)
		}
		quantBias, err := QuantBias(c.wq, c.bias, deq, offset)
		if err != nil || quantBias != c.quantBias {
			t.Errorf("quant bias %d, %v; want %d", quantBias, err, c.quantBias)
		}
		var acc int32
		for k := range xq {
			acc += int32(xq[k]) * int32(c.wq[k])
		}
		if acc != c.acc {
			t.Errorf("accumulator %d, want %d", acc, c.acc)
		}
		if y := float64(acc+quantBias) * float64(deq); math.Abs(y-c.y) > math.Abs(c.y)*3*unit {
			t.Errorf("y %v, want %v", y, c.y)
		}
		bias := RecoverBias(c.wq, quantBias, deq, offset)
		if math.Abs(float64(bias-c.bias)) > float64(deq)/2 {
			t.Errorf("recovered bias %v, want %v", bias, c.bias)
		}
		if ws := RecoverWeightScale(deq, inputScale); math.Abs(float64(ws/c.weightScale-1)) > 0x1p-22 {
			t.Errorf("recovered weight scale %v, want %v", ws, c.weightScale)
		}
	}
}

func TestDeqScaleI64(t *testing.T) {
	for scale, want := range map[float32]int64{1: 1065353216, 0.0005: 973279855} {
		if got := DeqScaleToI64(scale); got != want {
			t.Errorf("%v is stored as %d, want %d", scale, got, want)
		}
		if got := DeqScaleFromI64(want | 7<<32); got != scale {
			t.Errorf("%d reads as %v, want %v", want, got, scale)
		}
	}
	if got := DeqScaleToI64(DeqScale(0.05, 0.01)); got != 973279855 {
		t.Errorf("0.05 * 0.01 is stored as %d, want 973279855", got)
	}
	if bits := DeqScaleToI64(-1); bits >= 0 || DeqScaleFromI64(bits) != -1 {
		t.Errorf("-1 is stored as %d: the int32 view is sign-extended", bits)
	}
}

func TestQuantBiasErrors(t *testing.T) {
	const zero = "dequantization scale 0 cannot carry a bias; it must be positive"
	if _, err := QuantBias([]int8{0}, 1, 0, 0); err == nil || err.Error() != zero {
		t.Errorf("%v, want %s", err, zero)
	}
	const large = "quantized bias 2.147483648e+09 exceeds int32 " +
		"(bias 2, dequantization scale 9.313226e-10)"
	if _, err := QuantBias([]int8{0}, 2, 0x1p-30, 0); err == nil || err.Error() != large {
		t.Errorf("%v, want %s", err, large)
	}
	if _, err := QuantBias([]int8{0}, nan, 1, 0); err == nil {
		t.Error("a NaN bias must be refused")
	}
	// The scale for zero rows keeps 20 bits of the bias.
	for _, bias := range []float32{0, 3.7, -1e-3, 1e30} {
		deq := DeqScale(0.05, ZeroRowScale(bias, 0.05))
		q, err := QuantBias(make([]int8, 4), bias, deq, -3)
		back := RecoverBias(make([]int8, 4), q, deq, -3)
		if err != nil || math.Abs(float64(back-bias)) > math.Abs(float64(bias))*0x1p-20 {
			t.Errorf("bias %v came back as %v, %v", bias, back, err)
		}
	}
}

func TestEncodeAffineClamps(t *testing.T) {
	got := make([]int8, 5)
	EncodeAffine(got, []float32{1e9, -1e9, inf, -inf, nan}, 1, 0)
	if want := []int8{127, -128, 127, -128, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAffineErrorBound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		scale := float32(math.Ldexp(1+r.Float64(), r.IntN(200)-100))
		offset := float32(r.IntN(257) - 128)
		x := float32((254*r.Float64() - 127 - float64(offset)) * float64(scale))
		q := []int8{0}
		EncodeAffine(q, []float32{x}, scale, offset)
		back := (float64(q[0]) - float64(offset)) * float64(scale)
		if gap := math.Abs(float64(x) - back); gap > AffineErrorBound(scale) {
			t.Fatalf("%v (scale %v, offset %v) is off by %v", x, scale, offset, gap)
		}
	}
}

func TestRoundScale(t *testing.T) {
	for _, c := range []struct {
		scale float32
		typ   dtype.Type
		want  float32
	}{
		{0.05, dtype.F32, 0.05}, {0.05, dtype.F16, 0.049987793}, {0.05, dtype.BF16, 0.050048828},
	} {
		if got, err := RoundScale(c.scale, c.typ); err != nil || got != c.want {
			t.Errorf("%v in %v: %v, %v; want %v", c.scale, c.typ, got, err, c.want)
		}
	}
	const want = "input scale 1e-09 becomes 0 in f16; it must stay positive and finite"
	if _, err := RoundScale(1e-9, dtype.F16); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := RoundScale(1e6, dtype.F16); err == nil {
		t.Error("a scale that overflows f16 must be refused")
	}
}

func TestInt4WorkedVectors(t *testing.T) {
	for _, c := range []struct{ low, high, want int8 }{
		{1, -2, -31}, {-8, 7, 120}, {7, -8, -121}, {-1, -1, -1},
	} {
		if got := PackInt4(c.low, c.high); got != c.want {
			t.Errorf("(%d,%d) packs to %d, want %d", c.low, c.high, got, c.want)
		}
	}
}

func TestInt4RoundTripExhaustive(t *testing.T) {
	for low := int8(-8); low < 8; low++ {
		for high := int8(-8); high < 8; high++ {
			packed, even, odd := []int8{0}, []int8{0}, []int8{0}
			if err := PackInt4Rows(packed, []int8{low}, []int8{high}); err != nil {
				t.Fatal(err)
			}
			UnpackInt4Rows(even, odd, packed)
			if even[0] != low || odd[0] != high {
				t.Fatalf("(%d,%d) came back as (%d,%d)", low, high, even[0], odd[0])
			}
		}
	}
	err := PackInt4Rows(make([]int8, 2), []int8{0, 0}, []int8{0, 8})
	const want = "element 1 has the code 8, outside int4's [-8, 7]"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// The kernel's unsigned reading minus the correction is the signed product.
func TestScaleBias(t *testing.T) {
	wq := []int8{-8, 7, 3, -1, 0, 5, -6, 2}
	dst := make([]float32, 4)
	if err := ScaleBias(dst, wq, 0.25); err != nil {
		t.Fatal(err)
	}
	if want := []float32{-2, 4, 10, -8}; !reflect.DeepEqual(dst, want) {
		t.Errorf("%v, want %v", dst, want)
	}
	const want = "a row of 8 int4 codes cannot be cut into 3 equal chunks"
	if err := ScaleBias(dst[:3], wq, 1); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestCastReport(t *testing.T) {
	values := []float32{0, 1, 65536, -1e30, 0x1p-15, -0x1p-24, 0x1p-26, inf, nan, -0x1p-25}
	src, dst := make([]uint16, len(values)), make([]uint16, len(values))
	for i, v := range values {
		src[i] = dtype.F32ToBF16(v)
	}
	want := CastReport{Values: 10, Overflow: 2, Flush: 2, Subnormal: 2, NonFinite: 2}
	if got := CastBF16ToF16(dst, src); got != want || got.Clean() {
		t.Errorf("%v, want %v", got, want)
	}
	if got := CastF32ToF16(dst, values); got != want {
		t.Errorf("from f32: %v, want %v", got, want)
	}
	if dst[1] != 0x3c00 || dst[4] != 0x200 {
		t.Errorf("1 and 2^-15 became %#x and %#x", dst[1], dst[4])
	}
	var merged CastReport
	for i := range src {
		merged.Merge(CastBF16ToF16(dst[i:i+1], src[i:i+1]))
	}
	if merged != want {
		t.Errorf("merged %v, want %v", merged, want)
	}
	const text = "10 values to f16: 2 overflow, 2 flush to zero, 2 subnormal, 2 non-finite"
	if want.String() != text {
		t.Errorf("%s, want %s", want, text)
	}
}
