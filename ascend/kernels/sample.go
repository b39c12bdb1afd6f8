package kernels

import "moge/ascend/kernel"

// Sizes of a row of logits: a block is what one candidate brings along, a chunk is what is loaded
// at once.
const (
	topBlock     = 256
	topChunk     = 32 * topBlock
	blocksAChunk = topChunk / topBlock
)

// lowest is below every logit: it marks what has been taken, and pads.
const lowest = -3.4028235e38

// TopSpec describes what sampling needs of rows of logits. Two kernels find it, one after the
// other: TopScan, whose work is chunks, so that one row keeps all cores busy, and TopPick.
type TopSpec struct {
	Name       string
	Vocabulary int // V, whole or of a shard, at least Count, at most 2^18
	Count      int // values wanted: a multiple of 8, at most 64
	MaxRows    int
}

func (s TopSpec) check() error {
	c := specCheck{kernel: s.Name}
	c.multiple("Count", s.Count, lanes)
	c.between("Count", s.Count, 1, 64)
	c.between("Vocabulary", s.Vocabulary, s.Count, 1<<18)
	c.between("MaxRows", s.MaxRows, 1, 1024)
	return c.err
}

// blocks and chunks of a row.
func (s TopSpec) blocks() int { return (s.Vocabulary + topBlock - 1) / topBlock }
func (s TopSpec) chunks() int { return (s.Vocabulary + topChunk - 1) / topChunk }

// Maxima is the shape of the maxima of blocks, which TopScan leaves for TopPick: that of block b
// of a row at column 2b, since a reduction writes to multiples of 8 bytes, with lowest between.
func (s TopSpec) Maxima(rows kernel.Int) kernel.Shape {
	return kernel.Matrix(rows, s.chunks()*blocksAChunk*2)
}

// Parts is the shape of what TopScan leaves of chunks: for each its maximum eight times, then for
// each the sum of its exponentials and seven zeros.
func (s TopSpec) Parts(rows kernel.Int) kernel.Shape { return kernel.Matrix(rows, 2*s.partCols()) }

func (s TopSpec) partCols() int { return s.chunks() * lanes }

// TopScan reads the logits once: the maxima of blocks of 256, and for chunks of 8192 the maximum
// and the sum of exponentials relative to it.
//
// Arguments: logits f32 [L, V], above -3.4e38; maxima f32 Maxima(L); parts f32 Parts(L); rows = L.
//
// Numerics: maxima are exact; a sum is Σ exp(f32(logit - max)) in f32, as a tree.
//
// Work: for each row its chunks are the units, through a ring of two.
func TopScan(s TopSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &topScan{spec: s, Builder: kernel.New(s.Name,
		"maxima, parts = max of blocks, max and sum of exp of chunks of logits[L, V].")}
	rows := k.Param("rows", 1, s.MaxRows)
	k.logits = k.Input("logits", kernel.F32, kernel.Matrix(rows, s.Vocabulary))
	k.maxima = k.Output("maxima", kernel.F32, s.Maxima(rows))
	k.parts = k.Output("parts", kernel.F32, s.Parts(rows))
	k.chunkRing = k.Ring("chunk", 2, kernel.VecTile(kernel.F32, 1, topChunk))
	k.maxRing = k.Ring("maximaTile", 2, kernel.VecTile(kernel.F32, 1, 2*blocksAChunk))
	block := kernel.VecTile(kernel.F32, 1, lanes)
	k.topRing, k.sumRing = k.Ring("chunkMax", 2, block), k.Ring("chunkSum", 2, block)
	k.For("r", n(0), rows, 1, func(r kernel.Int) {
		k.Units("c", n(s.chunks()), func(c kernel.Int) { k.chunk(r, c) })
	})
	return k.Build()
}

type topScan struct {
	*kernel.Builder
	spec TopSpec

	logits, maxima, parts *kernel.Global

	chunkRing, maxRing, topRing, sumRing *kernel.Ring
}

// chunk is one unit.
func (k *topScan) chunk(r, c kernel.Int) {
	x := k.chunkRing.Next()
	loadPadded(k.Builder, x, k.logits, r, c, topChunk)
	k.Note("maxima of blocks, with the lowest number between them")
	maxima := k.maxRing.Next()
	work := k.Tile("work", workTile(topChunk, false))
	k.Fill(maxima, kernel.F(lowest))
	k.For("b", n(0), n(blocksAChunk), 1, func(b kernel.Int) {
		k.ReduceMax(at(maxima, b.MulN(2)), x.Span(b.MulN(topBlock), n(topBlock)), work)
	})
	k.Store(k.maxima.Sub(r, n(1), c.MulN(2*blocksAChunk), n(2*blocksAChunk)), maxima)
	k.Note("maximum of the chunk, and the sum of exponentials relative to it")
	top, sum := k.topRing.Next(), k.sumRing.Next()
	k.ReduceMax(at(top, n(0)), maxima, work)
	greatest := k.ReadFloat("greatest", top)
	k.Fill(top, greatest)
	k.Adds(x, x, greatest.Neg())
	k.Exp(x, x)
	k.Fill(sum, kernel.F(0))
	k.ReduceSum(at(sum, n(0)), x, work)
	k.Store(k.parts.Sub(r, n(1), c.MulN(lanes), n(lanes)), top)
	k.Store(k.parts.Sub(r, n(1), c.MulN(lanes).AddN(k.spec.partCols()), n(lanes)), sum)
}

// loadPadded loads piece i, of cols columns, of row r of g; columns beyond the last are lowest.
func loadPadded(b *kernel.Builder, dst kernel.Tile, g *kernel.Global, r, i kernel.Int, cols int) {
	whole, rest := g.Shape.Cols/cols, g.Shape.Cols%cols
	load := func() { b.Load(dst, g.Sub(r, n(1), i.MulN(cols), n(cols))) }
	if rest == 0 {
		load()
		return
	}
	b.If(i.Less(n(whole)), load, func() {
		b.Fill(dst, kernel.F(lowest))
		b.Load(dst.Span(n(0), n(rest)), g.Sub(r, n(1), n(whole*cols), n(rest)))
		for i := rest; i%lanes != 0; i++ {
			b.WriteFloat(dst.Span(n(i), n(1)), kernel.F(lowest))
		}
	})
}

// TopPick finds the maximum, the sum of exponentials and the Count greatest logits of each row,
// from the logits and what TopScan left of them.
//
// Arguments: logits f32 [L, V]; maxima f32 Maxima(L); parts f32 Parts(L); stats f32 [L, 8]: max
// and Σ exp(logit - max), then zeros; values f32 [L, Count] descending and ids i32 [L, Count],
// equal values by ascending id; rows = L.
//
// Numerics: max, values and ids are exact; the sum is Σ f32(part · exp(f32(max of chunk - max)))
// over chunks in f32, as a tree.
//
// Work: a row is a unit. The Count greatest lie in the Count blocks of greatest maxima, lowest
// first among equals: for every other element there are Count blocks that each hold one before
// it. Only these blocks are read again, and are kept in ascending order, so that the first of
// equal values is the one of the lowest id.
func TopPick(s TopSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &topPick{spec: s, Builder: kernel.New(s.Name,
		"stats, values, ids = max, sum of exp, greatest of logits[L, V].")}
	k.chosen = min(s.Count, s.blocks())
	k.tensors()
	k.tiles()
	k.Units("row", k.rows, k.row)
	return k.Build()
}

type topPick struct {
	*kernel.Builder
	spec   TopSpec
	chosen int // blocks read again
	rows   kernel.Int

	logits, maximaIn, parts, stats, values, ids *kernel.Global

	valueRing, idRing *kernel.Ring

	maxima           kernel.Tile // of blocks, every other element
	top, sum         kernel.Tile // of chunks
	candidates, best kernel.Tile // blocks read again; their maxima, every other element
	taken, of        kernel.Tile // by block: 1 if read again; by candidate: its block
	count            kernel.Tile // candidates so far
	work             kernel.Tile
}

func (k *topPick) tensors() {
	s := k.spec
	k.rows = k.Param("rows", 1, s.MaxRows)
	k.logits = k.Input("logits", kernel.F32, kernel.Matrix(k.rows, s.Vocabulary))
	k.maximaIn = k.Input("maxima", kernel.F32, s.Maxima(k.rows))
	k.parts = k.Input("parts", kernel.F32, s.Parts(k.rows))
	k.stats = k.Output("stats", kernel.F32, kernel.Matrix(k.rows, lanes))
	k.values = k.Output("values", kernel.F32, kernel.Matrix(k.rows, s.Count))
	k.ids = k.Output("ids", kernel.I32, kernel.Matrix(k.rows, s.Count))
}

func (k *topPick) tiles() {
	s := k.spec
	line := func(name string, e kernel.Elem, cols int) kernel.Tile {
		return k.Tile(name, kernel.VecTile(e, 1, cols))
	}
	k.valueRing = k.Ring("valueTile", 2, kernel.VecTile(kernel.F32, 1, s.Count))
	k.idRing = k.Ring("idTile", 2, kernel.VecTile(kernel.I32, 1, s.Count))
	k.maxima = line("maximaTile", kernel.F32, k.maximaIn.Shape.Cols)
	k.top = line("chunkMax", kernel.F32, s.partCols())
	k.sum = line("chunkSum", kernel.F32, s.partCols())
	k.candidates = k.Tile("candidates", kernel.VecTile(kernel.F32, k.chosen, topBlock))
	k.best = line("best", kernel.F32, 2*k.chosen)
	k.taken, k.of = line("taken", kernel.I32, s.blocks()), line("blockOf", kernel.I32, k.chosen)
	k.count = line("candidateCount", kernel.I32, lanes)
	k.work = k.Tile("work", workTile(max(k.maximaIn.Shape.Cols, topBlock), true))
}

func (k *topPick) row(u kernel.Int) {
	k.Load(k.maxima, k.maximaIn.Rows(u, n(1)))
	cols := n(k.spec.partCols())
	k.Load(k.top, k.parts.Sub(u, n(1), n(0), cols))
	k.Load(k.sum, k.parts.Sub(u, n(1), cols, cols))
	k.summary(u)
	k.chooseBlocks()
	k.readBlocks(u)
	k.takeGreatest(u)
}

// summary stores the maximum and the sum of the row.
func (k *topPick) summary(u kernel.Int) {
	k.Note("sum = sums of chunks * exp(their max - max)")
	stats := k.Tile("statTile", kernel.VecTile(kernel.F32, 1, lanes))
	k.Fill(stats, kernel.F(0))
	k.ReduceMax(at(stats, n(0)), k.top, k.work)
	k.Adds(k.top, k.top, k.ReadFloat("greatest", stats).Neg())
	k.Exp(k.top, k.top)
	k.Mul(k.sum, k.sum, k.top)
	k.ReduceSum(at(stats, n(1)), k.sum, k.work)
	k.Store(k.stats.Rows(u, n(1)), stats)
}

// argMax gives the index of the maximum of a row, the lowest one, and the tile that holds both.
func (k *topPick) argMax(name string, row kernel.Tile, most int) (kernel.Int, kernel.Tile) {
	pair := k.Tile(name+"Pair", kernel.VecTile(kernel.F32, 1, lanes))
	k.ArgMax(pair.Span(n(0), n(2)), row, k.work)
	return k.ReadInt(name, at(pair, n(1)).AsInt(), n(0), n(most)), pair
}

// chooseBlocks lists the blocks of greatest maxima in ascending order.
func (k *topPick) chooseBlocks() {
	k.Note("blocks of the greatest maxima, in ascending order")
	blocks := k.spec.blocks()
	k.Fill(k.taken, kernel.F(0))
	k.Fill(k.count, kernel.F(0))
	k.For("i", n(0), n(k.chosen), 1, func(kernel.Int) {
		col, _ := k.argMax("maximum", k.maxima.Span(n(0), n(2*blocks)), 2*blocks-1)
		k.WriteInt(at(k.taken, col.Div(2)), n(1))
		k.WriteFloat(at(k.maxima, col), kernel.F(lowest))
	})
	k.For("b", n(0), n(blocks), 1, func(b kernel.Int) {
		k.If(k.ReadInt("isTaken", at(k.taken, b), n(0), n(1)).Equal(n(1)), func() {
			i := k.ReadInt("candidate", k.count, n(0), n(k.chosen-1))
			k.WriteInt(at(k.of, i), b)
			k.WriteInt(k.count, i.AddN(1))
		}, nil)
	})
}

// readBlocks reads the chosen blocks again and takes their maxima.
func (k *topPick) readBlocks(u kernel.Int) {
	k.Note("candidates: the chosen blocks, and their maxima")
	k.For("i", n(0), n(k.chosen), 1, func(i kernel.Int) {
		b := k.ReadInt("block", at(k.of, i), n(0), n(k.spec.blocks()-1))
		loadPadded(k.Builder, k.candidates.At(i), k.logits, u, b, topBlock)
	})
	k.Fill(k.best, kernel.F(lowest))
	k.For("i", n(0), n(k.chosen), 1, func(i kernel.Int) {
		k.ReduceMax(at(k.best, i.MulN(2)), k.candidates.At(i), k.work)
	})
}

// takeGreatest takes the greatest candidate, again and again.
func (k *topPick) takeGreatest(u kernel.Int) {
	k.Note("the greatest candidate, again and again")
	values, ids := k.valueRing.Next(), k.idRing.Next()
	k.For("i", n(0), n(k.spec.Count), 1, func(i kernel.Int) {
		twice, _ := k.argMax("from", k.best, 2*k.chosen-1)
		r := k.Let("r", twice.Div(2))
		row := k.candidates.At(r)
		col, pair := k.argMax("col", row, topBlock-1)
		block := k.ReadInt("itsBlock", at(k.of, r), n(0), n(k.spec.blocks()-1))
		k.WriteFloat(at(values, i), k.ReadFloat("value", pair))
		k.WriteInt(at(ids, i), block.MulN(topBlock).Add(col))
		k.WriteFloat(element(k.candidates, r, col), kernel.F(lowest))
		k.ReduceMax(at(k.best, r.MulN(2)), row, k.work)
	})
	k.Store(k.values.Rows(u, n(1)), values)
	k.Store(k.ids.Rows(u, n(1)), ids)
}
