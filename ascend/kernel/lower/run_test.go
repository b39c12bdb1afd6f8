package lower

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
	"moge/ir/dtype"
)

// needCompiler skips loudly where no C++ compiler is installed, and fails in CI.
func needCompiler(t testing.TB) {
	t.Helper()
	err := emu.Available()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip("SKIPPED: ", err)
}

// onChips runs a test for a chip of each family.
func onChips(t *testing.T, test func(*testing.T, *soc.Chip)) {
	for _, name := range []string{"Ascend310P3", "Ascend910B4"} {
		t.Run(name, func(t *testing.T) { test(t, chipNamed(t, name)) })
	}
}

// rig is a set of lowered kernels compiled together on one emulated device.
type rig struct {
	t   testing.TB
	dev *emu.Device
}

func compile(t testing.TB, programs ...*device.Program) *rig {
	t.Helper()
	needCompiler(t)
	var sources []emu.Source
	for _, p := range programs {
		sources = append(sources, emu.Source{Name: p.Name, Text: string(device.Print(p, device.CANN8))})
	}
	lib, err := emu.Compile(context.Background(), programs[0].Chip, sources)
	if err != nil {
		t.Fatalf("%v\n%s", err, sources[0].Text)
	}
	dev, err := lib.Start(context.Background(), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return &rig{t, dev}
}

// trial is one launch: values of parameters by name, tensors by name; a missing output is zeros.
type trial struct {
	blocks int
	params map[string]int
	data   map[string][]byte
	seed   uint64
}

// launch runs p and returns its findings; data of outputs is replaced by what the kernel wrote.
func (r *rig) launch(p *device.Program, c *trial) []emu.Finding {
	r.t.Helper()
	r.dev.Reset()
	var args []emu.Arg
	var at []emu.Addr
	value := func(v *scalar.Var) int64 { return int64(c.params[v.Name]) }
	for _, g := range p.Globals {
		size := g.Bytes(value)
		a, err := r.dev.Alloc(size)
		if err != nil {
			r.t.Fatal(err)
		}
		copy(r.dev.Bytes(a, size), c.data[g.Name])
		at = append(at, a)
		args = append(args, emu.Tensor(a, size, roleOf(g), padding(g, size, value)...))
	}
	for _, v := range p.Params {
		args = append(args, emu.Int32(int32(c.params[v.Name])))
	}
	res, err := r.dev.Launch(context.Background(), emu.Launch{Kernel: p.Name, Blocks: c.blocks,
		Args: args,
		Seed: c.seed, Twice: true})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, g := range p.Globals {
		if g.Role != kernel.In {
			size := g.Bytes(value)
			c.data[g.Name] = append([]byte(nil), r.dev.Bytes(at[i], size)...)
		}
	}
	return res.Findings
}

func roleOf(g *kernel.Global) emu.Role {
	if g.Name == SyncArea {
		return emu.Zeroed
	}
	return map[kernel.Role]emu.Role{kernel.In: emu.In, kernel.Out: emu.Out, kernel.InOut: emu.InOut,
		kernel.Scratch: emu.Workspace, kernel.Exchange: emu.Workspace}[g.Role]
}

// padding is the rows of one matrix beyond those that it has.
func padding(g *kernel.Global, size int64, value func(*scalar.Var) int64) []emu.Span {
	if !g.Shape.Batch.Is(1) || g.Shape.Layout == kernel.NZ {
		return nil
	}
	used := g.Shape.Rows.Eval(value) * int64(g.Pitch()) * int64(g.Elem.Bits()) / 8
	if used == size {
		return nil
	}
	return []emu.Span{{Off: used, Len: size - used}}
}

func (r *rig) clean(p *device.Program, c *trial) {
	r.t.Helper()
	for i, f := range r.launch(p, c) {
		if i < 5 {
			r.t.Errorf("%v", f)
		}
	}
	if r.t.Failed() {
		r.t.Fatalf("params %v\n%s", c.params, device.Print(p, device.CANN8))
	}
}

func halves(xs ...float32) []byte {
	out := make([]byte, 2*len(xs))
	dtype.Encode(dtype.F16, out, xs)
	return out
}

func floats(xs ...float32) []byte {
	out := make([]byte, 4*len(xs))
	dtype.Encode(dtype.F32, out, xs)
	return out
}

func fromHalves(b []byte) []float32 {
	out := make([]float32, len(b)/2)
	dtype.Decode(dtype.F16, out, b)
	return out
}

func fromInts(b []byte) []int32 {
	out := make([]int32, len(b)/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// wave is values of a fixed irregular sequence in (-1, 1).
func wave(count int) []float32 {
	out := make([]float32, count)
	for i := range out {
		out[i] = float32(math.Sin(float64(i*i%977) + 0.5))
	}
	return out
}

func asHalf(x float32) float32 { return dtype.F16ToF32(dtype.F32ToF16(x)) }

func TestScaleRowsRuns(t *testing.T) { onChips(t, runScaleRows) }

func runScaleRows(t *testing.T, chip *soc.Chip) {
	p := loweredFor(t, scaleRows(), chip)
	r := compile(t, p)
	for _, rows := range []int{1, 15, 16, 17, 33, 200} {
		x := wave(rows * 256)
		c := &trial{blocks: 3, params: map[string]int{"rows": rows},
			data: map[string][]byte{"x": halves(x...)}, seed: 7}
		r.clean(p, c)
		for i, y := range fromHalves(c.data["y"])[:rows*256] {
			if want := asHalf(asHalf(x[i]) * 0.5); y != want {
				t.Fatalf("rows %d: y[%d] = %v, want %v", rows, i, y, want)
			}
		}
	}
}

func TestAddNormRuns(t *testing.T) { onChips(t, runAddNorm) }

func runAddNorm(t *testing.T, chip *soc.Chip) {
	const width = 320
	p := loweredFor(t, addNorm(), chip)
	r := compile(t, p)
	for _, rows := range []int{1, 2, 9} {
		x, res, gain := wave(rows*width), wave(rows * width * 2)[rows*width:], wave(width)
		c := &trial{blocks: 4, params: map[string]int{"rows": rows}, seed: 3, data: map[string][]byte{
			"x": halves(x...), "r": halves(res...), "gain": floats(gain...)}}
		r.clean(p, c)
		sum, y := fromHalves(c.data["sum"]), fromHalves(c.data["y"])
		for row := range rows {
			checkNorm(t, x[row*width:][:width], res[row*width:][:width], gain, sum[row*width:],
				y[row*width:])
		}
	}
}

// checkNorm allows for the sum of 320 squares, a root and three products in float, then half an ulp
// of half: 2^-11 relative, and 330 roundings of 2^-24.
func checkNorm(t *testing.T, x, res, gain, sum, y []float32) {
	t.Helper()
	square := 0.0
	for i := range x {
		s := asHalf(asHalf(x[i]) + asHalf(res[i]))
		if sum[i] != s {
			t.Fatalf("sum[%d] = %v, want %v", i, sum[i], s)
		}
		square += float64(s) * float64(s)
	}
	rms := math.Sqrt(square/float64(len(x)) + 1e-5)
	for i := range x {
		want := float64(sum[i]) / rms * float64(gain[i])
		bound := math.Abs(want)*(math.Ldexp(1, -11)+330*math.Ldexp(1, -24)) + math.Ldexp(1, -25)
		if math.Abs(float64(y[i])-want) > bound {
			t.Fatalf("y[%d] = %v, want %v within %v", i, y[i], want, bound)
		}
	}
}

// packNZ puts an int8 matrix [rows, cols] in NZ.
func packNZ(x []int8, rows, cols int) []byte {
	out := make([]byte, (rows+15)/16*16*((cols+31)/32*32))
	padded := (rows + 15) / 16 * 16
	for i := range rows {
		for j := range cols {
			out[j/32*padded*32+i*32+j%32] = byte(x[i*cols+j])
		}
	}
	return out
}

func bytesOf(x []int8) []byte {
	out := make([]byte, len(x))
	for i, v := range x {
		out[i] = byte(v)
	}
	return out
}

func ramp8(count, step int) []int8 {
	out := make([]int8, count)
	for i := range out {
		out[i] = int8((i*step)%255 - 127)
	}
	return out
}

func TestInt8LinearRuns(t *testing.T) { onChips(t, runInt8Linear) }

func runInt8Linear(t *testing.T, chip *soc.Chip) {
	shapes := []struct{ m, n, k int }{{32, 48, 64}, {16, 16, 32}, {16, 64, 4096 + 96}, {128, 32, 1024}}
	for _, s := range shapes {
		p := loweredFor(t, int8Linear(s.m, s.n, s.k), chip)
		r := compile(t, p)
		x, w := ramp8(s.m*s.k, 37), ramp8(s.n*s.k, 53)
		scale := wave(s.n)
		for i := range scale {
			scale[i] /= 4096
		}
		c := &trial{blocks: 2, seed: 5, data: map[string][]byte{
			"x": bytesOf(x), "w": packNZ(w, s.n, s.k), "scale": floats(scale...)}}
		r.clean(p, c)
		y := fromHalves(c.data["y"])
		for i := range s.m {
			for j := range s.n {
				acc := int32(0)
				for k := range s.k {
					acc += int32(x[i*s.k+k]) * int32(w[j*s.k+k])
				}
				if want := asHalf(float32(acc) * scale[j]); y[i*s.n+j] != want {
					t.Fatalf("%v: y[%d, %d] = %v, want %v", s, i, j, y[i*s.n+j], want)
				}
			}
		}
	}
}
