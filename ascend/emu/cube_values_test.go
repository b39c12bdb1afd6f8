package emu

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

func smallHalves(r *rand.Rand, x, z data) {
	for i := range 4096 {
		x.setU16(i, nearestHalf(float64(r.IntN(17)-8)))
		z.setU16(i, nearestHalf(float64(r.IntN(17)-8)))
	}
}

// scaleWords makes z a table of 32 scale words (float bits low, bit 46 high) and x a row of int32.
func scaleWords(r *rand.Rand, x, z data) {
	clear(z)
	for i := range 2048 {
		x.setInt32(i, int32(r.IntN(200001)-100000))
	}
	for i := range 32 {
		word := uint64(math.Float32bits(float32(r.Float64()))) | 1<<46
		binary.LittleEndian.PutUint64(z[8*i:], word)
	}
}

// product is the int32 sum over k of A's row and B's column, both stored row by row in nz layout.
func product(x, z data, m, n, k, rowsA, rowsB int) int32 {
	s := int32(0)
	for j := range k {
		s += int32(x.int8(nz(m, j, rowsA, 32))) * int32(z.int8(nz(n, j, rowsB, 32)))
	}
	return s
}

var cubeValues = []value{
	{name: "v_mmad_int8", input: anyBytes, want: func(_ chipMath, x, z, y data) {
		for m := range 32 {
			for n := range 48 {
				y.setInt32(nz(m, n, 32, 16), 2*product(x, z, m, n, 64, 32, 48))
			}
		}
	}},
	{name: "v_mmad_half", input: smallHalves, want: func(_ chipMath, x, z, y data) {
		for m := range 16 {
			for n := range 32 {
				s := 0.0
				for k := range 32 {
					s += x.half(nz(m, k, 16, 16)) * z.half(nz(k, n, 32, 16))
				}
				y.setFloat(nz(m, n, 16, 16), float32(s))
			}
		}
	}},
	{name: "v_vdeq16", input: scaleWords, want: func(c chipMath, x, z, y data) {
		for i := range 512 {
			col := i/256*16 + i%16
			scale := z.float(2 * col)
			y.setU16(i, c.half(float64(float32(x.int32(col))*scale)))
		}
	}},
	{name: "v_deq16", input: scaleWords, want: func(c chipMath, x, _, y data) {
		for i := range 512 {
			y.setU16(i, c.half(float64(x.int32(i/256*16+i%16))*0.5))
		}
	}},
	{name: "v_scatter", input: func(r *rand.Rand, x, z data) {
		halves(3)(r, x, z)
		for i, at := range r.Perm(100) {
			z.setInt32(i, int32(2*at))
		}
	}, want: func(_ chipMath, x, z, y data) {
		for i := range 100 {
			y.setU16(int(z.int32(i)+8)/2, x.u16(i))
		}
	}},
	{name: "v_initconst", input: smallHalves, want: func(c chipMath, x, _, y data) {
		for i := range 256 {
			s := 0.0
			for k := range 16 {
				s += 3 * x.half(i/16*16+k)
			}
			y.setU16(i, c.half(s))
		}
	}},
	{name: "v_scatter_to_l1", input: anyBytes, want: func(_ chipMath, x, z, y data) {
		scattered(x,
			z, y, 16)
	}},
	{name: "v_padding_enters_mmad", input: anyBytes, want: func(_ chipMath, x, z,
		y data) {
		scattered(x, z, y, 2)
	}},
}

var splitValues = []value{
	{name: "v_a2_pad", input: halves(3), want: func(c chipMath, x, _, y data) {
		for b := range 3 { // 2 left, 10 copied, 4 right, then 36 bytes of y untouched
			for i := range 16 {
				v := c.half(5)
				if i >= 2 && i < 12 {
					v = x.u16(b*16 + i - 2)
				}
				y.setU16(b*18+i, v)
			}
		}
		ones(y, 16, 2)
		ones(y, 34, 2)
		ones(y, 52, 4096-52)
	}},
	{name: "v_a2_cast_bf16", input: floats(1e9), want: func(_ chipMath, x, _, y data) {
		ones(y, 0, 4096)
		for i := range 2048 {
			bits := math.Float32bits(x.float(i))
			low := bits & 0xffff
			if low > 0x8000 || low == 0x8000 && bits>>16&1 == 1 {
				bits += 0x10000
			}
			y.setU16(i, uint16(bits>>16))
		}
	}},
	{name: "v_a2_cast_half_modes", input: floats(900), want: func(_ chipMath, x, _, y data) {
		ones(y, 0, 4096)
		for i := range 1024 {
			y.setU16(i, halfToward(float64(x.float(i)), func(h, v float64) bool { return h <= v }))
			y.setU16(1024+i, halfToward(float64(x.float(i)), func(h, v float64) bool { return h >= v }))
		}
	}},
	{name: "v_a2_shift", input: anyBytes, want: func(_ chipMath, x, _, y data) {
		for i := range 1024 {
			y.setInt32(i, x.int32(i)>>3)
			y.setInt32(1024+i, x.int32(i)<<2)
		}
	}},
	{name: "v_a2_copy", input: halves(3), want: func(_ chipMath, x, _, y data) {
		ones(y, 0, 4096)
		for r := range 4 {
			copy(y[r*256:][:256], x[r*512:])
		}
	}},
	{name: "v_a2_bias", input: func(r *rand.Rand, x, z data) {
		smallHalves(r, x, z)
		for n := range 16 {
			z.setFloat(128+n, float32(r.IntN(2000)-1000))
		}
	}, want: func(_ chipMath, x, z, y data) {
		ones(y, 0, 4096)
		for m := range 16 {
			for n := range 16 {
				s := float64(z.float(128 + n))
				for k := range 16 {
					s += x.half(m*16+k) * z.half(n*16+k)
				}
				y.setFloat(m*16+n, float32(math.Max(s, 0)))
			}
		}
	}},
	{name: "v_a2_load_transpose", input: anyBytes, want: func(_ chipMath, x, z, y data) {
		ones(y, 0, 4096)
		for m := range 16 {
			for n := range 32 {
				s := int32(0)
				for k := range 32 {
					s += int32(x.int8(m*32+k)) * int32(z.int8(nz(k, n, 32, 32)))
				}
				y.setInt32(m*32+n, s)
			}
		}
	}},
	{name: "v_a2_nd2nz", input: smallHalves, want: func(_ chipMath, x, z, y data) {
		ones(y, 0, 4096)
		for m := range 16 {
			for n := range 16 {
				s := 0.0
				for k := range 32 {
					s += x.half(m*32+k) * z.half(nz(n, k, 16, 16))
				}
				y.setFloat(m*16+n, float32(s))
			}
		}
	}},
	{name: "v_a2_fixpipe_scales", input: func(r *rand.Rand, x, z data) {
		anyBytes(r, x, z)
		for n := range 16 {
			binary.LittleEndian.PutUint64(z[4096+8*n:], uint64(math.Float32bits(float32(r.Float64()))))
		}
	}, want: func(c chipMath, x, z, y data) {
		ones(y, 0, 4096)
		for m := range 16 {
			for n := range 16 {
				scale := math.Float32frombits(binary.LittleEndian.Uint32(z[4096+8*n:]) &^ 0x1fff)
				v := float32(product(x, z, m, n, 32, 16, 16)) * scale
				y.setU16(m*32+n, c.half(float64(v)))
			}
		}
	}},
}

// halfToward is the half nearest to v among those on the side that ok names.
func halfToward(v float64, ok func(h, v float64) bool) uint16 {
	best, found := uint16(0), false
	at := nearestHalf(v)
	for _, h := range []uint16{at - 1, at, at + 1} {
		if ok(halfValue(h), v) && (!found || math.Abs(halfValue(h)-v) < math.Abs(halfValue(best)-v)) {
			best, found = h, true
		}
	}
	return best
}

// scattered is the product of rows of 64 int8 (row-major) with B in nz layout.
func scattered(x, z, y data, rows int) {
	for m := range rows {
		for n := range 16 {
			s := int32(0)
			for k := range 64 {
				s += int32(x.int8(m*64+k)) * int32(z.int8(nz(n, k, 16, 32)))
			}
			y.setInt32(m*16+n, s)
		}
	}
}
