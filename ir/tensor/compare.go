package tensor

import (
	"fmt"
	"math"
	"slices"
)

// Equal reports whether type, dimensions and the bits of all elements agree; zeros of
// different sign differ, any NaN equals any other.
func Equal(a, b *Tensor) bool { return Diff(a, b) == "" }

// Diff says where two tensors differ first, in the sense of Equal; empty when they do not.
func Diff(got, want *Tensor) string {
	if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	for i := range want.Len() {
		if got.bits(i) != want.bits(i) {
			return fmt.Sprintf("element %v is %v, want %v", want.index(i), got.Float(i),
				want.Float(i))
		}
	}
	return ""
}

// MaxAbsDiff is the largest |a - b| over all elements. It is infinite where exactly one is
// NaN and where infinities disagree; NaN beside NaN counts as equal. The shapes must agree.
func MaxAbsDiff(a, b *Tensor) (float64, error) {
	if !slices.Equal(a.Shape, b.Shape) {
		return 0, fmt.Errorf("%v and %v have different shapes", a, b)
	}
	worst := 0.0
	for i := range a.Len() {
		worst = max(worst, distance(a.Float(i), b.Float(i)))
	}
	return worst, nil
}

func distance(x, y float64) float64 {
	if x == y || x != x && y != y {
		return 0
	}
	if d := math.Abs(x - y); d == d {
		return d
	}
	return math.Inf(1)
}

// index turns a flat position into one index per dimension.
func (t *Tensor) index(flat int) []int64 {
	at := make([]int64, len(t.Shape))
	for d := len(at) - 1; d >= 0; d-- {
		at[d] = int64(flat) % t.Shape[d]
		flat /= int(t.Shape[d])
	}
	return at
}
