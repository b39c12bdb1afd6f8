package kernels

import (
	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// GroupedSpec describes one half of the experts of a layer: gate and up with SwiGLU, or down.
type GroupedSpec struct {
	Name    string
	Experts int
	Hidden  int  // a multiple of 32
	Width   int  // of an expert: a multiple of 16
	MaxRows int  // of all experts together
	Static  bool // the scale of all rows is fixed, an argument
	Rows    int  // of one expert, that the tiling is chosen for; 0 for twice an equal part of MaxRows
	Tiling  Tiling
}

// GateUpRow says which row of gate or up is row i of the weights of GroupedGateUp: they alternate,
// 16 of gate and 16 of up, so that one DMA brings both.
func GateUpRow(i int) (up bool, row int) {
	pair, within := i/32, i%32
	return within >= 16, pair*16 + within%16
}

// ChooseGateUp returns the legal tiling of least predicted cost of GroupedGateUp on a chip.
func (s GroupedSpec) ChooseGateUp(chip *soc.Chip) (Tiling, error) {
	if err := s.check(); err != nil {
		return Tiling{}, err
	}
	return s.gateUp().shape().choose(chip)
}

// ChooseDown returns the legal tiling of least predicted cost of GroupedDown on a chip.
func (s GroupedSpec) ChooseDown(chip *soc.Chip) (Tiling, error) {
	if err := s.check(); err != nil {
		return Tiling{}, err
	}
	return s.down().shape().choose(chip)
}

// GroupedGateUp is the first half of the experts (the paper's SwiftGMM, §4.2.3): for each expert
// its rows times gate and up, then SwiGLU.
//
// Arguments: x int8 [R, H] and xScale f32 RowScales(R), with Static fixedScale f32 FixedScale() of
// all experts in its place, rows in the order of experts; offsets i32 Indices(E+1): the rows of
// expert e are offsets[e] to offsets[e+1]-1, and there may be none;
// weight int8 NZ of [2·W, H] for each expert, rows as GateUpRow says; weightScale f32 [E, 2·W]
// alike; y half [R, W]; rows = R.
//
// Numerics: sums exact; g and u = f32(sum) · ws · xs, each step rounded to f32; y =
// half(f32(silu(g)) · u): nothing is rounded to half before the result.
//
// Work: a unit is 16 columns of gate with their 16 of up, of one pass of at most Tiling.Rows rows
// of one expert; see product. Experts without rows have no units.
func GroupedGateUp(s GroupedSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.gateUp().kernel("y[R, W] = half(silu(g) * u), " +
		"g and u = (f32(x[R, H] * weight[E, 2W, H]) * weightScale) * " + scaleOf(s.Static) + ".")
}

// GroupedDown is the second half of the experts: rows of halves are quantized as they are loaded,
// then multiplied.
//
// Arguments: x half [R, W]; with Static fixedScale f32 FixedScale() of all experts; offsets i32
// Indices(E+1); weight int8 NZ of [H, W] for each expert, W padded to 32 with zeros; weightScale
// f32 [E, H]; y half [R, H]; rows = R.
//
// Numerics: as the IR's quantize by the maximum over the whole row, with Static as its
// quantize_static, then y = half(f32(sum) · ws · xs).
//
// Work: a unit is 16 columns of one pass; see product.
func GroupedDown(s GroupedSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.down().kernel("y[R, H] = " +
		"half((f32(q(x[R, W]) * weight[E, H, W]) * weightScale) * " + amaxOf("x", s.Static) + " / 127).")
}

func (s GroupedSpec) check() error {
	c := specCheck{kernel: s.Name}
	c.between("Experts", s.Experts, 1, 4096)
	c.between("MaxRows", s.MaxRows, 1, maxRows)
	c.between("Rows", s.Rows, 0, s.MaxRows)
	c.multiple("Hidden", s.Hidden, 32)
	c.multiple("Width", s.Width, 16)
	return c.err
}

func (s GroupedSpec) expected() int {
	if s.Rows == 0 {
		return min(2*ceilDiv(s.MaxRows, s.Experts), s.MaxRows)
	}
	return s.Rows
}

func (s GroupedSpec) gateUp() *quantized {
	return &quantized{name: s.Name, cols: 2 * s.Width, depth: s.Hidden, maxRows: s.MaxRows,
		rows: s.expected(), experts: s.Experts, swiglu: true, static: s.Static, tiling: s.Tiling}
}

func (s GroupedSpec) down() *quantized {
	return &quantized{name: s.Name, cols: s.Hidden, depth: s.Width, maxRows: s.MaxRows,
		rows: s.expected(), experts: s.Experts, quantize: true, static: s.Static, tiling: s.Tiling}
}

// groups is the passes of all experts, listed by every core for itself from the offsets.
type groups struct {
	*kernel.Builder
	experts, most, height int
	rows                  kernel.Int
	offsets               *kernel.Global
	offsetTile, found     kernel.Tile
	expert, row, count    kernel.Tile
}

func newGroups(b *kernel.Builder, experts int, rows kernel.Int, most, height int) *groups {
	g := &groups{Builder: b, experts: experts, most: most, height: height, rows: rows}
	g.offsets = b.Input("offsets", kernel.I32, Indices(n(experts+1)))
	words := func(name string, count int) kernel.Tile {
		return b.Tile(name, kernel.VecTile(kernel.I32, 1, alignUp(count, lanes)))
	}
	g.offsetTile = b.Tile("offsetTile", kernel.VecTile(kernel.I32, ceilDiv(experts+1, lanes), lanes))
	g.found = words("found", lanes)
	g.expert, g.row = words("passExpert", most+1), words("passRow", most+1)
	g.count = words("passRows", most+1)
	return g
}

// list writes the passes down and returns how many there are.
func (g *groups) list() kernel.Int {
	g.Note("passes: each expert's rows, a tile's worth at a time")
	g.Load(g.offsetTile, g.offsets.All())
	g.WriteInt(g.found, n(0))
	g.For("owner", n(0), n(g.experts), 1, func(e kernel.Int) {
		lo := g.ReadInt("begin", g.offset(e), n(0), g.rows)
		hi := g.ReadInt("finish", g.offset(e.AddN(1)), lo, g.rows)
		g.For("start", lo, hi, g.height, func(row kernel.Int) {
			at := g.ReadInt("slot", g.found, n(0), n(g.most-1))
			g.WriteInt(element(g.expert, n(0), at), e)
			g.WriteInt(element(g.row, n(0), at), row)
			g.WriteInt(element(g.count, n(0), at), hi.Sub(row).MinN(g.height))
			g.WriteInt(g.found, at.AddN(1))
		})
	})
	return g.ReadInt("passes", g.found, n(0), n(g.most))
}

func (g *groups) offset(e kernel.Int) kernel.Tile {
	return element(g.offsetTile, e.Div(lanes), e.Mod(lanes))
}

// open reads a pass from the list.
func (g *groups) open(index kernel.Int) pass {
	at := func(list kernel.Tile) kernel.Tile { return element(list, n(0), index) }
	expert := g.ReadInt("expert", at(g.expert), n(0), n(g.experts-1))
	row := g.ReadInt("row", at(g.row), n(0), g.rows.SubN(1))
	rows := g.ReadInt("height", at(g.count), n(1), g.rows.Sub(row).MinN(g.height))
	return pass{index: index, expert: expert, row: row, rows: rows}
}
