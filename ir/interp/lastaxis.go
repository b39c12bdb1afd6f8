package interp

import (
	"fmt"
	"sort"

	"moge/ir/exact"
)

// each calls f for every row along the last axis of the argument.
func (c *call) each(f func(r int, row []float32)) {
	x := c.args[0]
	if width := x.Last(); width > 0 {
		for r := range x.Len() / width {
			f(r, x.F32[r*width:(r+1)*width])
		}
	}
}

func softmax(c *call) error {
	width := c.args[0].Last()
	c.each(func(r int, row []float32) { softmaxRow(c.out[0].F32[r*width:(r+1)*width], row) })
	return nil
}

// softmaxRow: e = exp(x - max), each rounded to f32; their sum in f64, rounded to f32;
// then e / sum in f32.
func softmaxRow(dst, x []float32) {
	top := x[argMax(x)]
	sum := 0.0
	for i, v := range x {
		dst[i] = float32(exact.Exp(float64(v - top)))
		sum += float64(dst[i])
	}
	total := float32(sum)
	for i := range dst {
		dst[i] /= total
	}
}

// larger orders numbers, NaN above all of them.
func larger(a, b float32) bool { return a > b || a != a && b == b }

// argMax is the lowest index of the largest element.
func argMax(x []float32) int {
	best := 0
	for i, v := range x {
		if larger(v, x[best]) {
			best = i
		}
	}
	return best
}

// nonEmpty refuses rows that have no maximum.
func (c *call) nonEmpty() error {
	if c.args[0].Last() == 0 && c.out[0].Len() > 0 {
		return fmt.Errorf("the last dimension of %v is empty", c.args[0])
	}
	return nil
}

func maxLast(c *call) error {
	c.each(func(r int, row []float32) { c.out[0].F32[r] = row[argMax(row)] })
	return c.nonEmpty()
}

func argMaxLast(c *call) error {
	c.each(func(r int, row []float32) { c.out[0].I32[r] = int32(argMax(row)) })
	return c.nonEmpty()
}

// sumLast adds in f64, ascending, and rounds once.
func sumLast(c *call) error {
	c.each(func(r int, row []float32) {
		sum := 0.0
		for _, v := range row {
			sum += float64(v)
		}
		c.out[0].F32[r] = float32(sum)
	})
	return nil
}

func topK(c *call) error {
	k := int(c.n.Int("k"))
	c.each(func(r int, row []float32) {
		order := make([]int, len(row))
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(i, j int) bool { return larger(row[order[i]], row[order[j]]) })
		for j, i := range order[:k] {
			c.out[0].F32[r*k+j] = row[i]
			c.out[1].I32[r*k+j] = int32(i)
		}
	})
	return nil
}
