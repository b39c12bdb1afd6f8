package cpucard

import (
	"moge/runtime/card"
	"moge/runtime/kernels"
)

const (
	rowBlock   = 64      // rows that meet the tiles of a task at once
	taskTiles  = 4       // tiles of a task at most: their results for rowBlock rows fit the first cache
	tileBudget = 1 << 20 // bytes of tiles of a task, unless one alone is more
)

// weights is matrices [n, k] in NZ, one after another.
type weights struct {
	at    card.Addr
	fixed bool // they cannot change
	data  []byte
	count int // of matrices
	n     int
	depth int // columns of blocks
	unit  int // tiles that must stay together: 2 where gate and up alternate
}

// weights is those of a tensor: size is the bytes of an element, k a multiple of what a block has.
func (c *call) weights(name string, count, n, k, size int) *weights {
	t := c.tensors[c.kernel.tensors[name]]
	return &weights{at: t.at, fixed: t.fixed, data: c.bytes(name, size, count, n, k), count: count,
		n: n, depth: k * size / blockBytes, unit: 1}
}

// tiles is how many a matrix has.
func (w *weights) tiles() int { return w.n / tileRows }

// matrix is one of them.
func (w *weights) matrix(i int) []byte {
	size := w.n * w.depth * blockBytes
	return w.data[i*size : (i+1)*size]
}

// tileBytes is the size of a tile.
func (w *weights) tileBytes() int { return w.depth * fragmentBytes }

// group is rows of activations that meet one matrix.
type group struct{ matrix, first, count int }

// part is what a task computes: some tiles of a matrix against the rows of a group.
type part struct {
	group
	tile, tiles int
}

// cols is the columns of the result.
func (p part) cols() int { return p.tiles * tileRows }

// parts calls fn for tiles of every group: at least unit of them, which is shared out evenly over the
// workers where there are enough.
func (c *call) parts(w *weights, groups []group, fn func(s *scratch, p part)) error {
	rows := 0
	for _, g := range groups {
		rows += g.count
	}
	span := min(taskTiles, len(groups)*w.tiles()/(4*len(c.workers)), tileBudget/max(1, w.tileBytes()))
	span = max(1, span/w.unit) * w.unit
	each := (w.tiles() + span - 1) / span
	work := max(rows, len(groups)) * w.n * w.depth * blockBytes
	return c.tasks(len(groups)*each, work, func(s *scratch, task int) {
		p := part{group: groups[task/each], tile: task % each * span}
		p.tiles = min(span, w.tiles()-p.tile)
		fn(s, p)
	})
}

// tiled brings the tiles of a part to a worker.
func (w *weights) tiled(s *scratch, p part, turn func(dst, src *fragment)) []byte {
	out, matrix := grown(&s.weights, p.tiles*w.tileBytes()), w.matrix(p.matrix)
	for i := range p.tiles {
		tile(out[i*w.tileBytes():], matrix, w.n, (p.tile+i)*tileRows, w.depth, turn)
	}
	return out
}

// int8Product multiplies int8 rows by int8 weights.
type int8Product struct {
	*weights
	x     []int8
	pitch int
	sums  *rowSums
}

// product makes the product of rows x, pitch elements apart, a multiple of 32.
func (c *call) product(w *weights, x []int8, pitch int) *int8Product {
	return &int8Product{weights: w, x: x, pitch: pitch, sums: c.rowSums(w)}
}

// block is the sums of some rows: acc [rows][cols].
type block struct {
	part
	row, rows int
	acc       []int32
}

// run calls finish for blocks of every part.
func (p *int8Product) run(c *call, groups []group, finish func(s *scratch, b block)) error {
	k := p.depth * depthI8
	return c.parts(p.weights, groups, func(s *scratch, of part) {
		tiles, sums := kernels.Int8s(p.tiled(s, of, turnI8)), p.sums.of(s, p.weights, of)
		acc := grown(&s.acc, rowBlock*of.cols())
		for row := of.first; row < of.first+of.count; row += rowBlock {
			rows := min(rowBlock, of.first+of.count-row)
			kernels.MatMulI8(acc, p.x[row*p.pitch:], p.pitch, rows, tiles, of.tiles, k, sums)
			finish(s, block{of, row, rows, acc})
		}
	})
}

// sumsKey is what sums of rows are kept by.
type sumsKey struct {
	at              card.Addr
	count, n, depth int
}

// rowSums is the sums of the rows of weights, which MatMulI8 takes, as far as they have been needed.
type rowSums struct {
	known  []bool // by tile of all matrices
	values []int32
}

// rowSums is that of weights, nil where they may change.
func (c *call) rowSums(w *weights) *rowSums {
	if !w.fixed {
		return nil
	}
	key := sumsKey{w.at, w.count, w.n, w.depth}
	if c.sums[key] == nil {
		tiles := w.count * w.tiles()
		c.sums[key] = &rowSums{make([]bool, tiles), make([]int32, tiles*tileRows)}
	}
	return c.sums[key]
}

// of is the sums for the tiles of a part, which no other worker has at the same time.
func (r *rowSums) of(s *scratch, w *weights, p part) []int32 {
	if r == nil {
		out := grown(&s.sums, p.cols())
		for i := range p.tiles {
			w.addTile(out[i*tileRows:], p.matrix, p.tile+i)
		}
		return out
	}
	first := p.matrix*w.tiles() + p.tile
	for i := range p.tiles {
		if !r.known[first+i] {
			w.addTile(r.values[(first+i)*tileRows:], p.matrix, p.tile+i)
			r.known[first+i] = true
		}
	}
	return r.values[first*tileRows : (first+p.tiles)*tileRows]
}

// addTile sets dst to the sums of the rows of a tile.
func (w *weights) addTile(dst []int32, matrix, tile int) {
	sums := (*[tileRows]int32)(dst)
	*sums = [tileRows]int32{}
	for i := range w.depth {
		addRows(sums, (*fragment)(w.matrix(matrix)[(i*w.n+tile*tileRows)*blockBytes:]))
	}
}
