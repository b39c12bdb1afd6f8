package gate

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"moge/ascend/kernels"
)

// routing is how many rows each expert has, and the table by which a kernel with two tilings chooses
// among them.
type routing struct {
	name  string
	rows  []int32
	table []int32
}

// offsets is the first row of each expert, and the number of rows.
func (g routing) offsets() []int32 {
	out := []int32{0}
	for _, n := range g.rows {
		out = append(out, out[len(out)-1]+n)
	}
	return out
}

// expert is whose row a row is.
func (g routing) expert(row int) int {
	at := g.offsets()
	e, _ := slices.BinarySearchFunc(at, int32(row), func(from, row int32) int {
		if from <= row {
			return -1
		}
		return 1
	})
	return e - 1
}

// spreadOver gives counts to experts that lie evenly from the first to the last, the others none.
// What is more than most rows is left out.
func spreadOver(name string, experts, most int, counts ...int32) routing {
	g := routing{name: name, rows: make([]int32, experts)}
	for i, n := range counts {
		at := 0
		if len(counts) > 1 {
			at = i * (experts - 1) / (len(counts) - 1)
		}
		n = min(n, int32(most)-g.offsets()[experts])
		g.rows[at] += n
	}
	return g
}

// routings are those of a kernel: where it has two tilings, with the table that gives each expert the
// one for its rows, and those that need both at once besides. The first one has a table of numbers
// that are no tilings.
func (s Shapes) routings(k kernels.GroupedSpec) []routing {
	list := s.routingsOf(k.Experts, k.MaxRows)
	if !k.TwoTilings() {
		return list
	}
	table := make([]int32, kernels.TilingTable().Cols)
	for i := range table {
		if 16*(i+1) > k.Few.Rows {
			table[i] = 1
		}
	}
	for i := range list {
		list[i].table = table
	}
	list[0].name += ", a table of other numbers"
	list[0].table = []int32{-1, 0, 2, math.MinInt32, math.MaxInt32, 1, 0, 7}
	return append(list, s.twoTilings(k, table)...)
}

// twoTilings are experts on both sides of the most rows of a pass of few, and between them one without
// rows; with All also a table that is wrong about all of them, of whom so many have rows that each core
// goes on from one to the next.
func (s Shapes) twoTilings(k kernels.GroupedSpec, table []int32) []routing {
	over := func(name string, table []int32, counts ...int32) routing {
		g := spreadOver(name, k.Experts, k.MaxRows, counts...)
		g.table = table
		return g
	}
	few := int32(k.Few.Rows)
	list := []routing{over("few and many", table, few+1, 1, 0, 2)}
	if s == All {
		turned := make([]int32, len(table))
		for i, t := range table {
			turned[i] = 1 - t
		}
		list = append(list, over("edges of few", table, few, 0, few+1, 1),
			over("a table turned round", turned, append([]int32{few + 17, 0}, repeated([]int32{2}, 24)...)...))
	}
	return list
}

// routingsOf are one token's experts, and skewed rows with empty experts among them; with All also
// no row at all, single experts, an equal share for each, and the edges of blocks of 16.
func (s Shapes) routingsOf(experts, most int) []routing {
	over := func(name string, counts ...int32) routing {
		return spreadOver(name, experts, most, counts...)
	}
	list := []routing{over("a row for each of eight", 1, 1, 1, 1, 1, 1, 1, 1)}
	if s == All {
		last := make([]int32, experts)
		last[experts-1] = 64
		list = append(list, over("no rows"), over("one row", 1), over("first expert alone", 33),
			over("last expert alone", last...), over("two for each", repeated([]int32{2}, experts)...),
			over("nearly empty ends", 7, 0, 0, 0, 3), over("edges", 16, 17, 0, 15, 8))
	}
	return append(list, over("skewed", 31, 2, 0, 15, 1))
}

// gateUp is gate and up of the experts, then SwiGLU.
func gateUp(s kernels.GroupedGateUpSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	gate, up := alternating(2*s.Width, kernels.GateUpRow)
	return grouped(s.GroupedSpec, 2*s.Width, s.Hidden, false, shapes, seed,
		func(l *int8Linear) Output { return l.swiglu("y", gate, up) })
}

// down is the product of the experts' rows, quantized, with down.
func down(s kernels.GroupedDownSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return grouped(s.GroupedSpec, s.Hidden, s.Width, true, shapes, seed,
		func(l *int8Linear) Output { return l.output("y") })
}

// grouped is the IR's qlinear of each row with the weights of its expert.
func grouped(s kernels.GroupedSpec, cols, depth int, quantize bool, shapes Shapes, seed uint64,
	output func(*int8Linear) Output) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		l := newInt8Linear(random(seed, 0), s.Experts, cols, depth)
		for i, g := range shapes.routings(s) {
			with := *l
			rows := int(g.offsets()[s.Experts])
			with.expert = lazily(rows, g.expert)
			with.rows(newInt8Rows(random(seed, uint64(1+i)), rows, depth, s.Static))
			if !yield(groupedCase(g, &with, quantize, output(&with))) {
				return
			}
		}
	}
}

// groupedCase holds the weights of experts that have rows; those of others are zeros.
func groupedCase(g routing, l *int8Linear, quantize bool, want Output) *Case {
	offsets := g.offsets()
	rows := l.in.rows
	c := &Case{Name: fmt.Sprintf("%d rows, %s", rows, g.name),
		Params: map[string]int{"rows": max(rows, 1)},
		Tensors: map[string][]byte{"weightScale": floats(spread(l.scale, l.cols, alignUp(l.cols, lanes))),
			"offsets": ints(offsets)},
		Fills: map[string]func([]byte){"weight": func(to []byte) {
			size := l.cols * alignUp(l.weights.set.depth, 32)
			for e, n := range g.rows {
				if n > 0 {
					l.weights.write(to[e*size:], e*l.cols, (e+1)*l.cols, l.cols)
				}
			}
		}}}
	if g.table != nil {
		c.Tensors["tilings"] = ints(g.table)
	}
	if rows == 0 {
		c.Undefined = true
		return c
	}
	l.in.into(c, quantize)
	c.Want = []Output{want}
	return c
}
