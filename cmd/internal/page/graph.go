package page

import (
	"fmt"
	"slices"
	"strings"

	"moge/cmd/internal/units"
	"moge/codegen/report"
)

// Sizes of a drawn program, in pixels.
const (
	opWidth    = 222
	opHeight   = 54
	pillHeight = 22
	rowHeight  = opHeight + 32
	margin     = 6
)

// maxDrawn bounds the ops of a drawing, maxBlocks the drawings.
const (
	maxDrawn  = 120
	maxBlocks = 8
)

// graph is a drawing of a block.
type graph struct {
	ID, Title, Desc string
	W, H            int
	Nodes           []node
	Wires           []wire
}

// node is an op, or a pill: what comes from elsewhere or goes there.
type node struct {
	X, Y, W, H int
	Class      string
	Pill       bool
	Full       string // all that the lines say, without clipping
	Lines      []line
}

// line is text within a node.
type line struct {
	X, Y  int
	Class string
	Text  string
}

// wire is the way of what one op wrote.
type wire struct{ Path string }

// drawing collects the boxes of a block's ops and pills.
type drawing struct {
	dag   dag
	nodes []node
}

// graphOf draws a block; nil if it has more ops than one can see.
func graphOf(b *report.Block, id string) *graph {
	if len(b.Ops) == 0 || len(b.Ops) > maxDrawn {
		return nil
	}
	var d drawing
	pills := d.pills(b)
	first := len(d.nodes)
	for i := range b.Ops {
		d.add(opNode(&b.Ops[i]))
		for _, e := range b.Ops[i].From {
			if e.Op >= 0 {
				d.link(first+e.Op, first+i)
			} else {
				d.link(pills[e.From], first+i)
			}
		}
	}
	d.ends(b, first)
	l := d.dag.layout()
	g := &graph{ID: id, Title: "Program: " + b.Name, W: l.width() + 2*margin,
		H: len(l.rows)*rowHeight - (rowHeight - opHeight) + 2*margin}
	g.Desc = fmt.Sprintf("%d operations from top to bottom, each with what it computes for and its result; "+
		"lines lead from an operation to those that read its results. The table of operations has the same.",
		len(b.Ops))
	d.put()
	g.Nodes, g.Wires = d.nodes, d.wires(l)
	return g
}

func (d *drawing) add(n node) int {
	d.nodes = append(d.nodes, n)
	d.dag.boxes = append(d.dag.boxes, box{W: n.W})
	return len(d.nodes) - 1
}

func (d *drawing) link(from, to int) {
	if from < to {
		d.dag.links = append(d.dag.links, [2]int{from, to})
	}
}

// pills adds one for each thing that comes from outside.
func (d *drawing) pills(b *report.Block) map[string]int {
	at := map[string]int{}
	for _, op := range b.Ops {
		for _, e := range op.From {
			if _, known := at[e.From]; e.Op < 0 && !known {
				at[e.From] = d.add(pill(e.From))
			}
		}
	}
	return at
}

// ends adds pills for what leaves the block.
func (d *drawing) ends(b *report.Block, first int) {
	at := map[string]int{}
	to := func(name string, op int) {
		if _, known := at[name]; !known {
			at[name] = d.add(pill(name))
		}
		d.link(first+op, at[name])
	}
	for i, op := range b.Ops {
		for _, name := range op.Outputs {
			to("output "+name, i)
		}
		if op.Leaves && len(op.Outputs) == 0 {
			to("to what follows", i)
		}
	}
}

func pill(text string) node {
	text = clip(text, 28)
	return node{W: 7*len([]rune(text)) + 24, H: pillHeight, Pill: true, Class: "p-other", Full: text,
		Lines: []line{{Class: "t2", Text: text}}}
}

func opNode(o *report.Op) node {
	third := []string{}
	if o.Result != "" {
		third = append(third, o.Result)
	}
	if o.Weights > 0 {
		third = append(third, units.Bytes(o.Weights))
	}
	if o.Idle {
		third = append(third, "idle")
	}
	n := node{W: opWidth, H: opHeight, Class: classOf(o.Part), Lines: []line{
		{Class: "t1", Text: clip(o.Title(), 30)}, {Class: "t2", Text: clip(siteOf(o), 31)},
		{Class: "t3", Text: clip(strings.Join(third, " · "), 31)}}}
	n.Full = long(fmt.Sprintf("%s, %s: %s", o.Title(), siteOf(o), strings.Join(third, ", ")))
	return n
}

// siteOf is where an op belongs, and of a collective between whom it is.
func siteOf(o *report.Op) string {
	if o.Collective != nil {
		return o.Collective.Group()
	}
	return o.Site
}

// put places nodes and their lines.
func (d *drawing) put() {
	for i := range d.nodes {
		n, b := &d.nodes[i], d.dag.boxes[i]
		n.X, n.Y = b.X+margin, b.Row*rowHeight+margin
		if n.Pill {
			n.Y += (opHeight - pillHeight) / 2
			n.Lines[0].X, n.Lines[0].Y = n.X+12, n.Y+15
			continue
		}
		for k := range n.Lines {
			n.Lines[k].X, n.Lines[k].Y = n.X+12, n.Y+17+15*k
		}
	}
}

// wires draws the way of each box's results; what arrives at a box does so side by side.
func (d *drawing) wires(l *layers) []wire {
	paths := make([]strings.Builder, len(d.nodes))
	for i := range l.slots {
		up := slices.Clone(l.slots[i].up)
		slices.SortFunc(up, func(a, b int) int { return l.slots[a].x - l.slots[b].x })
		for k, from := range up {
			d.curve(&paths[l.slots[from].source], l, from, i, k-len(up)/2, len(up))
		}
	}
	var list []wire
	for i := range paths {
		if paths[i].Len() > 0 {
			list = append(list, wire{paths[i].String()})
		}
	}
	return list
}

// curve leads from a slot to one in the row below; k is the place among those that arrive there.
func (d *drawing) curve(p *strings.Builder, l *layers, from, to, k, of int) {
	x1, y1 := l.slots[from].x+margin, d.bottom(l, from)
	x2, y2 := l.slots[to].x+margin, d.top(l, to)
	if l.slots[to].box >= 0 {
		x2 += 14 * k
		if of%2 == 0 {
			x2 += 7
		}
	}
	middle := (y1 + y2) / 2
	fmt.Fprintf(p, "M%d %dC%d %d %d %d %d %d", x1, y1, x1, middle, x2, middle, x2, y2)
	if l.slots[to].box < 0 {
		fmt.Fprintf(p, "V%d", d.bottom(l, to))
	} else {
		fmt.Fprintf(p, "m-3 -5l3 5l3 -5")
	}
}

func (d *drawing) top(l *layers, s int) int {
	if b := l.slots[s].box; b >= 0 {
		return d.nodes[b].Y
	}
	return l.rowOf(s)*rowHeight + margin
}

func (d *drawing) bottom(l *layers, s int) int {
	if b := l.slots[s].box; b >= 0 {
		return d.nodes[b].Y + d.nodes[b].H
	}
	return l.rowOf(s)*rowHeight + margin + opHeight
}
