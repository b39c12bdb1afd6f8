package emu

import (
	"math"
	"math/rand/v2"
	"slices"
)

// values are the cases of TestValues on both chips.
var values = slices.Concat(lanes, casts, reductions, moves)

// lanes are element-wise instructions, masks and strides, gathers and comparisons.
var lanes = []value{
	{name: "v_add", input: halves(100), want: each2(add)},
	{name: "v_add", input: halves(60000), want: each2(add)},
	{name: "v_sub", input: halves(10), want: each2(func(a, b float64) float64 { return a - b })},
	{name: "v_mul", input: halves(300), want: each2(func(a, b float64) float64 { return a * b })},
	{name: "v_div", input: halves(5), want: each2(func(a, b float64) float64 { return a / b })},
	{name: "v_mul", input: specials, want: each2(func(a, b float64) float64 { return a * b })},
	{name: "v_div", input: specials, want: each2(func(a, b float64) float64 { return a / b })},
	{name: "v_max", input: halves(5), want: each2(math.Max)},
	{name: "v_min", input: halves(5), want: each2(math.Min)},
	{name: "v_adds", input: halves(5), want: each1(func(a float64) float64 { return a + 3 })},
	{name: "v_muls", input: halves(5), want: each1(func(a float64) float64 { return a * -2.5 })},
	{name: "v_maxs", input: halves(5), want: each1(func(a float64) float64 {
		return math.Max(a,
			0.5)
	})},
	{name: "v_mins", input: halves(5), want: each1(func(a float64) float64 {
		return math.Min(a,
			0.5)
	})},
	{name: "v_exp", input: halves(12),
		want: each1(func(a float64) float64 { return roundFloat(math.Exp(a)) })},
	{name: "v_ln", input: halves(9),
		want: each1(func(a float64) float64 { return roundFloat(math.Log(math.Abs(a))) })},
	{name: "v_sqrt", input: halves(9),
		want: each1(func(a float64) float64 { return math.Sqrt(math.Abs(a)) })},
	{name: "v_abs", input: halves(9), want: each1(math.Abs)},
	{name: "v_relu", input: halves(9), want: each1(func(a float64) float64 { return math.Max(a, 0) })},
	{name: "v_axpy", input: halves(9), want: each2(func(a, b float64) float64 { return a*2 + b })},
	{name: "v_muladddst", input: halves(9), want: each2(func(a,
		b float64) float64 {
		return roundFloat(a*b + 1)
	})},
	{name: "v_float_add", input: floats(1e3), want: func(_ chipMath, x, z, y data) {
		for i := range 2048 {
			y.setFloat(i, x.float(i)+z.float(i))
		}
	}},
	{name: "v_int_muls", input: ints(1 << 30), want: func(_ chipMath, x, _, y data) {
		for i := range 2048 {
			y.setInt32(i, x.int32(i)*-3)
		}
	}},
	{name: "v_and", input: anyBytes, want: func(_ chipMath, x, z, y data) {
		for i := range y {
			y[i] = x[i] & z[i]
		}
	}},
	{name: "v_not", input: anyBytes, want: func(_ chipMath, x, _, y data) {
		for i := range y {
			y[i] = ^x[i]
		}
	}},
	{name: "v_count_tail", input: halves(1), want: func(_ chipMath, _, _, y data) { ones(y, 0, 21) }},
	{name: "v_mask_lanes", input: halves(1), want: func(_ chipMath, _, _, y data) {
		for r := range 3 {
			ones(y, r*128, 5)
		}
	}},
	{name: "v_mask_bits", input: halves(1), want: func(_ chipMath, _, _, y data) {
		for r := range 2 {
			for _, lane := range []int{0, 63, 64, 66} {
				ones(y, r*128+lane, 1)
			}
		}
	}},
	{name: "v_mask_register", input: halves(1), want: func(c chipMath, x, _, y data) {
		for r := range 2 {
			for i := range 8 {
				y.setU16(r*128+i, c.half(x.half(r*128+i)+1))
			}
		}
	}},
	{name: "v_mask_counter", input: halves(1), want: func(c chipMath, x, _, y data) {
		for i := range 300 {
			y.setU16(i, c.half(x.half(i)+1))
		}
	}},
	{name: "v_strides", input: halves(1), want: func(_ chipMath, x, _, y data) {
		for r := range 3 {
			for b := range 2 {
				copy(y[32*(r*16+b*2):][:32], x[32*(r*4+b):])
			}
		}
	}},
	{name: "v_broadcast_block", input: halves(1), want: func(_ chipMath, x, _, y data) {
		for r := range 2 {
			for b := range 8 {
				copy(y[32*(r*8+b):][:32], x[32*r:])
			}
		}
	}},
	{name: "v_accumulate_repeat", input: halves(1), want: func(c chipMath, x, _, y data) {
		for i := range 128 {
			s := 0.0
			for r := range 4 {
				s = c.roundHalf(s + x.half(r*128+i))
			}
			y.setU16(i, c.half(s))
		}
	}},
	{name: "v_createindex", input: halves(1), want: func(c chipMath, _, _, y data) {
		for i := range 200 {
			y.setU16(i, c.half(float64(5+i)))
		}
	}},
	{name: "v_brcb", input: halves(1), want: func(_ chipMath, x, _, y data) {
		for i := range 256 {
			y.setU16(i, x.u16(i/16))
		}
	}},
	{name: "v_gather", input: func(r *rand.Rand, x, z data) {
		halves(1)(r, x, z)
		for i := range 2048 {
			z.setInt32(i, int32(r.IntN(4000))*2)
		}
	}, want: func(_ chipMath, x, z, y data) {
		for i := range 100 {
			y.setU16(i, x.u16(int(z.int32(i)+4)/2))
		}
	}},
	{name: "v_gathermask_even", input: halves(1), want: func(_ chipMath, x, _, y data) {
		for i := range 128 {
			y.setU16(i, x.u16(2*i))
		}
	}},
	{name: "v_gathermask_odd_count", input: halves(1), want: func(c chipMath, x, _, y data) {
		for i := range 35 {
			y.setU16(i, x.u16(2*i+1))
		}
		y.setU16(4000, c.half(35))
	}},
	{name: "v_gathermask_tensor", input: anyBytes, want: func(c chipMath, x, z, y data) {
		n := 0
		for i := range 256 {
			if z[i/128*32+i%128/8]>>(i%8)&1 == 1 {
				y.setU16(n, x.u16(i))
				n++
			}
		}
		y.setU16(4000, c.half(float64(n)))
	}},
	{name: "v_compare", input: halves(2), want: func(_ chipMath, x, z, y data) {
		bits(y, func(i int) bool { return x.half(i) > z.half(i) })
	}},
	{name: "v_comparescalar", input: halves(2), want: func(_ chipMath, x, _, y data) {
		bits(y, func(i int) bool { return x.half(i) <= 1 })
	}},
	{name: "v_select", input: halves(2), want: func(_ chipMath, x, z, y data) {
		for i := range 256 {
			y.setU16(i, nearestHalf(math.Min(x.half(i), z.half(i))))
		}
	}},
	{name: "v_select_scalar", input: halves(2), want: func(_ chipMath, x, _, y data) {
		for i := range 200 {
			y.setU16(i, nearestHalf(-9))
			if x.half(i) >= 0 {
				y.setU16(i, x.u16(i))
			}
		}
	}},
	{name: "v_transpose", input: halves(2), want: func(_ chipMath, x, _, y data) {
		for i := range 256 {
			y.setU16(i, x.u16(i%16*16+i/16))
		}
	}},
	{name: "v_transdata", input: halves(2), want: func(_ chipMath, x, _, y data) {
		for r := range 2 {
			for i := range 16 {
				for j := range 16 {
					y.setU16(i*32+r*16+j, x.u16(r*256+j*16+i))
				}
			}
		}
	}},
}
