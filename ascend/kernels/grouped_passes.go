package kernels

import (
	"math"

	"moge/ascend/kernel"
)

// groups is the passes of all experts, listed by every core for itself from the offsets: a list for
// each tiling of the kernel.
type groups struct {
	*kernel.Builder
	experts             int
	rows                kernel.Int
	offsets, tilings    *kernel.Global // tilings is nil where there is one list
	offsetTile, choices kernel.Tile
	lists               []*passList
}

// passList is the passes of one tiling, each of at most height rows.
type passList struct {
	*groups
	most, height              int
	found, expert, row, count kernel.Tile
}

// newGroups lists passes for tilings of the given heights: of two, the first is that of experts that
// the table gives 0.
func newGroups(b *kernel.Builder, experts int, rows kernel.Int, maxRows int, heights ...int) *groups {
	g := &groups{Builder: b, experts: experts, rows: rows}
	g.offsets = b.Input("offsets", kernel.I32, Indices(n(experts+1)))
	g.offsetTile = b.Tile("offsetTile", kernel.VecTile(kernel.I32, ceilDiv(experts+1, lanes), lanes))
	if len(heights) > 1 {
		g.tilings = b.Input("tilings", kernel.I32, TilingTable())
		g.choices = b.Tile("choices", kernel.VecTile(kernel.I32, 1, tableWords))
	}
	for _, height := range heights {
		g.lists = append(g.lists, g.newList(passes(experts, maxRows, height), height))
	}
	return g
}

// passes is how many passes of height rows experts have at most, that have maxRows rows together.
func passes(experts, maxRows, height int) int { return min(maxRows, experts+maxRows/height) }

// newList has words for two passes more than there are: bounds on chunks prove no less.
func (g *groups) newList(most, height int) *passList {
	words := func(name string, count int) kernel.Tile {
		return g.Tile(name, kernel.VecTile(kernel.I32, 1, alignUp(count, lanes)))
	}
	return &passList{groups: g, most: most, height: height, found: words("found", lanes),
		expert: words("passExpert", most+2), row: words("passRow", most+2),
		count: words("passRows", most+2)}
}

// list writes the passes down.
func (g *groups) list() {
	g.Note("passes: each expert's rows, a tile's worth at a time")
	g.Load(g.offsetTile, g.offsets.All())
	if g.tilings != nil {
		g.Load(g.choices, g.tilings.All())
	}
	for _, l := range g.lists {
		g.WriteInt(l.found, n(0))
	}
	g.For("owner", n(0), n(g.experts), 1, func(e kernel.Int) {
		lo := g.ReadInt("begin", g.offset(e), n(0), g.rows)
		hi := g.ReadInt("finish", g.offset(e.AddN(1)), lo, g.rows)
		if g.tilings == nil {
			g.lists[0].add(e, lo, hi)
			return
		}
		g.If(g.choice(lo, hi).Equal(n(0)), func() { g.lists[0].add(e, lo, hi) },
			func() { g.lists[1].add(e, lo, hi) })
	})
}

func (g *groups) offset(e kernel.Int) kernel.Tile {
	return element(g.offsetTile, e.Div(lanes), e.Mod(lanes))
}

// choice is what the table says for rows lo to hi: any number, whatever it should be.
func (g *groups) choice(lo, hi kernel.Int) kernel.Int {
	entry := hi.Sub(lo).SubN(1).Max(n(0)).Div(tableRows).MinN(tableWords - 1)
	return g.ReadInt("tiling", element(g.choices, n(0), entry), n(math.MinInt32), n(math.MaxInt32))
}

// add lists the passes of an expert with rows lo to hi.
func (l *passList) add(expert, lo, hi kernel.Int) {
	l.For("start", lo, hi, l.height, func(row kernel.Int) {
		at := l.ReadInt("slot", l.found, n(0), n(l.most-1))
		l.WriteInt(element(l.expert, n(0), at), expert)
		l.WriteInt(element(l.row, n(0), at), row)
		l.WriteInt(element(l.count, n(0), at), hi.Sub(row).MinN(l.height))
		l.WriteInt(l.found, at.AddN(1))
	})
}

// passes is how many there are.
func (l *passList) passes() kernel.Int { return l.ReadInt("passes", l.found, n(0), n(l.most)) }

// open reads a pass from the list.
func (l *passList) open(index kernel.Int) pass {
	at := func(list kernel.Tile) kernel.Tile { return element(list, n(0), index) }
	expert := l.ReadInt("expert", at(l.expert), n(0), n(l.experts-1))
	row := l.ReadInt("row", at(l.row), n(0), l.rows.SubN(1))
	rows := l.ReadInt("height", at(l.count), n(1), l.rows.Sub(row).MinN(l.height))
	return pass{index: index, expert: expert, row: row, rows: rows}
}
