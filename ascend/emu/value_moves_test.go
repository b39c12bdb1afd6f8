package emu

import (
	"math"
	"math/rand/v2"
)

// casts are the conversions.
var casts = []value{
	{name: "v_cast_half_int8", input: halves(200), want: castInt8(math.RoundToEven)},
	{name: "v_cast_half_int8", input: specials, want: castInt8(math.RoundToEven)},
	{name: "v_cast_half_int8_trunc", input: halves(200), want: castInt8(math.Trunc)},
	{name: "v_cast_half_int8_floor", input: halves(200), want: castInt8(math.Floor)},
	{name: "v_cast_half_int8_ceil", input: halves(200), want: castInt8(math.Ceil)},
	{name: "v_cast_half_int8_round", input: halves(200), want: castInt8(math.Round)},
	{name: "v_cast_int8_half", input: anyBytes, want: func(c chipMath, x, _, y data) {
		for i := range 4096 {
			y.setU16(i, c.half(float64(x.int8(i))))
		}
	}},
	{name: "v_cast_float_half", input: floats(1e5), want: func(c chipMath, x, _, y data) {
		for i := range 2048 {
			y.setU16(i, c.half(float64(x.float(i))))
		}
	}},
	{name: "v_cast_float_half", input: floats(1e-5), want: func(c chipMath, x, _, y data) {
		for i := range 2048 {
			y.setU16(i, c.half(float64(x.float(i))))
		}
	}},
	{name: "v_cast_float_half_odd", input: floats(50), want: oddCast},
	{name: "v_cast_float_half_odd", input: floats(1e-5), want: oddCast},
	{name: "v_cast_float_int32", input: floats(3e9), want: func(_ chipMath, x, _, y data) {
		for i := range 2048 {
			v := math.RoundToEven(float64(x.float(i)))
			y.setInt32(i, int32(math.Max(math.MinInt32, math.Min(math.MaxInt32, v))))
		}
	}},
	{name: "v_cast_int32_float", input: ints(1 << 30), want: func(_ chipMath, x, _, y data) {
		for i := range 2048 {
			y.setFloat(i, float32(x.int32(i)))
		}
	}},
	{name: "v_cast_int32_half", input: ints(300000), want: func(c chipMath, x, _, y data) {
		for i := range 2048 {
			y.setU16(i, c.half(float64(float32(x.int32(i))*0.25)))
		}
	}},
	{name: "v_cast_half_float_mask", input: halves(9), want: func(_ chipMath, x, _, y data) {
		for r := range 2 {
			for i := range 40 {
				y.setFloat(r*64+i, float32(x.half(r*64+i)))
			}
		}
	}},
	{name: "v_quantize_chain", input: floats(200), want: func(_ chipMath, x, _, y data) {
		for i := range 2048 {
			y[i] = byte(int8(math.Max(-128, math.Min(127, math.RoundToEven(float64(x.float(i)))))))
		}
	}},
}

// reductions hold the order of additions and the tie rule.
var reductions = []value{
	{name: "v_reducesum", input: halves(3), want: func(c chipMath, x, _, y data) {
		y.setU16(0, c.half(c.reduceSum(halvesOf(x, 0, 1000), 128, c.roundHalf)))
	}},
	{name: "v_reducesum_float", input: floats(3), want: func(c chipMath, x, _, y data) {
		v := make([]float64, 2000)
		for i := range v {
			v[i] = float64(x.float(i))
		}
		y.setFloat(0, float32(c.reduceSum(v, 64, roundFloat)))
	}},
	{name: "v_reducemax_index", input: halves(3), want: func(_ chipMath, x, _, y data) {
		v, at := firstMax(halvesOf(x, 0, 1000))
		y.setU16(0, nearestHalf(v))
		y.setU16(1, uint16(at))
	}},
	{name: "v_reducemax_index", input: func(r *rand.Rand, x, z data) { // ties: the lowest index wins
		halves(1)(r, x, z)
		for _, i := range []int{999, 701, 129, 130, 800} {
			x.setU16(i, nearestHalf(2))
		}
	}, want: func(_ chipMath, _, _, y data) {
		y.setU16(0, nearestHalf(2))
		y.setU16(1, 129)
	}},
	{name: "v_reducemin", input: halves(3), want: func(_ chipMath, x, _, y data) {
		v := halvesOf(x, 0, 1000)
		for i := range v {
			v[i] = -v[i]
		}
		m, _ := firstMax(v)
		y.setU16(0, nearestHalf(-m))
	}},
	{name: "v_wholereducesum", input: halves(3), want: func(c chipMath, x, _, y data) {
		for r := range 3 {
			y.setU16(r, c.half(pairTree(padded(halvesOf(x, r*128, 100), 128), c.roundHalf)))
		}
	}},
	{name: "v_wholereducemax", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for r := range 3 {
			v, at := firstMax(halvesOf(x, r*128, 100))
			y.setU16(2*r, nearestHalf(v))
			y.setU16(2*r+1, uint16(at))
		}
	}},
	{name: "v_wholereducemax_swapped", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for r := range 3 {
			v, at := firstMax(halvesOf(x, r*128, 100))
			y.setU16(2*r, uint16(at))
			y.setU16(2*r+1, nearestHalf(v))
		}
	}},
	{name: "v_blockreducemax", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for b := range 16 {
			v, _ := firstMax(halvesOf(x, b*16, 16))
			y.setU16(b, nearestHalf(v))
		}
	}},
	{name: "v_blockreducesum", input: halves(3), want: func(c chipMath, x, _, y data) {
		for b := range 16 {
			y.setU16(b, c.half(pairTree(halvesOf(x, b*16, 16), c.roundHalf)))
		}
	}},
	{name: "v_pairreducesum", input: halves(3), want: func(c chipMath, x, _, y data) {
		for i := range 128 {
			y.setU16(i, c.half(x.half(2*i)+x.half(2*i+1)))
		}
	}},
}

// moves are copies, atomics, the scalar unit, queues, and what is left.
var moves = []value{
	{name: "v_copy_strided", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for b := range 3 {
			copy(y[b*4*32:][:64], x[b*3*32:])
		}
	}},
	{name: "v_copy_ub", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for b := range 4 {
			copy(y[b*32:][:32], x[b*3*32:])
		}
	}},
	{name: "v_atomic", input: halves(3), want: func(c chipMath, x, _, y data) {
		for i := range 4096 { // y starts as ones
			y.setU16(i, c.half(1+x.half(i)))
		}
	}},
	{name: "v_atomic_float", input: floats(3), want: func(_ chipMath, x, z, y data) {
		for i := range 2048 { // y starts as halves of one: 0x3c003c00
			y.setFloat(i, math.Float32frombits(0x3c003c00)+x.float(i)+z.float(i))
		}
	}},
	{name: "v_scalar", input: halves(3), want: func(c chipMath, x, _, y data) {
		y.setU16(1, c.half(x.half(3)+x.half(4)))
		y.setU16(2, c.half(7))
	}},
	{name: "v_fusedmuladd", input: halves(9), want: each2(func(a,
		b float64) float64 {
		return roundFloat(a*b + b)
	})},
	{name: "v_addrelu", input: halves(9), want: each2(func(a,
		b float64) float64 {
		return math.Max(a+b, 0)
	})},
	{name: "v_leakyrelu", input: halves(9), want: each1(func(a float64) float64 {
		return math.Max(a,
			a/4)
	})},
	{name: "v_reducesum_mask", input: halves(3), want: func(c chipMath, x, _, y data) {
		sums := make([]float64, 128)
		for r := range 6 {
			sums[r] = pairTree(padded(halvesOf(x, r*128, 100), 128), c.roundHalf)
		}
		y.setU16(0, c.half(pairTree(sums, c.roundHalf)))
	}},
	{name: "v_reducemax_mask", input: halves(3), want: func(_ chipMath, x, _, y data) {
		best, at := math.Inf(-1), 0
		for i := range 6 * 128 {
			lane := i % 128
			on := lane < 64 && lane%2 == 0 || lane == 64
			if on && x.half(i) > best {
				best, at = x.half(i), i
			}
		}
		y.setU16(0, nearestHalf(best))
		y.setU16(1, uint16(at))
	}},
	{name: "v_wholereducemin", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for r := range 3 {
			v, at := firstMin(halvesOf(x, r*128, 64))
			y.setU16(4*r, nearestHalf(v))
			y.setU16(4*r+1, uint16(at))
		}
	}},
	{name: "v_blockreducemin", input: halves(3), want: func(_ chipMath, x, _, y data) {
		for b := range 16 {
			v, _ := firstMin(halvesOf(x, b*16, 16))
			y.setU16(b, nearestHalf(v))
		}
	}},
	{name: "v_select_repeats", input: smallHalves, want: func(_ chipMath, x, z, y data) {
		for i := range 384 {
			y.setU16(i, z.u16(i))
			if x.half(i%128) != 0 {
				y.setU16(i, x.u16(i))
			}
		}
	}},
	{name: "v_muladddst_float", input: halves(9), want: func(_ chipMath, x, z, y data) {
		for i := range 2048 {
			y.setFloat(i, float32(x.half(i)*z.half(i)))
		}
	}},
	{name: "v_transdata_bytes", input: anyBytes, want: func(_ chipMath, x, _, y data) {
		for i := range 16 {
			for j := range 16 {
				y[i*32+16+j] = x[j*32+i]
			}
		}
	}},
	{name: "v_transdata_words", input: floats(9), want: func(_ chipMath, x, _, y data) {
		for i := range 8 {
			for j := range 16 {
				y.setFloat((2*i+j/8)*8+j%8, x.float(j*8+i))
			}
		}
	}},
	{name: "v_queues", input: halves(3), want: func(c chipMath, x, _, y data) {
		for i := range 2048 {
			y.setU16(i, c.half(2*x.half(i)))
		}
	}},
}
