package quant

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"
)

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

func TestEncodeRow(t *testing.T) {
	for _, c := range []struct {
		name  string
		w     []float32
		want  []int8
		scale float32
	}{
		{"unit scale", []float32{127, -127, 1, 0}, []int8{127, -127, 1, 0}, 1},
		{"half to even", []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5}, []int8{127, 0, 2, 2, 0, -2}, 1},
		{"zero row", []float32{0, float32(math.Copysign(0, -1))}, []int8{0, 0}, 0},
		{"empty row", nil, []int8{}, 0},
		{"scale just subnormal", []float32{126 * minNormal, -1e-45}, []int8{0, 0}, 0},
		{"smallest normal scale", []float32{127 * minNormal, -minNormal}, []int8{127, -1}, minNormal},
		{"largest", []float32{math.MaxFloat32, -math.MaxFloat32}, []int8{127, -127},
			math.MaxFloat32 / 127},
	} {
		got := make([]int8, len(c.w))
		scale, err := EncodeRow(got, c.w)
		if err != nil || scale != c.scale || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, %v; want %v, %v", c.name, got, scale, err, c.want, c.scale)
		}
	}
}

func TestEncodeRowRefusesNonFinite(t *testing.T) {
	dst := []int8{5, 5, 5}
	for _, bad := range []float32{inf, -inf, nan} {
		_, err := EncodeRow(dst, []float32{1, bad, nan})
		typed, ok := err.(*NonFiniteError)
		if !ok || typed.Index != 1 {
			t.Fatalf("EncodeRow with %v: %v", bad, err)
		}
	}
	_, err := EncodeRow(dst, []float32{1, inf, 0})
	want := "element 1 is +Inf; only finite values can be quantized"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if !reflect.DeepEqual(dst, []int8{5, 5, 5}) {
		t.Error("a refused row must leave dst alone")
	}
}

func TestEncodeDynamic(t *testing.T) {
	for _, c := range []struct {
		name  string
		x     []float32
		want  []int8
		scale float32
	}{
		{"unit scale", []float32{127, -127, 2.5, -0.5}, []int8{127, -127, 2, 0}, 1},
		{"zero", []float32{0, 0}, []int8{0, 0}, 0},
		{"inverse overflows", []float32{0x1p-122, 0}, []int8{0, 0}, 0},
		{"subnormal scale", []float32{0x1p-120, -0x1p-121}, []int8{127, -64}, 0x1p-120 / 127},
		{"largest", []float32{math.MaxFloat32, -1}, []int8{127, 0}, math.MaxFloat32 / 127},
		{"infinity poisons", []float32{1, -inf}, []int8{0, 0}, nan},
		{"NaN poisons", []float32{nan, inf}, []int8{0, 0}, nan},
	} {
		got := []int8{9, 9, 9, 9}[:len(c.x)]
		scale := EncodeDynamic(got, c.x)
		if math.Float32bits(scale) != math.Float32bits(c.scale) && scale == scale ||
			!reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, scale, c.want, c.scale)
		}
		if (scale != scale) != (c.scale != c.scale) {
			t.Errorf("%s: scale %v, want %v", c.name, scale, c.scale)
		}
	}
}

func TestEncodeStatic(t *testing.T) {
	got := make([]int8, 7)
	EncodeStatic(got, []float32{0.5, 1.5, 127, 200, -200, -inf, nan}, 127)
	if want := []int8{0, 2, 127, 127, -127, -127, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	EncodeStatic(got[:2], []float32{3, inf}, 0)
	// Inf * 0 is NaN, which encodes as 0 like everything under a zero range.
	if got[0] != 0 || got[1] != 0 {
		t.Errorf("a zero range gives %v", got[:2])
	}
}

func TestBugsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"short dst":      func() { EncodeDynamic(make([]int8, 1), make([]float32, 2)) },
		"NaN range":      func() { EncodeStatic(nil, nil, nan) },
		"negative range": func() { EncodeStatic(nil, nil, -1) },
		"zero scale":     func() { EncodeAffine(nil, nil, 0, 0) },
	} {
		if !panics(f) {
			t.Errorf("%s must panic", name)
		}
	}
}

func panics(f func()) (caught bool) {
	defer func() { caught = recover() != nil }()
	f()
	return false
}

// The rounding of the product is part of the definition: the exact product rounded once.
func TestEncodeDynamicMatchesExactArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		x := randomRow(r, 17)
		got := make([]int8, len(x))
		EncodeDynamic(got, x)
		_, inverse := ActivationScale(maxAbs(x))
		for i, v := range x {
			exact := new(big.Float).SetPrec(200).SetFloat64(float64(v))
			exact.Mul(exact, new(big.Float).SetFloat64(float64(inverse)))
			product, _ := exact.Float32()
			if want := int8(math.RoundToEven(float64(product))); got[i] != want {
				t.Fatalf("%v * %v gives %d, want %d", v, inverse, got[i], want)
			}
		}
	}
}

// Rows whose magnitudes span the whole float32 range, the subnormals included.
func randomRow(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	exponent := r.IntN(270) - 148
	for i := range x {
		x[i] = float32(math.Ldexp(2*r.Float64()-1, min(exponent+r.IntN(6), 126)))
	}
	return x
}

func TestErrorBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		checkBounds(t, randomRow(r, 33))
	}
}

func checkBounds(t *testing.T, x []float32) {
	t.Helper()
	q, back := make([]int8, len(x)), make([]float32, len(x))
	scale, err := EncodeRow(q, x)
	if err != nil {
		t.Fatal(err)
	}
	DecodeRow(back, q, scale)
	checkWithin(t, "weight", x, back, func(float32) float64 { return WeightErrorBound(scale) })
	scale = EncodeDynamic(q, x)
	DecodeRow(back, q, scale)
	checkWithin(t, "dynamic", x, back, func(float32) float64 { return ActivationErrorBound(scale) })
	amax := maxAbs(x) / 3
	EncodeStatic(q, x, amax)
	scale, _ = ActivationScale(amax)
	DecodeRow(back, q, scale)
	checkWithin(t, "static", x, back, func(v float32) float64 { return StaticErrorBound(v, amax) })
}

func checkWithin(t *testing.T, what string, x, back []float32, bound func(float32) float64) {
	t.Helper()
	for i := range x {
		if gap := math.Abs(float64(x[i]) - float64(back[i])); !(gap <= bound(x[i])) {
			t.Fatalf("%s: %v came back as %v, off by %v, bound %v",
				what, x[i], back[i], gap, bound(x[i]))
		}
	}
}

// The bounds are tight: a value half a step off reaches almost half of the scale.
func TestErrorBoundIsTight(t *testing.T) {
	x := []float32{127, 0.49999}
	q, back := make([]int8, 2), make([]float32, 2)
	scale := EncodeDynamic(q, x)
	DecodeRow(back, q, scale)
	if gap := math.Abs(float64(x[1] - back[1])); gap < 0.99*ActivationErrorBound(scale) {
		t.Errorf("gap %v is far below the bound %v", gap, ActivationErrorBound(scale))
	}
}

func FuzzErrorBounds(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0})
	f.Add([]byte{0xff, 0xff, 0x7f, 0x7f, 1, 0, 0, 0})
	f.Add([]byte{0, 0, 0xfe, 0x00, 0, 0, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, raw []byte) {
		x := make([]float32, len(raw)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		if amax := maxAbs(x); finite(amax) && amax <= 0x1p127 {
			checkBounds(t, x)
		}
	})
}
