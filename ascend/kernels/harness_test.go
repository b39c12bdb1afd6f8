package kernels

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
	"moge/ir/dtype"
)

// cores is the number of blocks that launches of tests have unless they say otherwise.
const cores = 8

// rig is an emulated 310P chip with kernels compiled together.
type rig struct {
	t        testing.TB
	dev      *emu.Device
	programs map[string]*device.Program
}

// launch is one run: values of parameters and contents of tensors by name. Tensors that are missing
// start as zeros. After the run tensors holds what the kernel wrote.
type launch struct {
	kernel  string
	blocks  int // 0: cores
	params  map[string]int
	tensors map[string][]byte
	seed    uint64
}

func chip(t testing.TB) *soc.Chip {
	t.Helper()
	for _, c := range soc.Chips() {
		if c.Name() == "Ascend310P3" {
			return c
		}
	}
	t.Fatal("no chip Ascend310P3")
	return nil
}

// built unwraps a kernel that a test needs.
func built(t testing.TB) func(k *kernel.Kernel, err error) *kernel.Kernel {
	return func(k *kernel.Kernel, err error) *kernel.Kernel {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
}

// all makes a kernel of each spec.
func all[S any](t testing.TB, of func(S) (*kernel.Kernel, error), specs []S) []*kernel.Kernel {
	t.Helper()
	var ks []*kernel.Kernel
	for _, s := range specs {
		ks = append(ks, built(t)(of(s)))
	}
	return ks
}

// newRig lowers and compiles kernels for a device with so many MiB of memory. Without a C++
// compiler the test is skipped, loudly, and fails in CI.
func newRig(t testing.TB, mebibytes int64, ks ...*kernel.Kernel) *rig {
	t.Helper()
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	r := &rig{t: t, programs: map[string]*device.Program{}}
	var sources []emu.Source
	for _, k := range ks {
		p, err := lower.Lower(k, chip(t))
		if err != nil {
			t.Fatal(err)
		}
		r.programs[k.Name] = p
		text := string(device.Print(p, device.CANN8))
		sources = append(sources, emu.Source{Name: k.Name, Text: text})
	}
	lib, err := emu.Compile(context.Background(), chip(t), sources)
	if err != nil {
		t.Fatal(err)
	}
	r.dev, err = lib.Start(context.Background(), mebibytes<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.dev.Close()
		lib.Close()
	})
	return r
}

// run launches a kernel twice on dirty memory, in a random legal order for a seed, and fails the
// test on any finding.
func (r *rig) run(c *launch) {
	r.t.Helper()
	p := r.programs[c.kernel]
	found := r.launch(p, c)
	for i, f := range found {
		if i < 5 {
			r.t.Errorf("%v", f)
		}
	}
	if len(found) > 0 {
		if testing.Verbose() {
			r.t.Logf("%s", device.Print(p, device.CANN8))
		}
		r.t.Fatalf("%s %v: %d findings", c.kernel, c.params, len(found))
	}
}

func (r *rig) launch(p *device.Program, c *launch) []emu.Finding {
	r.t.Helper()
	r.dev.Reset()
	value := func(v *scalar.Var) int64 {
		x, ok := c.params[v.Name]
		if !ok {
			r.t.Fatalf("%s: no value for the parameter %s", c.kernel, v.Name)
		}
		return int64(x)
	}
	if c.blocks == 0 {
		c.blocks = cores
	}
	r.known(p, c)
	args := make([]emu.Arg, 0, len(p.Globals)+len(p.Params))
	at := make([]emu.Addr, len(p.Globals))
	for i, g := range p.Globals {
		at[i] = r.place(g, c, value)
		size := bytesOf(g, value)
		args = append(args, emu.Tensor(at[i], size, roleOf(g), padding(g, size, value)...))
	}
	for _, v := range p.Params {
		args = append(args, emu.Int32(int32(value(v))))
	}
	res, err := r.dev.Launch(context.Background(), emu.Launch{Kernel: p.Name, Blocks: c.blocks,
		Args: args, Seed: c.seed, Twice: true})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, g := range p.Globals {
		if g.Role != kernel.In {
			c.tensors[g.Name] = append([]byte(nil), r.dev.Bytes(at[i], bytesOf(g, value))...)
		}
	}
	return res.Findings
}

// known refuses tensors that the kernel does not have.
func (r *rig) known(p *device.Program, c *launch) {
	r.t.Helper()
	if c.tensors == nil {
		c.tensors = map[string][]byte{}
	}
	names := map[string]bool{}
	for _, g := range p.Globals {
		names[g.Name] = true
	}
	for name := range c.tensors {
		if !names[name] {
			r.t.Fatalf("%s has no tensor %s", c.kernel, name)
		}
	}
}

func (r *rig) place(g *kernel.Global, c *launch, value func(*scalar.Var) int64) emu.Addr {
	r.t.Helper()
	size := bytesOf(g, value)
	at, err := r.dev.Alloc(size)
	if err != nil {
		r.t.Fatal(err)
	}
	data := c.tensors[g.Name]
	if int64(len(data)) > size {
		r.t.Fatalf("%s: %d bytes for %s, which has %d", c.kernel, len(data), g.Name, size)
	}
	to := r.dev.Bytes(at, size)
	clear(to)
	copy(to, data)
	return at
}

func bytesOf(g *kernel.Global, value func(*scalar.Var) int64) int64 {
	return g.Elems().Eval(value) * int64(g.Elem.Bits()) / 8
}

func roleOf(g *kernel.Global) emu.Role {
	if g.Name == "syncArea" {
		return emu.Zeroed
	}
	return [...]emu.Role{kernel.In: emu.In, kernel.Out: emu.Out, kernel.InOut: emu.InOut,
		kernel.Scratch: emu.Workspace}[g.Role]
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

// Values of tests, and their bytes as the device has them.

// normals is count values of a normal distribution with the given deviation, rounded to half.
func normals(seed uint64, count int, deviation float64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]float32, count)
	for i := range out {
		out[i] = asHalf(float32(r.NormFloat64() * deviation))
	}
	return out
}

func asHalf(x float32) float32 { return dtype.F16ToF32(dtype.F32ToF16(x)) }

func halves(xs []float32) []byte {
	out := make([]byte, 2*len(xs))
	dtype.Encode(dtype.F16, out, xs)
	return out
}

func floats(xs []float32) []byte {
	out := make([]byte, 4*len(xs))
	dtype.Encode(dtype.F32, out, xs)
	return out
}

func ints(xs []int32) []byte {
	out := make([]byte, 4*len(xs))
	for i, x := range xs {
		binary.LittleEndian.PutUint32(out[4*i:], uint32(x))
	}
	return out
}

func int8s(xs []int8) []byte {
	out := make([]byte, len(xs))
	for i, x := range xs {
		out[i] = byte(x)
	}
	return out
}

func (c *launch) halves(name string) []float32 {
	out := make([]float32, len(c.tensors[name])/2)
	dtype.Decode(dtype.F16, out, c.tensors[name])
	return out
}

func (c *launch) floats(name string) []float32 {
	out := make([]float32, len(c.tensors[name])/4)
	dtype.Decode(dtype.F32, out, c.tensors[name])
	return out
}

func (c *launch) ints(name string) []int32 {
	out := make([]int32, len(c.tensors[name])/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(c.tensors[name][4*i:]))
	}
	return out
}

func (c *launch) int8s(name string) []int8 {
	out := make([]int8, len(c.tensors[name]))
	for i, b := range c.tensors[name] {
		out[i] = int8(b)
	}
	return out
}

// spread puts rows of width elements at a pitch, zeros between them.
func spread[E any](xs []E, width, pitch int) []E {
	out := make([]E, len(xs)/width*pitch)
	for r := range len(xs) / width {
		copy(out[r*pitch:], xs[r*width:(r+1)*width])
	}
	return out
}

// nzHalves puts a matrix [rows, cols] in NZ as halves: [cols/16][rows to 16][16].
func nzHalves(xs []float32, rows, cols int) []byte {
	padded := (rows + 15) / 16 * 16
	out := make([]float32, padded*((cols+15)/16*16))
	for i := range rows {
		for j := range cols {
			out[j/16*padded*16+i*16+j%16] = xs[i*cols+j]
		}
	}
	return halves(out)
}

// nzInt8s puts a matrix [rows, cols] in NZ as int8: [cols/32][rows to 16][32].
func nzInt8s(xs []int8, rows, cols int) []byte {
	padded := (rows + 15) / 16 * 16
	out := make([]int8, padded*((cols+31)/32*32))
	for i := range rows {
		for j := range cols {
			out[j/32*padded*32+i*32+j%32] = xs[i*cols+j]
		}
	}
	return int8s(out)
}

// worst keeps the largest error in parts of its bound.
type worst struct{ share float64 }

// within fails where got is further from want than bound.
func (w *worst) within(t testing.TB, what string, got float32, want, bound float64) {
	t.Helper()
	off := math.Abs(float64(got) - want)
	if !(off <= bound) {
		t.Fatalf("%s is %v, want %v within %v", what, got, want, bound)
	}
	if bound > 0 {
		w.share = max(w.share, off/bound)
	}
}

// tokenCounts are the numbers of tokens around every edge of a block of 16.
var tokenCounts = []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64}
