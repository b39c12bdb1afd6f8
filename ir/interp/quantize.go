package interp

import "math"

// amax is the largest magnitude; NaN when there is one.
func amax(x []float32) float32 {
	top := float32(0)
	for _, v := range x {
		if v < 0 {
			v = -v
		}
		if larger(v, top) {
			top = v
		}
	}
	return top
}

// toI8 rounds to the nearest integer, ties to even, within ±127; NaN gives 0.
func toI8(v float32) int8 {
	if v != v {
		return 0
	}
	return int8(max(-127, min(127, math.RoundToEven(float64(v)))))
}

// quantizeBy: q = rne(x·inv) with inv = 127/top in f32, within ±127; the scale is top/127.
// When top is 0, or so small that inv is infinite, everything is 0.
func quantizeBy(q []int8, x []float32, top float32) (scale float32) {
	inv := 127 / top
	if math.IsInf(float64(inv), 0) {
		clear(q)
		return 0
	}
	for i, v := range x {
		q[i] = toI8(float32(v * inv))
	}
	return top / 127
}

func quantizeRow(q []int8, x []float32) (scale float32) { return quantizeBy(q, x, amax(x)) }

func quantize(c *call) error {
	width, blocks := c.args[0].Last(), int(max(1, c.n.Int("blocks")))
	c.each(func(r int, x []float32) {
		for b := range blocks {
			part := rowOf(rowOf(c.out[0].I8, r, width), b, width/blocks)
			c.out[1].F32[r*blocks+b] = quantizeRow(part, rowOf(x, b, width/blocks))
		}
	})
	return nil
}

func quantizeStatic(c *call) error {
	width, top := c.args[0].Last(), c.n.Float("amax")
	c.each(func(r int, x []float32) {
		c.out[1].F32[r] = quantizeBy(rowOf(c.out[0].I8, r, width), x, top)
	})
	return nil
}

// quantizeWeight: per row s = amax/127 in f32 and q = rne(w/s) within ±127; a scale below
// the smallest normal f32 counts as 0, and a row whose scale is 0 is 0.
func quantizeWeight(c *call) error {
	width := c.args[0].Last()
	c.each(func(r int, w []float32) {
		s := amax(w) / 127
		if s < 0x1p-126 {
			s = 0
		}
		c.out[1].F32[r] = s
		for i, q := 0, rowOf(c.out[0].I8, r, width); i < width && s != 0; i++ {
			q[i] = toI8(float32(w[i] / s))
		}
	})
	return nil
}
