package page

import (
	"math"
)

// rounds of placing, each of which goes down and up: a long way needs many to become straight.
const rounds = 40

// place gives slots their centres: each as near to the middle of its neighbours as the others of its
// row allow. The last way is down, so that what follows on one thing stands below it.
func (l *layers) place() {
	above := func(s *slot) []int { return s.up }
	below := func(s *slot) []int { return s.down }
	for range rounds {
		for _, row := range l.rows {
			l.placeRow(row, above)
		}
		for r := range l.rows {
			l.placeRow(l.rows[len(l.rows)-1-r], below)
		}
	}
	for range 2 {
		for _, row := range l.rows {
			l.placeRow(row, above)
		}
	}
	l.shift()
}

// placeRow places a row by its neighbours on one side; slots without such stay if they can.
func (l *layers) placeRow(row []int, next func(*slot) []int) {
	want, weight := make([]float64, len(row)), make([]float64, len(row))
	for i, s := range row {
		want[i], weight[i] = float64(l.slots[s].x), 0.1
		list := next(&l.slots[s])
		if len(list) == 0 {
			continue
		}
		want[i], weight[i] = l.middle(list), 1
		if l.slots[s].box < 0 && l.slots[list[0]].box < 0 { // a line that passes is to be straight
			weight[i] = 0.5
		}
	}
	for i, x := range l.apart(row, want, weight) {
		l.slots[row[i]].x = x
	}
}

// middle of slots: boxes count much more than ways that pass, so that what a box makes stands below
// it and not between it and what merely joins.
func (l *layers) middle(list []int) float64 {
	sum, all := 0.0, 0.0
	for _, n := range list {
		share := 1.0
		if l.slots[n].box < 0 {
			share = 0.05
		}
		sum, all = sum+float64(share*float64(l.slots[n].x)), all+share
	}
	return sum / all
}

// apart keeps slots apart with the least weighted squares of distances from where they want to be:
// without the distances that they must keep it is a regression to an ascending sequence, which
// joining neighbours that are out of order solves.
func (l *layers) apart(row []int, want, weight []float64) []int {
	type pool struct {
		mean, weight float64
		n            int
	}
	offsets := make([]int, len(row))
	var pools []pool
	for i, s := range row {
		if i > 0 {
			offsets[i] = offsets[i-1] + gap + (l.slots[row[i-1]].width+l.slots[s].width)/2
		}
		pools = append(pools, pool{want[i] - float64(offsets[i]), weight[i], 1})
		for k := len(pools) - 1; k > 0 && pools[k-1].mean >= pools[k].mean; k-- {
			a, b := pools[k-1], pools[k]
			sum := a.weight + b.weight
			mean := (float64(a.mean*a.weight) + float64(b.mean*b.weight)) / sum
			pools = append(pools[:k-1], pool{mean, sum, a.n + b.n})
		}
	}
	out := make([]int, 0, len(row))
	for _, p := range pools {
		for range p.n {
			out = append(out, int(math.Round(p.mean))+offsets[len(out)])
		}
	}
	return out
}

// shift moves everything so that the leftmost edge is at 0.
func (l *layers) shift() {
	left := math.MaxInt
	for _, s := range l.slots {
		left = min(left, s.x-s.width/2)
	}
	for i := range l.slots {
		l.slots[i].x -= left
	}
}

// width is the right edge of all.
func (l *layers) width() int {
	right := 0
	for _, s := range l.slots {
		right = max(right, s.x+s.width/2)
	}
	return right
}
