package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"moge/ir/dtype"
	"moge/ir/tensor"
)

// finiteBits tells by its value whether a pattern stands for a number.
func finiteBits(d dtype.Type, bits uint32) bool {
	var v [1]float32
	raw := binary.LittleEndian.AppendUint32(nil, bits)
	dtype.Decode(d, v[:], raw[:d.Bytes(1)])
	return !math.IsNaN(float64(v[0])) && !math.IsInf(float64(v[0]), 0)
}

func TestEvery16BitPatternInEveryLane(t *testing.T) {
	for _, d := range []dtype.Type{dtype.F16, dtype.BF16} {
		for _, neighbour := range []uint16{0, 0x3c00, 0x7bff, 0xfbff, 0x7f7f, 0xff7f} {
			if !finiteBits(d, uint32(neighbour)) {
				continue
			}
			for bits := range uint32(1 << 16) {
				lane := int(bits+uint32(neighbour)) % 7 // four lanes of a group and a tail of three
				raw := make([]byte, 14)
				for i := range 7 {
					binary.LittleEndian.PutUint16(raw[2*i:], neighbour)
				}
				binary.LittleEndian.PutUint16(raw[2*lane:], uint16(bits))
				want := lane
				if finiteBits(d, bits) {
					want = -1
				}
				if got := firstNonFinite(d, raw); got != want {
					t.Fatalf("%v pattern %04x in lane %d among %04x: got %d, want %d", d, bits, lane, neighbour, got, want)
				}
			}
		}
	}
}

func TestEveryExponentOfF32(t *testing.T) {
	for exponent := range uint32(1 << 9) { // and the sign
		for _, fraction := range []uint32{0, 1, 1 << 22, 1<<23 - 1} {
			bits := exponent<<23 | fraction
			for at := range 3 {
				raw := make([]byte, 12)
				binary.LittleEndian.PutUint32(raw[4*at:], bits)
				want := at
				if finiteBits(dtype.F32, bits) {
					want = -1
				}
				if got := firstNonFinite(dtype.F32, raw); got != want {
					t.Fatalf("pattern %08x at %d: got %d, want %d", bits, at, got, want)
				}
			}
		}
	}
}

// The first of several defects is the one that is found, wherever both are.
func TestFirstOfTwoDefectsIsFound(t *testing.T) {
	for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
		for n := range 20 {
			for first := range n {
				for second := first; second < n; second++ {
					values := make([]float32, n)
					values[second] = float32(math.Inf(1))
					values[first] = float32(math.NaN())
					raw := make([]byte, d.Bytes(int64(n)))
					dtype.Encode(d, raw, values)
					if got := firstNonFinite(d, raw); got != first {
						t.Fatalf("%v: defects at %d and %d of %d: got %d", d, first, second, n, got)
					}
				}
			}
		}
	}
}

func FuzzFirstNonFinite(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x7f, 0, 0, 0, 0, 0, 0x7c})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
			n := int64(len(raw)) / d.Bytes(1)
			values := make([]float32, n)
			dtype.Decode(d, values, raw[:d.Bytes(n)])
			want := -1
			for i := len(values) - 1; i >= 0; i-- {
				if math.IsNaN(float64(values[i])) || math.IsInf(float64(values[i]), 0) {
					want = i
				}
			}
			if got := firstNonFinite(d, raw[:d.Bytes(n)]); got != want {
				t.Errorf("%v: got %d, want %d", d, got, want)
			}
		}
	})
}

func TestFiniteNamesTensorElementAndValue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
		for _, bad := range []struct {
			value float32
			text  string
		}{{float32(math.NaN()), "NaN"}, {float32(math.Inf(1)), "+Inf"}, {float32(math.Inf(-1)), "-Inf"}} {
			m := memory{"blk.w": tensor.New(d, 5, 7)}
			at := r.IntN(35)
			m["blk.w"].F32[at] = bad.value
			source := Finite{m, typeOf(m)}
			width := d.Bytes(1)
			for lo := range int64(35) {
				hi := lo + 1 + r.Int64N(35-lo)
				err := source.ReadAt("blk.w", make([]byte, (hi-lo)*width), lo*width)
				if int64(at) < lo || hi <= int64(at) {
					if err != nil {
						t.Errorf("elements %d to %d are finite: %v", lo, hi, err)
					}
					continue
				}
				want := fmt.Sprintf("tensor blk.w: element %d is %s: the checkpoint is damaged; "+
					"--allow-nonfinite takes it as it is", at, bad.text)
				if err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				var found *NonFiniteError
				if !errors.As(err, &found) || found.Tensor != "blk.w" || found.Element != int64(at) {
					t.Errorf("%#v is not about element %d", err, at)
				}
			}
		}
	}
}

func TestFiniteLeavesTheRestAlone(t *testing.T) {
	m := memory{"ids": tensor.FromI32([]int32{0x7f800000, -1}, 2),
		"q": tensor.FromI8([]int8{-1, 127, -1, 127}, 4)}
	source := Finite{m, typeOf(m)}
	for name, size := range map[string]int{"ids": 8, "q": 4} {
		if err := source.ReadAt(name, make([]byte, size), 0); err != nil {
			t.Errorf("%s holds integers: %v", name, err)
		}
	}
	err := source.ReadAt("absent", nil, 0)
	if want := "there is no tensor absent"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
