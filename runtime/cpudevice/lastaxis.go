package cpudevice

import (
	"moge/ir/shape"
	"moge/runtime/kernels"
)

// bindSoftmax: exp(x - max) over their sum, row by row.
func bindSoftmax(b *binder) func(*machine) error {
	x, y := arg[float32](b, 0, anyRank), result[float32](b, 0, anyRank)
	wantRows(b, &x)
	b.wantShape("result 0", y.shape, x.shape)
	return func(m *machine) error {
		return m.each(x.count(m), 16*x.width, func(r int) {
			copy(y.row(r), x.row(r))
			kernels.Softmax(y.row(r))
		})
	}
}

// bindMaxLast: the maximum of each row.
func bindMaxLast(b *binder) func(*machine) error {
	y := result[float32](b, 0, anyRank)
	return rowsTo(b, y.shape, func(r int, row []float32) { y.data[r] = row[argMax(row)] })
}

// bindArgMaxLast: the index of the maximum of each row, the lowest on ties.
func bindArgMaxLast(b *binder) func(*machine) error {
	y := result[int32](b, 0, anyRank)
	return rowsTo(b, y.shape, func(r int, row []float32) { y.data[r] = int32(argMax(row)) })
}

// rowsTo calls fn for each row of the argument; the result has one element a row.
func rowsTo(b *binder, got shape.Shape, fn func(r int, row []float32)) func(*machine) error {
	x := arg[float32](b, 0, anyRank)
	wantRows(b, &x)
	b.wantShape("result 0", got, x.shape[:len(x.shape)-1])
	return func(m *machine) error {
		return m.each(x.count(m), x.width, func(r int) { fn(r, x.row(r)) })
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

// bindSumLast: the sum of each row, in f64 ascending, rounded once.
func bindSumLast(b *binder) func(*machine) error {
	x, y := arg[float32](b, 0, anyRank), result[float32](b, 0, anyRank)
	wantRows(b, &x)
	b.wantShape("result 0", y.shape, withAxis(x.shape, len(x.shape)-1, 1))
	return func(m *machine) error {
		return m.each(x.count(m), x.width, func(r int) {
			sum := 0.0
			for _, v := range x.row(r) {
				sum += float64(v)
			}
			y.data[r] = float32(sum)
		})
	}
}

// bindTopK: the k largest of each row, descending, the lowest index first on ties.
func bindTopK(b *binder) func(*machine) error {
	x := arg[float32](b, 0, anyRank)
	values, ids := result[float32](b, 0, anyRank), result[int32](b, 1, anyRank)
	wantRows(b, &x)
	k := b.int("k", 1, max(1, int64(x.width)))
	want := withAxis(x.shape, len(x.shape)-1, k)
	b.wantShape("result 0", values.shape, want)
	b.wantShape("result 1", ids.shape, want)
	return func(m *machine) error {
		return m.each(x.count(m), x.width*int(k), func(r int) {
			topK(values.row(r), ids.row(r), x.row(r))
		})
	}
}

// topK inserts each element behind those that are not smaller.
func topK(values []float32, ids []int32, row []float32) {
	n := 0
	for i, v := range row {
		if n == len(values) && !larger(v, values[n-1]) {
			continue
		}
		n = min(n+1, len(values))
		at := n - 1
		for ; at > 0 && larger(v, values[at-1]); at-- {
			values[at], ids[at] = values[at-1], ids[at-1]
		}
		values[at], ids[at] = v, int32(i)
	}
}
