package tensor

import (
	"bytes"
	"math"
	"testing"

	"moge/ir/dtype"
)

func TestBytesRoundTrip(t *testing.T) {
	half := FromF32([]float32{0, 1, -0.5, 65504, 0.25, 3}, 2, 3)
	half.DType = dtype.F16
	brain := FromF32([]float32{0, 1, -0.5, 1 << 20, 0.25, 3}, 3, 2)
	brain.DType = dtype.BF16
	for _, c := range []struct {
		t   *Tensor
		raw []byte
	}{
		{FromF32([]float32{1}, 1), []byte{0, 0, 0x80, 0x3f}},
		{half, []byte{0, 0, 0, 0x3c, 0, 0xb8, 0xff, 0x7b, 0, 0x34, 0, 0x42}},
		{brain, []byte{0, 0, 0x80, 0x3f, 0, 0xbf, 0x80, 0x49, 0x80, 0x3e, 0x40, 0x40}},
		{FromI32([]int32{-2, 258}, 2), []byte{0xfe, 0xff, 0xff, 0xff, 2, 1, 0, 0}},
		{FromI8([]int8{-1, 127, -128}, 3, 1), []byte{0xff, 0x7f, 0x80}},
		{FromI8(nil, 0, 7), []byte{}},
		{FromF32([]float32{-2}), []byte{0, 0, 0, 0xc0}},
	} {
		if raw := c.t.Bytes(); !bytes.Equal(raw, c.raw) {
			t.Errorf("%v is % x, want % x", c.t, raw, c.raw)
		}
		back, err := FromBytes(c.t.DType, c.t.Shape, c.raw)
		if err != nil {
			t.Errorf("%v: %v", c.t, err)
		} else if d := Diff(back, c.t); d != "" {
			t.Errorf("%v: %s", c.t, d)
		}
	}
}

func TestFromBytesRefuses(t *testing.T) {
	for _, c := range []struct {
		d     dtype.Type
		shape []int64
		bytes int
		want  string
	}{
		{dtype.F16, []int64{2, 3}, 11, "f16[2 3] takes 12 bytes, got 11"},
		{dtype.I64, []int64{1}, 8, "a tensor cannot hold elements of i64"},
		{dtype.Invalid, nil, 0, "a tensor cannot hold elements of dtype(0)"},
		{dtype.F32, []int64{-1}, 0, "dimension -1 is negative"},
		{dtype.I8, []int64{1 << 21, 1 << 20}, 0,
			"shape [2097152 1048576] has more than 2^40 elements"},
		{dtype.I8, []int64{1 << 62, 8, 0}, 0,
			"shape [4611686018427387904 8 0] has more than 2^40 elements"},
	} {
		if _, err := FromBytes(c.d, c.shape,
			make([]byte, c.bytes)); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestDiff(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	zero := float32(0)
	for _, c := range []struct {
		got, want *Tensor
		diff      string
	}{
		{FromF32([]float32{1, nan}, 2), FromF32([]float32{1, -nan}, 2), ""},
		{FromF32([]float32{zero}, 1), FromF32([]float32{-1 / inf}, 1), "element [0] is 0, want -0"},
		{FromI32([]int32{1, 2, 3, 4}, 2, 2), FromI32([]int32{1, 2, 5, 4}, 2, 2),
			"element [1 0] is 3, want 5"},
		{FromI8([]int8{1, 2}, 2), FromI8([]int8{1, 2}, 1, 2), "got i8[2], want i8[1,2]"},
		{New(dtype.F16, 2), New(dtype.BF16, 2), "got f16[2], want bf16[2]"},
	} {
		if d := Diff(c.got, c.want); d != c.diff || Equal(c.got, c.want) != (d == "") {
			t.Errorf("%q, want %q", d, c.diff)
		}
	}
}

func TestMaxAbsDiff(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{1, 2}, []float32{1.5, 1}, 1},
		{[]float32{nan, inf}, []float32{nan, inf}, 0},
		{[]float32{nan}, []float32{0}, math.Inf(1)},
		{[]float32{inf}, []float32{-inf}, math.Inf(1)},
		{nil, nil, 0},
	} {
		n := int64(len(c.a))
		if got, err := MaxAbsDiff(FromF32(c.a, n), FromF32(c.b, n)); err != nil || got != c.want {
			t.Errorf("%v and %v differ by %v (%v), want %v", c.a, c.b, got, err, c.want)
		}
	}
	if _, err := MaxAbsDiff(New(dtype.F32, 2), New(dtype.F32, 3)); err == nil ||
		err.Error() != "f32[2] and f32[3] have different shapes" {
		t.Errorf("shapes differ: %v", err)
	}
}

func TestCopyAndClone(t *testing.T) {
	src := FromI32([]int32{1, 2, 3, 4}, 4)
	dst := New(dtype.I32, 3)
	dst.Copy(1, src, 2, 2)
	if d := Diff(dst, FromI32([]int32{0, 3, 4}, 3)); d != "" {
		t.Error(d)
	}
	clone := src.Clone()
	clone.I32[0], clone.Shape[0] = 9, 9
	if src.I32[0] != 1 || src.Shape[0] != 4 {
		t.Error("a clone shares memory")
	}
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		d        dtype.Type
		v, round float32
	}{{dtype.F32, 0.1, 0.1}, {dtype.F16, 2049, 2048}, {dtype.F16, 2051, 2052},
		{dtype.BF16, 257, 256}, {dtype.BF16, 259, 260}} {
		if got := Round(c.d, c.v); got != c.round {
			t.Errorf("%v rounds to %v in %v, want %v", c.v, got, c.d, c.round)
		}
	}
}
