package interp

import (
	"fmt"

	"moge/ir/dtype"
	"moge/ir/exact"
)

// spread lists, for every element of a result of shape out, the element it reads of an
// argument of shape in, whose dimensions of one repeat.
func spread(in, out []int64) []int {
	at := []int{0}
	for d := range out {
		_, stride := around(in, d)
		if in[d] == 1 {
			stride = 0
		}
		next := make([]int, 0, len(at)*int(out[d]))
		for _, base := range at {
			for i := range int(out[d]) {
				next = append(next, base+i*stride)
			}
		}
		at = next
	}
	return at
}

// pairwise applies f or g to the elements that broadcasting brings together.
func pairwise(c *call, f func(a, b float32) float32, g func(a, b int32) int32) {
	a, b, y := c.args[0], c.args[1], c.out[0]
	atA, atB := spread(a.Shape, y.Shape), spread(b.Shape, y.Shape)
	for i := range y.Len() {
		if y.DType == dtype.F32 {
			y.F32[i] = f(a.F32[atA[i]], b.F32[atB[i]])
		} else {
			y.I32[i] = g(a.I32[atA[i]], b.I32[atB[i]])
		}
	}
}

func add(c *call) error {
	pairwise(c, func(a, b float32) float32 { return a + b },
		func(a, b int32) int32 { return a + b })
	return nil
}

func sub(c *call) error {
	pairwise(c, func(a, b float32) float32 { return a - b },
		func(a, b int32) int32 { return a - b })
	return nil
}

func mul(c *call) error {
	pairwise(c, func(a, b float32) float32 { return a * b },
		func(a, b int32) int32 { return a * b })
	return nil
}

func div(c *call) error {
	for i, v := range c.args[1].I32 {
		if v == 0 {
			return fmt.Errorf("element %d of the divisor is 0", i)
		}
	}
	pairwise(c, func(a, b float32) float32 { return a / b },
		func(a, b int32) int32 { return a / b })
	return nil
}

// silu: x / (1 + exp(-x)) in f64, rounded once.
func silu(c *call) error {
	for i, v := range c.args[0].F32 {
		x := float64(v)
		c.out[0].F32[i] = float32(x / (1 + exact.Exp(-x)))
	}
	return nil
}
