package dtype

import (
	"encoding/binary"
	"math"
)

// BF16ToF32 widens a bfloat16 bit pattern; exact.
func BF16ToF32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// F32ToBF16 rounds to bfloat16, nearest even; NaN stays NaN (quiet).
func F32ToBF16(f float32) uint16 {
	bits := math.Float32bits(f)
	if f != f {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
}

// F16ToF32 widens an IEEE 754 binary16 bit pattern; exact, subnormals included.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent := uint32(h>>10) & 0x1f
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0:
		magnitude := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(magnitude))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// F32ToF16 rounds to binary16, nearest even; beyond the range it gives infinity, NaN stays NaN (quiet).
func F32ToF16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00
	case bits >= 0x477ff000: // 65520 rounds to infinity
		return sign | 0x7c00
	case bits < 0x38800000: // below 2^-14 the result is subnormal: let an f32 addition align and round it
		aligned := math.Float32frombits(bits) + 0.5
		return sign | uint16(math.Float32bits(aligned)-0x3f000000)
	}
	odd := bits >> 13 & 1
	return sign | uint16((bits+0xc8000fff+odd)>>13)
}

// Decode widens the little-endian elements in src to dst; t must be F32, F16 or BF16 and
// len(src) the storage of len(dst) elements.
func Decode(t Type, dst []float32, src []byte) {
	if int64(len(src)) != t.Bytes(int64(len(dst))) {
		panic("BUG: decode of a slice whose length is not that of its elements")
	}
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
		}
	default:
		panic("BUG: decode of element type " + t.String())
	}
}

// Encode rounds src to t (F32, F16 or BF16) and stores it little-endian in dst, whose
// length must be the storage of len(src) elements.
func Encode(t Type, dst []byte, src []float32) {
	if int64(len(dst)) != t.Bytes(int64(len(src))) {
		panic("BUG: encode into a slice whose length is not that of its elements")
	}
	switch t {
	case F32:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(v))
		}
	case BF16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], F32ToBF16(v))
		}
	default:
		panic("BUG: encode to element type " + t.String())
	}
}
