package page

import (
	"fmt"
	"strings"

	"moge/codegen/balance"
)

// levels of a heat map; the highest is for four times the even share and more.
const levels = 9

// Bounds of what is drawn of an expert load.
const (
	maxHeatLayers = 64
	maxPairLayers = 3
	maxPairs      = 128 // experts of a table of pairs
)

// heat is a grid of cells in levels of one colour, a path a level.
type heat struct {
	ID, Title, Desc string
	W, H, Left      int // Left is where cells begin
	Levels          []level
	Labels          []tick
}

type level struct {
	Opacity string
	Path    string
}

// grid collects cells by level.
type grid struct {
	paths [levels]strings.Builder
}

// cell colours a cell by a share and the share that is even.
func (g *grid) cell(x, y, w, h int, share, even float64) {
	if share <= 0 || even <= 0 {
		return
	}
	at := min(int(share/even*2)+1, levels-1)
	fmt.Fprintf(&g.paths[at], "M%d %dh%dv%dh-%dz", x, y, w, h, w)
}

func (g *grid) levels() []level {
	var list []level
	for i := range g.paths {
		if g.paths[i].Len() > 0 {
			list = append(list, level{fmt.Sprintf("%.2f", float64(i)/(levels-1)), g.paths[i].String()})
		}
	}
	return list
}

// loadMap has a row for each layer and a column for each expert.
func loadMap(l *balance.ExpertLoad) *heat {
	const height, left, top = 16, 34, 20
	width := max(1, min(12, 768/int(l.Experts)))
	h := &heat{ID: "load", Title: "Load of experts by layer", Left: left}
	h.Desc = fmt.Sprintf("A row for each layer, a column for each of %d experts; the stronger the colour, "+
		"the more tokens. The even share is %s, full colour four times that.", l.Experts, percent(l.Ideal, 1))
	var g grid
	for i, layer := range l.Layers[:min(len(l.Layers), maxHeatLayers)] {
		for e, n := range layer.Experts {
			if layer.Tokens > 0 {
				share := float64(n) / float64(layer.Tokens)
				g.cell(left+e*width, top+i*height, width-width/6, height-2, share, l.Ideal)
			}
		}
		h.Labels = append(h.Labels, tick{left - 6, top + i*height + 11, fmt.Sprint(layer.Layer)})
	}
	h.W, h.H = left+int(l.Experts)*width+2, top+min(len(l.Layers), maxHeatLayers)*height
	h.Levels = g.levels()
	return h
}

// pairMaps are the experts that tokens chose together: of the first, the middle and the last layer.
func pairMaps(l *balance.ExpertLoad) []*heat {
	if l.Experts > maxPairs || len(l.Layers) == 0 || l.TopK < 2 {
		return nil
	}
	var list []*heat
	last := -1
	for k := range maxPairLayers {
		if at := k * (len(l.Layers) - 1) / (maxPairLayers - 1); at > last {
			list = append(list, pairMap(l, &l.Layers[at]))
			last = at
		}
	}
	return list
}

func pairMap(l *balance.ExpertLoad, layer *balance.LayerLoad) *heat {
	size := max(2, 256/int(l.Experts))
	h := &heat{ID: fmt.Sprintf("pairs-%d", layer.Layer),
		Title: fmt.Sprintf("Layer %d: chosen together", layer.Layer),
		W:     size * int(l.Experts), H: size * int(l.Experts)}
	h.Desc = "Below the diagonal a cell for each pair of experts; the stronger the colour, the more tokens " +
		"chose both."
	// Of two experts in different groups that are chosen independently and evenly.
	even := l.Ideal * l.Ideal
	var g grid
	for i, row := range layer.Together {
		for j, n := range row {
			if layer.Tokens > 0 {
				g.cell(j*size, i*size, size, size, float64(n)/float64(layer.Tokens), even)
			}
		}
	}
	h.Levels = g.levels()
	return h
}
