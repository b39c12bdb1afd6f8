package cpu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"moge/codegen"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
	"moge/runtime/kernels"
)

// fillSections evaluates units into the bytes of count sections, each byte once.
func fillSections(t testing.TB, units []codegen.Unit, src memory, count int) [][]byte {
	t.Helper()
	sections := make([][]byte, count)
	for _, u := range units {
		out := make([][]byte, len(u.Extents))
		for i, e := range u.Extents {
			out[i] = bytes.Repeat([]byte{0xa5}, int(e.Size)) // padding must be written too
		}
		if err := u.Eval.Eval(src, u.Lo, u.Hi, out); err != nil {
			t.Fatal(err)
		}
		for i, e := range u.Extents {
			if int64(len(sections[e.Section])) != e.Offset {
				t.Fatalf("section %d: an extent at %d after %d bytes", e.Section, e.Offset, len(sections[e.Section]))
			}
			sections[e.Section] = append(sections[e.Section], out[i]...)
		}
	}
	return sections
}

func constant(t testing.TB, v *ir.Value, src memory) *tensor.Tensor {
	t.Helper()
	c, err := interp.Constant(v, src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// packed puts matrices [N,K] of each expert one after the other in tiles.
func packed(d dtype.Type, experts [][]byte, n, k int) []byte {
	var all []byte
	for _, raw := range experts {
		tiles := make([]byte, kernels.MatrixBytes(d, n, k))
		kernels.Pack(d, tiles, raw, n, k)
		all = append(all, tiles...)
	}
	return all
}

// matrixCase is a weight in one of the forms that a linear takes.
type matrixCase struct {
	experts int // 0: a single matrix
	stacked bool
	n, k    int64
}

func (c matrixCase) String() string {
	return fmt.Sprintf("%d experts, stacked %v, [%d,%d]", c.experts, c.stacked, c.n, c.k)
}

func matrixCases() []matrixCase {
	var cases []matrixCase
	for _, n := range []int64{1, 15, 16, 17, 33} {
		for _, k := range []int64{1, 3, 4, 7, 64} {
			cases = append(cases, matrixCase{0, false, n, k}, matrixCase{3, false, n, k}, matrixCase{3, true, n, k},
				matrixCase{1, true, n, k})
		}
	}
	return cases
}

// weights declares the matrix or matrices.
func (c matrixCase) weights(b *ir.Builder, d dtype.Type) []*ir.Value {
	if c.stacked {
		return []*ir.Value{b.Weight("w", d, int64(c.experts), c.n, c.k)}
	}
	var parts []*ir.Value
	for e := range max(1, c.experts) {
		parts = append(parts, b.Weight(fmt.Sprintf("w%d", e), d, c.n, c.k))
	}
	return parts
}

// matrices gives the row-major bytes of each expert.
func (c matrixCase) matrices(t testing.TB, parts []*ir.Value, src memory) [][]byte {
	var list [][]byte
	for _, p := range parts {
		raw := constant(t, p, src).Bytes()
		size := int(p.Type.DType.Bytes(c.n * c.k))
		for ; len(raw) > 0; raw = raw[size:] {
			list = append(list, raw[:size])
		}
	}
	return list
}

func TestFloatTilesArePackedConstants(t *testing.T) {
	for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
		for _, c := range matrixCases() {
			b := ir.NewBuilder("w")
			parts := c.weights(b, d)
			src := randomWeights(b.Graph)
			want := packed(d, c.matrices(t, parts, src), int(c.n), int(c.k))
			for step := int64(1); step <= 4; step++ {
				w := tileWork(newMatrices(parts), 0)
				w.Step = step
				if got := fillSections(t, w.Units(), src, 1)[0]; !bytes.Equal(got, want) {
					t.Errorf("%v, %v, %d tiles a unit: the section differs from the packed weight", d, c, step)
				}
			}
		}
	}
}

// rowSums are those of each expert's int8 rows, padded to whole tiles.
func rowSums(experts [][]byte, n, k int) []byte {
	var raw []byte
	for _, w := range experts {
		for r := range kernels.Tiles(n) * kernels.TileRows {
			sum := int32(0)
			for c := 0; r < n && c < k; c++ {
				sum += int32(int8(w[r*k+c]))
			}
			raw = binary.LittleEndian.AppendUint32(raw, uint32(sum))
		}
	}
	return raw
}

func TestInt8TilesArePackedConstants(t *testing.T) {
	for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
		for _, c := range matrixCases() {
			b := ir.NewBuilder("w")
			var q, s []*ir.Value
			for _, w := range c.weights(b, d) {
				both := b.Add(ir.OpQuantizeWeight, "w", []*ir.Value{w})
				q, s = append(q, both[0]), append(s, both[1])
			}
			src := randomWeights(b.Graph)
			checkInt8(t, fmt.Sprintf("%v, %v, quantized here", d, c), c, q, s, src)

			var oldQ, oldS []*ir.Value
			for i := range q {
				cq, cs := constant(t, q[i], src), constant(t, s[i], src)
				name := fmt.Sprint(i)
				src["q"+name], src["s"+name] = cq, cs
				oldQ = append(oldQ, b.Weight("q"+name, dtype.I8, cq.Shape...))
				oldS = append(oldS, b.Weight("s"+name, dtype.F32, cs.Shape...))
			}
			checkInt8(t, fmt.Sprintf("%v, %v, quantized before", d, c), c, oldQ, oldS, src)
		}
	}
}

func checkInt8(t *testing.T, what string, c matrixCase, q, s []*ir.Value, src memory) {
	t.Helper()
	experts := c.matrices(t, q, src)
	var scales []byte
	for _, v := range s {
		scales = append(scales, constant(t, v, src).Bytes()...)
	}
	want := [][]byte{packed(dtype.I8, experts, int(c.n), int(c.k)), scales, rowSums(experts, int(c.n), int(c.k))}
	for step := int64(1); step <= 4; step++ {
		w := int8Work(int8Tiles{newMatrices(q), matrices{parts: s}}, 0)
		w.Step = step
		got := fillSections(t, w.Units(), src, 3)
		for i, name := range []string{"weight", "weight_scale", "row_sum"} {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%s, %d tiles a unit: %s differs", what, step, name)
			}
		}
	}
}

func TestRowSectionsAreConstants(t *testing.T) {
	for _, from := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.I32} {
		for _, to := range []dtype.Type{from, dtype.F32} {
			if to != from && !from.Float() {
				continue
			}
			b := ir.NewBuilder("w")
			v := b.Weight("w", from, 3, 5)
			src := randomWeights(b.Graph)
			c := constant(t, v, src)
			want := c.Bytes()
			if from.Float() {
				want = make([]byte, to.Bytes(15))
				dtype.Encode(to, want, c.F32)
			}
			for step := int64(1); step <= 16; step++ {
				w := codegen.RowWork(v, to, 0)
				w.Step = step
				if got := fillSections(t, w.Units(), src, 1)[0]; !bytes.Equal(got, want) {
					t.Errorf("%v as %v, %d elements a unit: the section differs", from, to, step)
				}
			}
		}
	}
}
