package kernels

import (
	"strings"

	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// LinearSpec describes a linear layer on quantized rows.
type LinearSpec struct {
	Name     string
	N, K     int // weights [N, K]: N a multiple of 16 (32 with SwiGLU), K of 32 (16 with Quantize)
	MaxRows  int
	Bias     bool
	Quantize bool // rows come as halves and are quantized as they are loaded
	SwiGLU   bool // columns alternate, 16 of gate and 16 of up (see GateUpRow)
	Static   bool // the scale of all rows is fixed, an argument
	Rows     int  // rows that the tiling is chosen for; 0 for MaxRows
	Tiling   Tiling
}

// Choose returns the legal tiling of least predicted cost on a chip; *TilingError if none is legal.
func (s LinearSpec) Choose(chip *soc.Chip) (Tiling, error) {
	if err := s.check(); err != nil {
		return Tiling{}, err
	}
	return s.quantized().shape().choose(chip)
}

// Linear is a linear layer on int8 rows with a scale a row, or one for all.
//
// Arguments: x int8 [T, K] and xScale f32 RowScales(T), or with Quantize x half [T, K]; with Static
// fixedScale f32 FixedScale() in place of xScale, and with Quantize too; weight int8
// NZ of [N, K], K padded to 32 with zeros; weightScale f32 [1, N]; with Bias bias f32 [1, N];
// y half [T, N], with SwiGLU half [T, N/2]; rows = T.
//
// Numerics: the integer sums are exact. v = f32(sum) · ws[n] · xs[t] + bias[n] in f32, each step
// rounded, in the order of the IR's qlinear; y = half(v). With SwiGLU y = half(f32(g / (1 +
// exp(-g))) · u) in f32, nothing rounded to half before. With Quantize xs and the int8 rows are
// those of the IR's quantize, with Static of its quantize_static.
//
// Work: see product; a unit is 16 columns, 32 with SwiGLU. Rows reach L1 through UB.
func Linear(s LinearSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.quantized().kernel(s.doc())
}

func (s LinearSpec) check() error {
	c := specCheck{kernel: s.Name}
	c.between("MaxRows", s.MaxRows, 1, maxRows)
	c.between("Rows", s.Rows, 0, s.MaxRows)
	checkMatrix(&c, s.N, s.K, s.Quantize, s.SwiGLU)
	return c.err
}

// maxRows bounds the rows of one call: tokens times experts a token.
const maxRows = 8 * maxTokens

func checkMatrix(c *specCheck, cols, depth int, quantize, swiglu bool) {
	c.multiple("N", cols, either(swiglu, 32, 16))
	c.multiple("K", depth, either(quantize, 16, 32))
	c.want(depth <= 133_000, "K", depth, "at most 133000, so that sums fit int32")
}

func either(yes bool, a, b int) int {
	if yes {
		return a
	}
	return b
}

func (s LinearSpec) doc() string {
	var b strings.Builder
	b.WriteString("y[T, N] = half((f32(x[T, K] * weight[N, K]) * weightScale) * " +
		scaleOf(s.Static))
	if s.Bias {
		b.WriteString(" + bias")
	}
	b.WriteString(")")
	if s.SwiGLU {
		b.WriteString(", silu(gate) * up of its columns")
	}
	if s.Quantize {
		b.WriteString(", x quantized as it is loaded")
	}
	return b.String() + "."
}

func (s LinearSpec) quantized() *quantized {
	rows := s.Rows
	if rows == 0 {
		rows = s.MaxRows
	}
	return &quantized{name: s.Name, cols: s.N, depth: s.K, maxRows: s.MaxRows, rows: rows,
		bias: s.Bias, quantize: s.Quantize, swiglu: s.SwiGLU, static: s.Static, tiling: s.Tiling}
}
