package interp

import (
	"fmt"
	"math"

	"moge/ir/exact"
	"moge/ir/tensor"
)

// rmsNorm: r = 1/sqrt(mean(x²) + eps) in f64; x·r rounded to f32; then · w rounded. With
// attribute round both are rounded on to that type.
func rmsNorm(c *call) error {
	w, eps := c.args[1].F32, float64(c.n.Float("eps"))
	round := func(v float32) float32 { return v }
	if a, ok := c.n.Attr("round"); ok {
		round = func(v float32) float32 { return tensor.Round(a.DType, v) }
	}
	c.each(func(r int, x []float32) {
		scale := 1 / math.Sqrt(dot(x, x)/float64(len(x))+eps)
		y := rowOf(c.out[0].F32, r, len(x))
		for i, v := range x {
			y[i] = round(round(float32(float64(v)*scale)) * w[i])
		}
	})
	return nil
}

// ropeTable: f = theta^(-2i/dim) in f64, rounded to f32; angle = pos·f in f32; cosine and
// sine of that angle in f64, rounded.
func ropeTable(c *call) error {
	dim, theta := float64(c.n.Int("dim")), float64(c.n.Float("theta"))
	half := c.out[0].Last()
	frequency := make([]float32, half)
	for i := range frequency {
		frequency[i] = float32(exact.Pow(theta, -2*float64(i)/dim))
	}
	for t, p := range c.args[0].I32 {
		if p < 0 {
			return fmt.Errorf("token %d is at position %d", t, p)
		}
		for i, f := range frequency {
			angle := float64(float32(float32(p) * f))
			c.out[0].F32[t*half+i] = float32(exact.Cos(angle))
			c.out[1].F32[t*half+i] = float32(exact.Sin(angle))
		}
	}
	return nil
}
