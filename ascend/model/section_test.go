package model

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"moge/codegen"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
	"moge/tests/fixture"
)

// weight declares a random weight of halves.
func weight(m fixture.Memory, b *ir.Builder, name string, dims ...int64) *ir.Value {
	r := rand.New(rand.NewPCG(3, uint64(len(m))))
	t := tensor.New(dtype.F16, dims...)
	for i := range t.F32 {
		t.F32[i] = tensor.Round(dtype.F16, float32(r.NormFloat64()))
	}
	m[name] = t
	return b.Weight(name, dtype.F16, dims...)
}

// filled evaluates all units into sections, each byte once; step items a unit.
func filled(t *testing.T, b *builder, src fixture.Memory, step int64) [][]byte {
	t.Helper()
	if _, err := b.plan(); err != nil { // gives sections their sizes
		t.Fatal(err)
	}
	sections, written := make([][]byte, len(b.sections)), make([][]byte, len(b.sections))
	for i, s := range b.sections {
		sections[i], written[i] = make([]byte, s.Size), make([]byte, s.Size)
	}
	for _, w := range b.work {
		w.Step = min(w.Step, step)
		for _, u := range w.Units() {
			out := make([][]byte, len(u.Extents))
			for i, e := range u.Extents {
				out[i] = bytes.Repeat([]byte{0xa5}, int(e.Size)) // padding must be written too
			}
			if err := u.Eval.Eval(src, u.Lo, u.Hi, out); err != nil {
				t.Fatal(err)
			}
			if err := placed(u, out, sections, written); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, w := range written {
		if at := bytes.IndexByte(w, 0); at >= 0 {
			t.Fatalf("section %s: byte %d of %d is not written", b.sections[i].Name, at, len(w))
		}
	}
	return sections
}

func placed(u codegen.Unit, out, sections, written [][]byte) error {
	for i, e := range u.Extents {
		for j, x := range out[i] {
			at := e.Offset + int64(j)
			if written[e.Section][at] != 0 {
				return fmt.Errorf("byte %d of section %d is written twice", at, e.Section)
			}
			sections[e.Section][at], written[e.Section][at] = x, 1
		}
	}
	return nil
}

// nz is the element of a matrix [rows, k] in NZ with columns of width elements, zero outside.
func nz[E any](rows, k, width int, at func(r, c int) E) []E {
	var out []E
	for c0 := 0; c0 < k; c0 += width {
		for r := range rows {
			for c := c0; c < c0+width; c++ {
				var x E
				if c < k {
					x = at(r, c)
				}
				out = append(out, x)
			}
		}
	}
	return out
}

func TestHalvesInNZ(t *testing.T) {
	for _, c := range []struct{ rows, blocks, block, k int }{
		{16, 1, 16, 16}, {64, 1, 64, 48}, {50, 1, 64, 32}, {100, 2, 64, 32}, {130, 3, 48, 80},
	} {
		for _, step := range []int64{1, 1 << 20} {
			src, g := fixture.Memory{}, ir.NewBuilder("w")
			v := weight(src, g, "w", int64(c.rows), int64(c.k))
			b := newBuilder(g.Graph, nil, Limits{})
			b.nzHalves("w", v, c.blocks, c.block)
			var want []float32
			for m := range c.blocks {
				want = append(want, nz(c.block, c.k, 16, func(r, col int) float32 {
					if row := m*c.block + r; row < c.rows {
						return src["w"].F32[row*c.k+col]
					}
					return 0
				})...)
			}
			raw := make([]byte, 2*len(want))
			dtype.Encode(dtype.F16, raw, want)
			if got := filled(t, b, src, step)[0]; !bytes.Equal(got, raw) {
				t.Errorf("%+v, %d items a unit: the section differs", c, step)
			}
		}
	}
}

// A vocabulary's weights in int8, in blocks of which the last is padded, or nothing but padding.
func TestInt8BlocksInNZ(t *testing.T) {
	for _, c := range []struct{ rows, blocks, block, k int }{
		{16, 1, 16, 32}, {50, 1, 64, 32}, {100, 2, 64, 48}, {130, 3, 48, 96}, {16, 2, 16, 32},
	} {
		for _, step := range []int64{1, 1 << 20} {
			src, g := fixture.Memory{}, ir.NewBuilder("w")
			w := weight(src, g, "w", int64(c.rows), int64(c.k))
			quantized := g.Add(ir.OpQuantizeWeight, "w", []*ir.Value{w})
			q, s := constant(t, quantized[0], src), constant(t, quantized[1], src)
			b := newBuilder(g.Graph, nil, Limits{})
			b.nzInt8Blocks("w", quantized[0], quantized[1], c.blocks, c.block)
			var want []byte
			for m := range c.blocks {
				want = append(want, nz(c.block, c.k, 32, func(r, col int) byte {
					if row := m*c.block + r; row < c.rows {
						return byte(q.I8[row*c.k+col])
					}
					return 0
				})...)
			}
			scales := make([]byte, 4*c.blocks*c.block)
			dtype.Encode(dtype.F32, scales[:4*c.rows], s.F32)
			got := filled(t, b, src, step)
			if !bytes.Equal(got[0], want) || !bytes.Equal(got[1], scales) {
				t.Errorf("%+v, %d items a unit: a section differs", c, step)
			}
		}
	}
}

func constant(t *testing.T, v *ir.Value, src fixture.Memory) *tensor.Tensor {
	t.Helper()
	out, err := interp.Constant(v, src)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInt8InNZ(t *testing.T) {
	for _, c := range []struct {
		experts, rows, k int
		pairs            bool
	}{{1, 16, 32, false}, {1, 48, 80, false}, {3, 32, 16, false}, {1, 64, 64, true}, {3, 96, 48, true}} {
		for _, step := range []int64{1, 1 << 20} {
			src, g := fixture.Memory{}, ir.NewBuilder("w")
			w := weight(src, g, "w", int64(c.experts), int64(c.rows), int64(c.k))
			quantized := g.Add(ir.OpQuantizeWeight, "w", []*ir.Value{w})
			q, s := quantized[0], quantized[1]
			values, scales := constant(t, q, src), constant(t, s, src)
			b := newBuilder(g.Graph, nil, Limits{})
			b.nzInt8s("w", q, s, c.pairs)
			var want []int8
			var wantScales []float32
			for e := range c.experts {
				from := func(r int) int { return e*c.rows + stored(r, c.rows, c.pairs) }
				want = append(want, nz(c.rows, c.k, 32, func(r, col int) int8 {
					return values.I8[from(r)*c.k+col]
				})...)
				for r := range c.rows {
					wantScales = append(wantScales, scales.F32[from(r)])
				}
			}
			got := filled(t, b, src, step)
			raw := make([]byte, len(want))
			for i, x := range want {
				raw[i] = byte(x)
			}
			rawScales := make([]byte, 4*len(wantScales))
			dtype.Encode(dtype.F32, rawScales, wantScales)
			if !bytes.Equal(got[0], raw) || !bytes.Equal(got[1], rawScales) {
				t.Errorf("%+v, %d items a unit: a section differs", c, step)
			}
		}
	}
}

// stored is the row of the weight that row r in NZ is: with pairs 16 of gate, 16 of up, in turn.
func stored(r, rows int, pairs bool) int {
	if !pairs {
		return r
	}
	return r/32*16 + r%16 + r%32/16*rows/2
}
