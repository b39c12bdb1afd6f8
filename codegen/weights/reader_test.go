package weights

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
	"moge/quant"
)

func readAll(t testing.TB, src Source, v *ir.Value, off, n int64) []byte {
	t.Helper()
	dst := make([]byte, v.Type.DType.Bytes(n))
	if err := Read(src, v, off, n, dst); err != nil {
		t.Fatal(err)
	}
	return dst
}

// checkConstants compares every constant of a random graph with the interpreter: whole, in
// random ranges, and cut into pieces that follow each other.
func checkConstants(t testing.TB, seed uint64) {
	m := newMaker(seed)
	for _, v := range m.pool {
		raw, total := m.want(t, v).Bytes(), Elements(v)
		width := v.Type.DType.Bytes(1)
		if got := readAll(t, m.w, v, 0, total); !bytes.Equal(got, raw) {
			t.Fatalf("seed %d: %s reads as other bytes than interpreted", seed, ir.Format(v.Def))
		}
		for range 4 {
			lo := m.r.Int64N(total + 1)
			hi := lo + m.r.Int64N(total-lo+1)
			if got := readAll(t, m.w, v, lo, hi-lo); !bytes.Equal(got, raw[lo*width:hi*width]) {
				t.Fatalf("seed %d: elements %d to %d of %s differ", seed, lo, hi, ir.Format(v.Def))
			}
		}
		var cut []byte
		for lo := int64(0); lo < total; {
			n := min(1+m.r.Int64N(9), total-lo)
			cut = append(cut, readAll(t, m.w, v, lo, n)...)
			lo += n
		}
		if !bytes.Equal(cut, raw) {
			t.Fatalf("seed %d: %s read in pieces differs", seed, ir.Format(v.Def))
		}
	}
}

func TestReadIsWhatTheInterpreterComputes(t *testing.T) {
	ops := map[ir.Op]int{}
	for seed := range uint64(400) {
		checkConstants(t, seed)
		for _, n := range newMaker(seed).b.Graph.Nodes {
			ops[n.Op]++
		}
	}
	for _, op := range ir.Ops() {
		if (op.OnWeights() || op == ir.OpWeight) && ops[op] < 50 {
			t.Errorf("%v occurs %d times only", op, ops[op])
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []uint64{0, 1 << 40, math.MaxUint64} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkConstants(t, seed) })
}

func TestFloatsWidens(t *testing.T) {
	for seed := range uint64(50) {
		m := newMaker(seed)
		for _, v := range m.pool {
			if !v.Type.DType.Float() {
				continue
			}
			want := m.want(t, v).F32
			got := make([]float32, len(want))
			if err := Floats(m.w, v, 0, got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %s: got %v, want %v", seed, ir.Format(v.Def), got, want)
			}
		}
	}
}

// Quantize gives the same whether the weight is quantized now or was quantized before.
func TestQuantizeNowAndBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
		for _, dims := range [][]int64{{5, 7}, {3, 4, 6}, {1, 1}, {2, 3, 2, 5}} {
			m := &maker{r: r, b: ir.NewBuilder("w"), w: memory{}}
			w := m.weight(d, dims)
			clear(m.w["w0"].F32[:dims[len(dims)-1]]) // the first row is zero
			now := m.b.Add(ir.OpQuantizeWeight, "", []*ir.Value{w})
			q, s := m.want(t, now[0]), m.want(t, now[1])
			m.w["q"], m.w["s"] = q, s
			before := []*ir.Value{m.b.Weight("q", dtype.I8, q.Shape...), m.b.Weight("s", dtype.F32, s.Shape...)}
			k := dims[len(dims)-1]
			for lo := range int64(s.Len()) {
				for hi := lo; hi <= int64(s.Len()); hi++ {
					for name, v := range map[string][]*ir.Value{"now": now, "before": before} {
						gotQ, gotS := make([]int8, (hi-lo)*k), make([]float32, hi-lo)
						if err := Quantize(m.w, v[0], v[1], lo, gotQ, gotS); err != nil {
							t.Fatal(err)
						}
						if !reflect.DeepEqual(gotQ, append([]int8{}, q.I8[lo*k:hi*k]...)) ||
							!reflect.DeepEqual(gotS, append([]float32{}, s.F32[lo:hi]...)) {
							t.Errorf("%v%v quantized %s, rows %d to %d differ", d, dims, name, lo, hi)
						}
					}
				}
			}
		}
	}
}

func TestQuantizeNamesTheElementInTheCheckpoint(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(4, 4)), b: ir.NewBuilder("w"), w: memory{}}
	a, b := m.weight(dtype.BF16, []int64{2, 3}), m.weight(dtype.BF16, []int64{2, 4})
	wide := m.b.Add(ir.OpConcat, "", []*ir.Value{a, b}, ir.Int("axis", 1))[0]
	both := m.b.Add(ir.OpQuantizeWeight, "", []*ir.Value{wide})
	m.w["w1"].F32[6] = float32(math.Inf(-1)) // row 1, column 3 + 2
	for _, v := range both {
		err := Read(m.w, v, 0, Elements(v), make([]byte, v.Type.DType.Bytes(Elements(v))))
		want := "tensor w1: element 6 is -Inf; only finite values can be quantized"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		var bad *quant.NonFiniteError
		if !errors.As(err, &bad) || bad.Index != 6 {
			t.Errorf("%v is not a *quant.NonFiniteError of element 6", err)
		}
	}
}

// Origin is checked with tensors whose every element says where it is.
func TestOrigin(t *testing.T) {
	for seed := range uint64(200) {
		m := newMaker(seed)
		place := map[float32]string{}
		next := float32(1)
		for i := range len(m.w) {
			name := fmt.Sprintf("w%d", i)
			old := m.w[name]
			marked := tensor.New(dtype.F32, old.Shape...)
			for e := range marked.F32 {
				marked.F32[e], place[next] = next, fmt.Sprintf("%s[%d]", name, e)
				next++
			}
			m.w[name] = marked
		}
		for _, v := range m.pool {
			if fromNothing(v) {
				continue
			}
			for e := range Elements(v) {
				name, element := Origin(v, e)
				got := fmt.Sprintf("%s[%d]", name, element)
				if name == "" {
					got = "" // padding
				}
				if want := place[follow(m.w, v, e)]; got != want {
					t.Fatalf("seed %d: element %d of %s comes from %s, Origin says %s", seed, e, ir.Format(v.Def), want, got)
				}
			}
		}
	}
}

// fromNothing: scales of rows without elements come from nowhere.
func fromNothing(v *ir.Value) bool {
	return v.Index == 1 && RowLength(v.Def.Args[0]) == 0 || slices.ContainsFunc(v.Def.Args, fromNothing)
}

// follow is the mark of element e of v, found by index arithmetic of its own: the
// coordinates of the result are those of the argument, moved along one axis.
func follow(w memory, v *ir.Value, e int64) float32 {
	node := v.Def
	if node.Op == ir.OpWeight {
		return w[node.Str("name")].F32[e]
	}
	at := coordinates(v.Type.Shape.Ints(), e)
	axis := int(node.Int("axis"))
	switch node.Op {
	case ir.OpStack:
		return follow(w, node.Args[at[0]], index(node.Args[0].Type.Shape.Ints(), at[1:]))
	case ir.OpSlice:
		at[axis] += node.Int("lo")
	case ir.OpShard:
		lo, hi := shardRange(node, 0)
		if at[axis] += lo; at[axis] >= hi {
			return 0
		}
	case ir.OpConcat:
		i := 0
		for ; at[axis] >= node.Args[i].Type.Shape[axis].Coef; i++ {
			at[axis] -= node.Args[i].Type.Shape[axis].Coef
		}
		return follow(w, node.Args[i], index(node.Args[i].Type.Shape.Ints(), at))
	case ir.OpQuantizeWeight:
		if v.Index == 1 {
			at = append(at, 0)
		}
	case ir.OpReshape:
		return follow(w, node.Args[0], e)
	}
	return follow(w, node.Args[0], index(node.Args[0].Type.Shape.Ints(), at))
}

func coordinates(dims []int64, e int64) []int64 {
	at := make([]int64, len(dims))
	for i := len(dims) - 1; i >= 0; i-- {
		at[i], e = e%dims[i], e/dims[i]
	}
	return at
}

func index(dims, at []int64) int64 {
	e := int64(0)
	for i, d := range dims {
		e = e*d + at[i]
	}
	return e
}

func TestReadPassesOnErrorsOfTheSource(t *testing.T) {
	for seed := range uint64(60) {
		m := newMaker(seed)
		for _, v := range m.pool {
			n := Elements(v)
			err := Read(memory{}, v, 0, n, make([]byte, v.Type.DType.Bytes(n)))
			if n == 0 || isZero(v) {
				continue
			}
			name, _ := Origin(v, 0)
			if want := "there is no tensor " + name; err == nil || err.Error() != want {
				t.Errorf("seed %d: %s: got %v, want %s", seed, ir.Format(v.Def), err, want)
			}
		}
	}
}

// isZero reports whether part of v is zeros that come from no tensor.
func isZero(v *ir.Value) bool {
	return v.Def.Op == ir.OpOwn && v.Def.Int("index") > 0 || slices.ContainsFunc(v.Def.Args, isZero)
}

func TestReadPanicsOnABug(t *testing.T) {
	b := ir.NewBuilder("w")
	v := b.Weight("w", dtype.F32, 4)
	for _, c := range []struct{ off, n, size int64 }{{0, 4, 15}, {-1, 1, 4}, {1, 4, 16}, {0, -1, -4}} {
		func() {
			defer func() {
				want := fmt.Sprintf("BUG: read of %d elements at %d into %d bytes of f32[4]", c.n, c.off, max(0, c.size))
				if got := recover(); got != want {
					t.Errorf("panic %v, want %s", got, want)
				}
			}()
			_ = Read(memory{}, v, c.off, c.n, make([]byte, max(0, c.size)))
		}()
	}
}

// casting is a source that adds up what casts to f16 did.
type casting struct {
	memory
	got map[string]quant.CastReport
}

func (c *casting) Cast(tensor string, r quant.CastReport) {
	sum := c.got[tensor]
	sum.Merge(r)
	c.got[tensor] = sum
}

func TestCastLogHearsOfEveryElementOnce(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(5, 5)), b: ir.NewBuilder("w"), w: memory{}}
	a, b := m.weight(dtype.F32, []int64{2, 3}), m.weight(dtype.BF16, []int64{2, 3})
	copy(m.w["w0"].F32, []float32{70000, -70000, 1e-9, 0, 1, 6.1e-5})
	copy(m.w["w1"].F32, []float32{1, 2, 3, 4, 5, 6})
	want := map[string]quant.CastReport{
		"w0": {Values: 6, Overflow: 2, Flush: 1, Subnormal: 1},
		"w1": {Values: 6},
	}
	for _, step := range []int64{1, 4, 6} {
		log := &casting{m.w, map[string]quant.CastReport{}}
		for _, w := range []*ir.Value{a, b} {
			half := m.b.Add(ir.OpCast, "", []*ir.Value{w}, ir.DType("to", dtype.F16))[0]
			for lo := int64(0); lo < 6; lo += step {
				readAll(t, log, half, lo, min(step, 6-lo))
			}
			wide := m.b.Add(ir.OpCast, "", []*ir.Value{w}, ir.DType("to", dtype.F32))[0]
			readAll(t, log, wide, 0, 6)
		}
		if !reflect.DeepEqual(log.got, want) {
			t.Errorf("in pieces of %d: got %v, want %v", step, log.got, want)
		}
	}
}

// A range that spans several tensors is reported under the name of each.
func TestCastLogNamesEachTensorOfARange(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(6, 6)), b: ir.NewBuilder("w"), w: memory{}}
	a, b := m.weight(dtype.F32, []int64{2, 3}), m.weight(dtype.F32, []int64{2, 2})
	copy(m.w["w0"].F32, []float32{1, 2, 3, 4, 5, 1e6})
	copy(m.w["w1"].F32, []float32{1e-9, 2, 3, 4})
	for _, part := range []*ir.Value{
		m.b.Add(ir.OpConcat, "", []*ir.Value{a, b}, ir.Int("axis", 1))[0],
		m.b.Op1(ir.OpStack, "", m.b.Slice("", a, 1, 1, 3), b),
	} {
		half := m.b.Add(ir.OpCast, "", []*ir.Value{part}, ir.DType("to", dtype.F16))[0]
		log := &casting{m.w, map[string]quant.CastReport{}}
		readAll(t, log, half, 0, Elements(half))
		first := Elements(half) - 4
		want := map[string]quant.CastReport{"w0": {Values: first, Overflow: 1}, "w1": {Values: 4, Flush: 1}}
		if !reflect.DeepEqual(log.got, want) {
			t.Errorf("%s: got %v, want %v", ir.Format(part.Def), log.got, want)
		}
	}
}
