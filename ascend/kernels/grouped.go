package kernels

import "moge/ascend/kernel"

// GroupedSpec describes one half of the experts of a layer: gate and up with SwiGLU, or down.
type GroupedSpec struct {
	Name    string
	Experts int
	Hidden  int  // a multiple of 32
	Width   int  // of an expert: a multiple of 16
	MaxRows int  // of all experts together
	Static  bool // the scale of all rows is fixed, an argument
	Rows    int  // of one expert, that Tiling is chosen for; 0 for twice an equal part of MaxRows
	Tiling  Tiling
	Few     Tiling // for experts with few rows; zero for a kernel that has Tiling alone
}

// GateUpRow says which row of gate or up is row i of the weights of GroupedGateUp: they alternate,
// 16 of gate and 16 of up, so that one DMA brings both.
func GateUpRow(i int) (up bool, row int) {
	pair, within := i/32, i%32
	return within >= 16, pair*16 + within%16
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
// of one expert; see product. Experts without rows have no units. With Few there is one argument
// more, tilings i32 TilingTable(): experts that it gives 0 are done first, in passes of Few, all
// others after them, in passes of Tiling. Each tiling has the memories of the core for itself, and
// the units of its passes are shared out over all cores.
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
// Work: a unit is 16 columns of one pass; see product. With Few there is one argument more, tilings
// i32 TilingTable(), as for GroupedGateUp.
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

func (s GroupedSpec) gateUp() *quantized {
	return &quantized{name: s.Name, cols: 2 * s.Width, depth: s.Hidden, maxRows: s.MaxRows,
		rows: s.expected(), experts: s.Experts, swiglu: true, static: s.Static, tiling: s.Tiling,
		few: s.Few}
}

func (s GroupedSpec) down() *quantized {
	return &quantized{name: s.Name, cols: s.Hidden, depth: s.Width, maxRows: s.MaxRows,
		rows: s.expected(), experts: s.Experts, quantize: true, static: s.Static, tiling: s.Tiling,
		few: s.Few}
}
