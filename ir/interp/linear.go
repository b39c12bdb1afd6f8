package interp

import (
	"fmt"
	"math"

	"moge/ir/tensor"
)

// dots gives x[K] · w[N,K]ᵀ: each sum in f64 with k ascending (a product of two f32 is
// exact there), rounded once to f32. Four rows go together; the sums do not mix.
func dots(dst, x, w []float32) {
	n := 0
	for ; n+4 <= len(dst); n += 4 {
		w0, w1 := rowOf(w, n, len(x)), rowOf(w, n+1, len(x))
		w2, w3 := rowOf(w, n+2, len(x)), rowOf(w, n+3, len(x))
		var s0, s1, s2, s3 float64
		for k, v := range x {
			s0 += float64(v) * float64(w0[k])
			s1 += float64(v) * float64(w1[k])
			s2 += float64(v) * float64(w2[k])
			s3 += float64(v) * float64(w3[k])
		}
		dst[n], dst[n+1], dst[n+2], dst[n+3] = float32(s0), float32(s1), float32(s2), float32(s3)
	}
	for ; n < len(dst); n++ {
		dst[n] = float32(dot(x, rowOf(w, n, len(x))))
	}
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

func rowOf[E any](x []E, r, width int) []E { return x[r*width : (r+1)*width] }

// linear: y = x·wᵀ rounded to f32, then + bias rounded.
func linear(c *call) error {
	x, w, y := c.args[0], c.args[1], c.out[0]
	k, n := x.Last(), y.Last()
	for r := range int(x.Shape[0]) {
		row := rowOf(y.F32, r, n)
		dots(row, rowOf(x.F32, r, k), w.F32)
		for i := range row {
			if len(c.args) == 3 {
				row[i] += c.args[2].F32[i]
			}
		}
	}
	return nil
}

// owners gives the expert of each of rows rows, from the offsets of a grouped op.
func owners(offsets []int32, rows int) ([]int, error) {
	last := len(offsets) - 1
	if offsets[0] != 0 || int(offsets[last]) != rows {
		return nil, fmt.Errorf("the offsets go from %d to %d over %d rows", offsets[0],
			offsets[last], rows)
	}
	var owner []int
	for e := range last {
		if offsets[e+1] < offsets[e] || int(offsets[e+1]) > rows {
			return nil, fmt.Errorf("the offsets of expert %d are %d and %d of %d rows",
				e, offsets[e], offsets[e+1], rows)
		}
		for range offsets[e+1] - offsets[e] {
			owner = append(owner, e)
		}
	}
	return owner, nil
}

// expertWeight gives the matrix [N,K] of expert e: a weight of its own, or its part of
// the stacked one.
func expertWeight(weights []*tensor.Tensor, e int) (w *tensor.Tensor, from, size int) {
	if stacked := weights[0]; len(stacked.Shape) == 3 {
		size = int(stacked.Shape[1] * stacked.Shape[2])
		return stacked, e * size, size
	}
	return weights[e], 0, weights[e].Len()
}

func groupedLinear(c *call) error {
	x, y := c.args[0], c.out[0]
	owner, err := owners(c.args[1].I32, int(x.Shape[0]))
	if err != nil {
		return err
	}
	for r, e := range owner {
		w, from, size := expertWeight(c.args[2:], e)
		dots(rowOf(y.F32, r, y.Last()), rowOf(x.F32, r, x.Last()), w.F32[from:from+size])
	}
	return nil
}

// dotsI8 gives x[K] · w[N,K]ᵀ exactly.
func dotsI8(dst []int32, x, w []int8) error {
	for n := range dst {
		sum := int64(0)
		for k, v := range rowOf(w, n, len(x)) {
			sum += int64(x[k]) * int64(v)
		}
		if sum < math.MinInt32 || sum > math.MaxInt32 {
			return fmt.Errorf("the sum %d of column %d leaves i32", sum, n)
		}
		dst[n] = int32(sum)
	}
	return nil
}

func dotI8(c *call) error {
	x, w, y := c.args[0], c.args[1], c.out[0]
	for r := range int(x.Shape[0]) {
		if err := dotsI8(rowOf(y.I32, r, y.Last()), rowOf(x.I8, r, x.Last()), w.I8); err != nil {
			return err
		}
	}
	return nil
}

func groupedDotI8(c *call) error {
	x, y := c.args[0], c.out[0]
	owner, err := owners(c.args[1].I32, int(x.Shape[0]))
	if err != nil {
		return err
	}
	for r, e := range owner {
		w, from, size := expertWeight(c.args[2:], e)
		err := dotsI8(rowOf(y.I32, r, y.Last()), rowOf(x.I8, r, x.Last()), w.I8[from:from+size])
		if err != nil {
			return err
		}
	}
	return nil
}

// spreadRows: y[r] = table[e] for each row r that expert e owns.
func spreadRows(c *call) error {
	table, y := c.args[0], c.out[0]
	owner, err := owners(c.args[1].I32, int(y.Shape[0]))
	if err != nil {
		return err
	}
	for r, e := range owner {
		copy(rowOf(y.F32, r, y.Last()), rowOf(table.F32, e, y.Last()))
	}
	return nil
}
