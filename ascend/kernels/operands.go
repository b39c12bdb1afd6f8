package kernels

import "moge/ascend/kernel"

// channel is a vector of f32 with an element for each column of the weights.
type channel struct {
	*product
	source      *kernel.Global // [experts, N], or [1, N]
	perExpert   bool
	stage, work kernel.Tile  // what was fetched, what the present pass has
	ring        *kernel.Ring // where each chunk brings its own
	now         kernel.Tile
}

func (p *product) newChannel(source *kernel.Global, perExpert bool) *channel {
	v := &channel{product: p, source: source, perExpert: perExpert}
	if p.shape.windowed(p.tiling) {
		cols := p.shape.window(p.tiling) * p.shape.block
		v.stage = p.Tile(source.Name+"Next", kernel.VecTile(kernel.F32, 1, cols))
		v.work = p.Tile(source.Name+"Tile", kernel.VecTile(kernel.F32, 1, cols+p.tiling.Cols))
	} else {
		v.ring = p.Ring(source.Name+"Tile", 2, kernel.VecTile(kernel.F32, 1, 2*p.tiling.Cols))
	}
	p.vectors = append(p.vectors, v)
	return v
}

func (v *channel) region(p pass, col, cols kernel.Int) kernel.Region {
	row := n(0)
	if v.perExpert {
		row = p.expert
	}
	return v.source.Sub(row, n(1), col, cols)
}

func (v *channel) fetch(p pass, col kernel.Int) {
	if v.ring == nil {
		v.Load(v.stage, v.region(p, col, n(v.stage.Buf.Type.Cols)))
	}
}

func (v *channel) keep() {
	if v.ring == nil {
		v.Move(v.work.Span(n(0), n(v.stage.Buf.Type.Cols)), v.stage)
	}
}

// loadChunk brings as many elements as a chunk has at most; for a pass's last chunk, which may be
// shorter, from further left.
func (v *channel) loadChunk(p pass, col kernel.Int) {
	if v.ring != nil {
		v.now = v.ring.Next()
		most := v.tiling.Cols
		v.Load(v.now.Span(n(0), n(most)), v.region(p, col.MinN(v.shape.n-most), n(most)))
	}
}

// cols is the elements for cols columns from column at of a step.
func (v *channel) cols(s step, at kernel.Int, cols int) kernel.Tile {
	if v.ring == nil {
		return v.work.Span(s.kept.Add(s.at).Add(at), n(cols))
	}
	most := v.tiling.Cols
	left := s.chunk.Sub(n(v.shape.n - most)).Max(n(0)).MinN(most)
	return v.now.Span(left.Add(s.at).Add(at), n(cols))
}

// rowSource is rows of activations in device memory on their way through UB: all of a pass at once,
// fetched one pass ahead, or group by group when the pass is prepared.
type rowSource struct {
	*product
	x      *kernel.Global
	staged kernel.Tile
	groups *kernel.Ring
}

func (p *product) newRows(x *kernel.Global) *rowSource {
	s := &rowSource{product: p, x: x}
	tile := func(rows int) kernel.TileType { return kernel.VecTile(x.Elem, rows, x.Shape.Cols) }
	if p.tiling.Staged {
		s.staged = p.Tile("xTile", tile(p.tiling.Rows))
	} else {
		s.groups = p.Ring("xTile", 2, tile(p.shape.groupRows(p.tiling)))
	}
	return s
}

func (s *rowSource) fetch(p pass) {
	if s.groups == nil {
		s.Load(s.staged.Head(p.rows), s.x.Rows(p.row, p.rows))
	}
}

// each gives the rows of a pass to f: count rows of tile, which are rows at.. of the pass.
func (s *rowSource) each(p pass, f func(at, count kernel.Int, tile kernel.Tile)) {
	if s.groups == nil {
		f(n(0), p.rows, s.staged)
		return
	}
	most := s.shape.groupRows(s.tiling)
	s.For("group", n(0), p.rows, most, func(at kernel.Int) {
		count := s.Let("groupRows", p.rows.Sub(at).MinN(most))
		tile := s.groups.Next()
		s.Load(tile.Head(count), s.x.Rows(p.row.Add(at), count))
		f(at, count, tile)
	})
}
