package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"moge/ascend/kernel"
)

// testLinears have tilings of their own, so that small shapes have several chunks, steps and
// passes.
var testLinears = []LinearSpec{
	{Name: "linear_small", N: 80, K: 96, MaxRows: 64, Bias: true,
		Tiling: Tiling{Parts: 8, Rows: 32, Cols: 32, Step: 16, Staged: true}},
	{Name: "linear_direct", N: 720, K: 64, MaxRows: 64,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 48, Step: 48}},
	{Name: "linear_quantize", N: 112, K: 80, MaxRows: 64, Quantize: true, Bias: true,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 64, Step: 32, Staged: true}},
	{Name: "linear_swiglu", N: 160, K: 128, MaxRows: 64, SwiGLU: true,
		Tiling: Tiling{Parts: 8, Rows: 32, Cols: 128, Step: 64, Staged: true}},
}

// trueLinears are layers of Pangu Pro MoE: q, k and v of one chip of four, and the shared experts'
// down projection whole.
var trueLinears = []LinearSpec{
	{Name: "linear_qkv", N: 1792, K: 5120, MaxRows: 64, Bias: true},
	{Name: "linear_shared", N: 5120, K: 5376, MaxRows: 32, Quantize: true},
}

func withTiling(t testing.TB, s LinearSpec) LinearSpec {
	t.Helper()
	if s.Tiling.Rows == 0 {
		tiling, err := s.Choose(chip(t))
		if err != nil {
			t.Fatal(err)
		}
		s.Tiling = tiling
	}
	return s
}

func TestLinear(t *testing.T) {
	var ks []*kernel.Kernel
	for _, s := range testLinears {
		ks = append(ks, built(t)(Linear(s)))
	}
	r := newRig(t, 64, ks...)
	for _, s := range testLinears {
		var w worst
		for i, rows := range tokenCounts {
			checkLinear(t, r, s, rows, uint64(1+i%2), &w)
		}
		t.Logf("%s: largest error %.2f of the bound", s.Name, w.share)
	}
}

func TestLinearTrueShapes(t *testing.T) {
	var ks []*kernel.Kernel
	var specs []LinearSpec
	for _, s := range trueLinears {
		s = withTiling(t, s)
		specs = append(specs, s)
		ks = append(ks, built(t)(Linear(s)))
	}
	r := newRig(t, 128, ks...)
	for _, s := range specs {
		var w worst
		for i, rows := range []int{1, s.MaxRows - 13} {
			checkLinear(t, r, s, rows, uint64(1+i), &w)
		}
	}
}

// checkLinear compares integers and f32 chains bit for bit; with SwiGLU as swigluBound says.
func checkLinear(t *testing.T, r *rig, s LinearSpec, rows int, seed uint64, w *worst) {
	t.Helper()
	g := matrices{experts: 1, cols: s.N, depth: s.K}
	g.fill(seed, s.Bias)
	in := newRows(seed+1, rows, s.K)
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"rows": rows},
		tensors: in.tensors(s.Quantize)}
	if rows%8 == 7 { // fewer blocks than parts: each takes several
		c.blocks = 3
	}
	g.into(c)
	r.run(c)
	checkProduct(t, c, g, in, []int32{0, int32(rows)}, s.SwiGLU, w)
}

// matrices is random int8 weights of some experts with channel scales.
type matrices struct {
	experts, cols, depth int
	w                    []int8
	scale, bias          []float32
}

func (m *matrices) fill(seed uint64, bias bool) {
	r := rand.New(rand.NewPCG(seed, 2))
	m.w = make([]int8, m.experts*m.cols*m.depth)
	for i := range m.w {
		m.w[i] = int8(r.IntN(255) - 127)
	}
	m.scale = make([]float32, m.experts*m.cols)
	for i := range m.scale {
		m.scale[i] = float32((0.5 + r.Float64()) / 127 / math.Sqrt(float64(m.depth)))
	}
	if bias {
		m.bias = make([]float32, m.cols)
		for i := range m.bias {
			m.bias[i] = float32(r.NormFloat64())
		}
	}
}

// into puts the tensors of m into a launch; the padding of rows of scales stays zero.
func (m *matrices) into(c *launch) {
	for e := range m.experts {
		w := m.w[e*m.cols*m.depth:][:m.cols*m.depth]
		c.tensors["weight"] = append(c.tensors["weight"], nzInt8s(w, m.cols, m.depth)...)
	}
	c.tensors["weightScale"] = floats(m.scale)
	if m.bias != nil {
		c.tensors["bias"] = floats(m.bias)
	}
}

// quantizedRows is int8 rows with their scales, and the halves that they come from.
type quantizedRows struct {
	rows, depth int
	half        []float32
	q           []int8
	scale       []float32
}

func newRows(seed uint64, rows, depth int) *quantizedRows {
	in := &quantizedRows{rows: rows, depth: depth, half: normals(seed, rows*depth, 2)}
	if rows > 2 {
		clear(in.half[depth : 2*depth])
	}
	for r := range rows {
		q, scale := quantizedRow(in.half[r*depth:][:depth])
		in.q, in.scale = append(in.q, q...), append(in.scale, scale)
	}
	return in
}

// quantizedRow is the IR's quantize for one row of halves.
func quantizedRow(row []float32) (q []int8, scale float32) {
	top := float32(0)
	for _, x := range row {
		top = max(top, float32(math.Abs(float64(x))))
	}
	by := float32(0)
	if top > 0 {
		by = 127 / top
	}
	for _, x := range row {
		q = append(q, int8(math.RoundToEven(float64(x*by))))
	}
	return q, top / 127
}

func (in *quantizedRows) tensors(quantize bool) map[string][]byte {
	if quantize {
		return map[string][]byte{"x": halves(in.half)}
	}
	scales := make([]float32, in.rows*lanes)
	for i := range scales {
		scales[i] = in.scale[i/lanes]
	}
	return map[string][]byte{"x": int8s(in.q), "xScale": floats(scales)}
}

// checkProduct compares y of a launch with the sums, scaled in the order of qlinear.
func checkProduct(t *testing.T, c *launch, m matrices, in *quantizedRows, offsets []int32,
	swiglu bool, w *worst) {
	t.Helper()
	y := c.halves("y")
	for e := range m.experts {
		for r := int(offsets[e]); r < int(offsets[e+1]); r++ {
			want := m.row(e, in.q[r*in.depth:][:in.depth], in.scale[r])
			if swiglu {
				checkSwiGLURow(t, c.kernel, y[r*m.cols/2:][:m.cols/2], want, w)
				continue
			}
			for j, v := range want {
				if got := y[r*m.cols+j]; got != asHalf(v) {
					t.Fatalf("%s %v: y[%d, %d] = %v, want %v", c.kernel, c.params, r, j, got, asHalf(v))
				}
			}
		}
	}
}

// row is one row times the weights of an expert.
func (m *matrices) row(e int, q []int8, scale float32) []float32 {
	out := make([]float32, m.cols)
	for j := range out {
		sum := int32(0)
		for k, w := range m.w[(e*m.cols+j)*m.depth:][:m.depth] {
			sum += int32(w) * int32(q[k])
		}
		out[j] = float32(float32(float32(sum)*m.scale[e*m.cols+j]) * scale)
		if m.bias != nil {
			out[j] += m.bias[j]
		}
	}
	return out
}

// checkSwiGLURow bounds silu(g) · u: exp within 2 units of 2^-24, then one rounding of a sum, a
// quotient and a product in f32, and one to half, whose least step is 2^-24. Below -80 the kernel's
// silu is -80 · e^-80, and both are 0 as halves.
func checkSwiGLURow(t *testing.T, name string, got, columns []float32, w *worst) {
	t.Helper()
	for i := range got {
		at := i/16*32 + i%16
		g, u := float64(columns[at]), float64(columns[at+16])
		want := g / (1 + math.Exp(-g)) * u
		bound := math.Abs(want)*(math.Ldexp(1, -11)+6*math.Ldexp(1, -24)) + math.Ldexp(1, -25)
		w.within(t, name, got[i], want, bound)
	}
}
