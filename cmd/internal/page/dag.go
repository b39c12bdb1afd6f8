package page

import (
	"cmp"
	"slices"
)

// dag is a graph to be drawn from top to bottom. Edges lead from lower to higher numbers of nodes or
// are left out by the caller.
type dag struct {
	boxes []box
	links [][2]int // from, to
}

// box is a node; Row and X, its left edge, are found by layout.
type box struct {
	W      int
	Row, X int
}

// gap is the least distance between boxes of a row.
const gap = 18

// slot is what has a place in a row: a box, or the passing of a link.
type slot struct {
	box    int // -1: a link passes
	width  int
	source int // box that the link comes from; of a box itself
	row    int
	up     []int // slots of the row above that it hangs on
	down   []int
	x      int // centre
}

// layers is a graph whose links lead from each row to the next.
type layers struct {
	slots []slot
	rows  [][]int // slots in order from the left
	// passing[from] are the slots that the links of a box take, from the row below it on.
	passing [][]int
}

// layout finds a place for every box without overlaps, and where links pass.
func (d *dag) layout() *layers {
	d.rank()
	l := d.expand()
	l.order()
	l.place()
	for i := range d.boxes {
		d.boxes[i].X = l.slots[i].x - d.boxes[i].W/2
	}
	return l
}

// rank puts each box below all that it hangs on; what hangs on nothing, just above what needs it.
func (d *dag) rank() {
	above := make([]bool, len(d.boxes))
	for _, e := range d.sorted() {
		above[e[1]] = true
		d.boxes[e[1]].Row = max(d.boxes[e[1]].Row, d.boxes[e[0]].Row+1)
	}
	for i := range d.boxes {
		if above[i] {
			continue
		}
		low := -1
		for _, e := range d.links {
			if e[0] == i && (low < 0 || d.boxes[e[1]].Row < low) {
				low = d.boxes[e[1]].Row
			}
		}
		d.boxes[i].Row = max(low-1, 0)
	}
}

// sorted is the links by where they come from, which is a topological order.
func (d *dag) sorted() [][2]int {
	list := slices.Clone(d.links)
	slices.SortFunc(list, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	return slices.Compact(list)
}

// expand makes slots: all links of a box share their way down.
func (d *dag) expand() *layers {
	l := &layers{passing: make([][]int, len(d.boxes))}
	for i, b := range d.boxes {
		l.add(slot{box: i, width: b.W, source: i}, b.Row)
	}
	for _, e := range d.sorted() {
		from, to := d.boxes[e[0]].Row, d.boxes[e[1]].Row
		for len(l.passing[e[0]]) < to-from-1 {
			above := l.wayAt(e[0], len(l.passing[e[0]]))
			at := l.add(slot{box: -1, width: 10, source: e[0]}, from+1+len(l.passing[e[0]]))
			l.passing[e[0]] = append(l.passing[e[0]], at)
			l.join(above, at)
		}
		l.join(l.wayAt(e[0], to-from-1), e[1])
	}
	return l
}

func (l *layers) add(s slot, row int) int {
	for len(l.rows) <= row {
		l.rows = append(l.rows, nil)
	}
	s.row = row
	l.slots = append(l.slots, s)
	l.rows[row] = append(l.rows[row], len(l.slots)-1)
	return len(l.slots) - 1
}

func (l *layers) rowOf(s int) int { return l.slots[s].row }

// wayAt is the slot of a box's way so many rows below it.
func (l *layers) wayAt(box, below int) int {
	if below == 0 {
		return box
	}
	return l.passing[box][below-1]
}

func (l *layers) join(above, below int) {
	l.slots[above].down = append(l.slots[above].down, below)
	l.slots[below].up = append(l.slots[below].up, above)
}

// sweeps of ordering and placing; more change nothing that one sees.
const sweeps = 16

// order sorts rows by the middle of what their slots hang on, downwards and upwards in turn, and
// keeps the order with the fewest crossings.
func (l *layers) order() {
	best, fewest := l.copyRows(), l.crossings()
	for i := range sweeps {
		for r := range l.rows {
			if i%2 == 0 {
				l.sortRow(l.rows[r], func(s *slot) []int { return s.up })
			} else {
				l.sortRow(l.rows[len(l.rows)-1-r], func(s *slot) []int { return s.down })
			}
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.copyRows(), n
		}
	}
	l.rows = best
}

func (l *layers) copyRows() [][]int {
	rows := make([][]int, len(l.rows))
	for i, r := range l.rows {
		rows[i] = slices.Clone(r)
	}
	return rows
}

// indexes is the place of every slot in its row.
func (l *layers) indexes() []int {
	at := make([]int, len(l.slots))
	for _, row := range l.rows {
		for i, s := range row {
			at[s] = i
		}
	}
	return at
}

func (l *layers) sortRow(row []int, next func(*slot) []int) {
	at := l.indexes()
	middle := make([]float64, len(l.slots))
	for i, s := range row {
		middle[s] = float64(i)
		if list := next(&l.slots[s]); len(list) > 0 {
			sum := 0
			for _, n := range list {
				sum += at[n]
			}
			middle[s] = float64(sum) / float64(len(list))
		}
	}
	slices.SortStableFunc(row, func(a, b int) int { return cmp.Compare(middle[a], middle[b]) })
}

func (l *layers) crossings() int {
	at, n := l.indexes(), 0
	for _, row := range l.rows {
		var ends [][2]int
		for _, s := range row {
			for _, d := range l.slots[s].down {
				ends = append(ends, [2]int{at[s], at[d]})
			}
		}
		for i, a := range ends {
			for _, b := range ends[:i] {
				if (a[0]-b[0])*(a[1]-b[1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}
