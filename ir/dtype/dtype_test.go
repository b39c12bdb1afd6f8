package dtype

import (
	"math"
	"math/big"
	"testing"
)

func TestTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, typ := range All() {
		r := table[typ]
		if r.name == "" || r.bits == 0 {
			t.Errorf("type %d has no row", typ)
		}
		if seen[r.name] {
			t.Errorf("duplicate name %q", r.name)
		}
		seen[r.name] = true
		if got, err := Parse(typ.String()); err != nil || got != typ {
			t.Errorf("Parse(%q) = %v, %v", typ.String(), got, err)
		}
		if s := typ.Safetensors(); s != "" {
			if got, err := ParseSafetensors(s); err != nil || got != typ {
				t.Errorf("ParseSafetensors(%q) = %v, %v", s, got, err)
			}
		}
	}
	if _, err := Parse("f8"); err == nil || err.Error() != `unknown element type "f8"` {
		t.Errorf("Parse(f8): %v", err)
	}
	if _, err := ParseSafetensors(""); err == nil {
		t.Error("the empty spelling must not name a type")
	}
}

func TestBytesRoundsUp(t *testing.T) {
	if got := I4.Bytes(3); got != 2 {
		t.Errorf("3 nibbles take %d bytes, want 2", got)
	}
	if got := BF16.Bytes(5); got != 10 {
		t.Errorf("5 bf16 take %d bytes, want 10", got)
	}
}

// Every 16-bit pattern must survive widening and rounding back: the conversions are exact inverses there.
func TestHalfRoundTripExhaustive(t *testing.T) {
	for i := 0; i <= 0xffff; i++ {
		b := uint16(i)
		if f := BF16ToF32(b); f == f && F32ToBF16(f) != b {
			t.Fatalf("bf16 %#04x -> %v -> %#04x", b, f, F32ToBF16(f))
		}
		if f := F16ToF32(b); f == f && F32ToF16(f) != b {
			t.Fatalf("f16 %#04x -> %v -> %#04x", b, f, F32ToF16(f))
		}
	}
}

// Between two neighbours the nearer wins, and the even one at the exact middle; checked in exact arithmetic.
func TestF16RoundsToNearestEven(t *testing.T) {
	for i := 0; i < 0x7bff; i++ {
		lo, hi := F16ToF32(uint16(i)), F16ToF32(uint16(i+1))
		mid := float32((float64(lo) + float64(hi)) / 2)
		even := uint16(i + i&1)
		if got := F32ToF16(mid); got != even {
			t.Fatalf("middle of %#04x and next rounds to %#04x, want %#04x", i, got, even)
		}
		if got := F32ToF16(math.Nextafter32(mid, -1)); got != uint16(i) {
			t.Fatalf("below the middle of %#04x rounds to %#04x", i, got)
		}
		if got := F32ToF16(math.Nextafter32(mid, 1e9)); got != uint16(i+1) {
			t.Fatalf("above the middle of %#04x rounds to %#04x", i, got)
		}
	}
	if F32ToF16(65520) != 0x7c00 || F32ToF16(65519.996) != 0x7bff {
		t.Error("the border to infinity is 65520")
	}
	if h := F32ToF16(float32(math.NaN())); F16ToF32(h) == F16ToF32(h) {
		t.Error("NaN must stay NaN")
	}
}

func TestBF16RoundsToNearestEven(t *testing.T) {
	for _, f := range []float32{1, 1.00390625, 1.01171875, 3.1415927, -2.7182817, 1e-40, 3e38} {
		got := BF16ToF32(F32ToBF16(f))
		exact := new(big.Float).SetFloat64(float64(f))
		below, above := BF16ToF32(F32ToBF16(got)-1), BF16ToF32(F32ToBF16(got)+1)
		gap := distance(exact, got)
		for _, neighbour := range []float32{below, above} {
			if distance(exact, neighbour).Cmp(gap) < 0 {
				t.Errorf("%v rounds to %v, but %v is nearer", f, got, neighbour)
			}
		}
	}
	if h := F32ToBF16(float32(math.NaN())); BF16ToF32(h) == BF16ToF32(h) {
		t.Error("NaN must stay NaN")
	}
}

func distance(a *big.Float, b float32) *big.Float {
	d := new(big.Float).Sub(a, new(big.Float).SetFloat64(float64(b)))
	return d.Abs(d)
}

func TestEncodeDecode(t *testing.T) {
	values := []float32{0, 1, -1, 0.5, 1024, -0.125}
	for _, typ := range []Type{F32, F16, BF16} {
		raw := make([]byte, typ.Bytes(int64(len(values))))
		Encode(typ, raw, values)
		back := make([]float32, len(values))
		Decode(typ, back, raw)
		for i := range values {
			if back[i] != values[i] {
				t.Errorf("%v: %v came back as %v", typ, values[i], back[i])
			}
		}
	}
}
