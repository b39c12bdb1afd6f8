package interp

import (
	"moge/ir/dtype"
	"moge/ir/tensor"
)

// countUp: y[i] = i·step.
func countUp(c *call) error {
	step := int32(c.n.Int("step"))
	for i := range c.out[0].I32 {
		c.out[0].I32[i] = int32(i) * step
	}
	return nil
}

func reshape(c *call) error {
	c.out[0].Copy(0, c.args[0], 0, c.args[0].Len())
	return nil
}

// around splits the dimensions at an axis: how many blocks lie outside it, and how many
// elements one index of it spans.
func around(shape []int64, axis int) (outer, inner int) {
	outer, inner = 1, 1
	for i, d := range shape {
		switch {
		case i < axis:
			outer *= int(d)
		case i > axis:
			inner *= int(d)
		}
	}
	return outer, inner
}

func slice(c *call) error {
	x, axis := c.args[0], int(c.n.Int("axis"))
	lo, hi := int(c.n.Int("lo")), int(c.n.Int("hi"))
	outer, inner := around(x.Shape, axis)
	size, n := int(x.Shape[axis])*inner, (hi-lo)*inner
	for o := range outer {
		c.out[0].Copy(o*n, x, o*size+lo*inner, n)
	}
	return nil
}

func concat(c *call) error {
	y, axis := c.out[0], int(c.n.Int("axis"))
	outer, inner := around(y.Shape, axis)
	size, at := int(y.Shape[axis])*inner, 0
	for _, x := range c.args {
		n := int(x.Shape[axis]) * inner
		for o := range outer {
			y.Copy(o*size+at, x, o*n, n)
		}
		at += n
	}
	return nil
}

func stack(c *call) error {
	for i, x := range c.args {
		c.out[0].Copy(i*x.Len(), x, 0, x.Len())
	}
	return nil
}

func cast(c *call) error {
	x, y := c.args[0], c.out[0]
	for i := range y.F32 {
		switch x.DType {
		case dtype.I32:
			y.F32[i] = float32(x.I32[i])
		case dtype.I8:
			y.F32[i] = float32(x.I8[i])
		default:
			y.F32[i] = tensor.Round(y.DType, x.F32[i])
		}
	}
	return nil
}

func observe(c *call) error {
	copy(c.out[0].F32, c.args[0].F32)
	return nil
}
