package kernels

import (
	"strings"

	"moge/ascend/kernel"
)

// NormSpec describes a normalisation of rows.
type NormSpec struct {
	Name    string
	Width   int // H: a multiple of 16, of 32 with Int8
	MaxRows int
	Eps     float32
	Add     bool // normalise x + y, and store the sum
	Half    bool // store the normalised row
	Int8    bool // store the normalised row quantized, with its scale
	Static  bool // of Int8: by a fixed scale, which is an argument
}

// Norm is RMSNorm of rows [T, H] of halves, with the addition before it and the quantization after
// it that the spec asks for (Pangu Pro MoE checkpoints: cast back to the activations' type, then
// times the weight).
//
// Arguments: x half [T, H], with Add y half [T, H]; weight half [1, H], unless Add is all; with Add
// sum half [T, H]; with Half out half [T, H]; with Int8 q int8 [T, H] and scale f32 RowScales(T),
// with Static fixedScale f32 FixedScale() in place of scale, and read; rows = T.
//
// Numerics: s = half(x + y); r = 1 / √(Σ s² · f32(1/H) + eps) in f32, the sum as a tree; h =
// half(half(s · r) · weight). Quantization as in the IR's op of that name, of h: amax = max |h|,
// q = rne(f32(h · f32(127/amax))), scale = f32(amax/127), and zeros where amax is 0. Static: the
// IR's quantize_static, the same with amax fixed, and beyond it ±127.
//
// Work: a row is a unit; rows go through rings of two, so that loads and stores run beside the
// arithmetic.
func Norm(s NormSpec) (*kernel.Kernel, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	k := &norm{spec: s, Builder: kernel.New(s.Name, s.doc())}
	k.tensors()
	k.tiles()
	k.Units("row", k.rows, k.row)
	return k.Build()
}

func (s NormSpec) check() error {
	c := specCheck{kernel: s.Name}
	c.between("MaxRows", s.MaxRows, 1, maxTokens)
	if s.Int8 {
		c.multiple("Width", s.Width, 32)
	}
	c.multiple("Width", s.Width, 16)
	c.want(s.Eps >= 0 && s.Eps < 1, "Eps", int(s.Eps), "at least 0 and below 1")
	c.want(s.Int8 || !s.Static, "Static", 1, "0 without Int8")
	c.want(s.Add || s.normalises(), "results", 0, "Half, Int8 or both, or Add alone")
	return c.err
}

func (s NormSpec) doc() string {
	var b strings.Builder
	from := "x"
	if s.Add {
		b.WriteString("sum = x + y; ")
		from = "sum"
	}
	if !s.normalises() {
		return "sum = x + y, rows of half."
	}
	b.WriteString("h = " + from + " / rms(" + from + ") * weight, rows of half")
	if s.Int8 {
		b.WriteString("; q = h * 127 / " + amaxOf("h", s.Static) + " in int8")
	}
	return b.String() + "."
}

// normalises reports whether there is more to do than the sum.
func (s NormSpec) normalises() bool { return s.Half || s.Int8 }

type norm struct {
	*kernel.Builder
	spec                            NormSpec
	rows                            kernel.Int
	x, y, weight, sum, out, q, qs   *kernel.Global
	xs, ys, outs, qTiles, scaleRing *kernel.Ring
	weightTile                      kernel.Tile
	fixed                           *fixedScale
}

func (k *norm) tensors() {
	k.rows = k.Param("rows", 1, k.spec.MaxRows)
	shape := kernel.Matrix(k.rows, k.spec.Width)
	k.x = k.Input("x", kernel.F16, shape)
	if k.spec.Add {
		k.y = k.Input("y", kernel.F16, shape)
	}
	if k.spec.normalises() {
		k.weight = k.Input("weight", kernel.F16, kernel.Matrix(n(1), k.spec.Width))
	}
	if k.spec.Add {
		k.sum = k.Output("sum", kernel.F16, shape)
	}
	if k.spec.Half {
		k.out = k.Output("out", kernel.F16, shape)
	}
	if k.spec.Int8 {
		k.q = k.Output("q", kernel.I8, shape)
	}
	if k.spec.Int8 && !k.spec.Static {
		k.qs = k.Output("scale", kernel.F32, RowScales(k.rows))
	}
}

func (k *norm) tiles() {
	half := kernel.VecTile(kernel.F16, 1, k.spec.Width)
	if k.spec.normalises() {
		k.weightTile = k.Tile("weightTile", half)
		k.Load(k.weightTile, k.weight.All())
		k.outs = k.Ring("outTile", 2, half)
	}
	k.xs = k.Ring("xTile", 2, half)
	if k.spec.Add {
		k.ys = k.Ring("yTile", 2, half)
	}
	if k.spec.Int8 {
		k.qTiles = k.Ring("qTile", 2, kernel.VecTile(kernel.I8, 1, k.spec.Width))
	}
	if k.spec.Static {
		k.fixed = newFixedScale(k.Builder, true, false)
	} else if k.spec.Int8 {
		k.scaleRing = k.Ring("scaleTile", 2, kernel.VecTile(kernel.F32, 1, lanes))
	}
}

// row is one unit of work.
func (k *norm) row(u kernel.Int) {
	x := k.xs.Next()
	k.Load(x, k.x.Rows(u, n(1)))
	if k.spec.Add {
		y := k.ys.Next()
		k.Load(y, k.y.Rows(u, n(1)))
		k.Note("sum = half(x + y)")
		k.Add(x, x, y)
		k.Store(k.sum.Rows(u, n(1)), x)
	}
	if k.spec.normalises() {
		k.normalised(u, x)
	}
}

// normalised stores what the spec asks for of the normalised row.
func (k *norm) normalised(u kernel.Int, x kernel.Tile) {
	wide := kernel.VecTile(kernel.F32, 1, k.spec.Width)
	f, square := k.Tile("wide", wide), k.Tile("square", wide)
	work := k.Tile("work", workTile(k.spec.Width, false))
	out := k.outs.Next()
	k.normalise(out, x, f, square, work)
	if k.spec.Half {
		k.Store(k.out.Rows(u, n(1)), out)
	}
	if k.spec.Int8 {
		k.quantize(u, out, f, square, work)
	}
}

// normalise sets out = half(half(x / rms(x)) * weight).
func (k *norm) normalise(out, x, f, square, work kernel.Tile) {
	k.Note("rms = sqrt(mean(x * x) + eps), squares exact in f32")
	k.Cast(f, x, kernel.Exact)
	k.Mul(square, f, f)
	rms := k.Tile("rmsTile", kernel.VecTile(kernel.F32, 1, lanes)).Span(n(0), n(1))
	k.ReduceSum(rms, square, work)
	k.Muls(rms, rms, kernel.F(1/float32(k.spec.Width)))
	k.Adds(rms, rms, kernel.F(k.spec.Eps))
	k.Sqrt(rms, rms)
	inverse := k.LetFloat("inverse", kernel.F(1).Div(k.ReadFloat("rms", rms)))
	k.Note("out = half(half(x / rms) * weight)")
	k.Muls(f, f, inverse)
	k.Cast(out, f, kernel.Nearest)
	k.Mul(out, out, k.weightTile)
}

// quantize stores out as int8, with its scale unless that is fixed.
func (k *norm) quantize(u kernel.Int, out, f, square, work kernel.Tile) {
	k.Note("q = rne(out * 127 / " + amaxOf("out", k.spec.Static) + ")")
	k.Cast(f, out, kernel.Exact)
	r := rowQuantization{x: f, magnitude: square, work: work, q: k.qTiles.Next(), fixed: k.fixed,
		half: k.Tile("narrow", kernel.VecTile(kernel.F16, 1, k.spec.Width))}
	if k.fixed == nil {
		r.scale = k.scaleRing.Next()
	}
	quantizeRow(k.Builder, r)
	k.Store(k.q.Rows(u, n(1)), r.q)
	if k.fixed == nil {
		k.Store(k.qs.Rows(u, n(1)), r.scale)
	}
}
