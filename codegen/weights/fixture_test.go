package weights

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/tests/fixture"
)

// memory is a checkpoint in memory, for the reader and for the interpreter.
type memory = fixture.Memory

// typeOf is the element type of a tensor.
func typeOf(m memory) func(name string) dtype.Type {
	return func(name string) dtype.Type { return m[name].DType }
}

// maker grows a pool of constants by random ops.
type maker struct {
	r    *rand.Rand
	b    *ir.Builder
	w    memory
	pool []*ir.Value
}

// mostElements keeps the constants of a random graph small.
const mostElements = 4096

func newMaker(seed uint64) *maker {
	m := &maker{r: rand.New(rand.NewPCG(seed, 1)), b: ir.NewBuilder("constants"), w: memory{}}
	for range 3 {
		m.weight(m.elementType(), m.dims())
	}
	for range 3 + m.r.IntN(12) {
		m.grow()
	}
	return m
}

func (m *maker) elementType() dtype.Type {
	return []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.I8, dtype.I32}[m.r.IntN(5)]
}

func (m *maker) dims() []int64 {
	dims := make([]int64, m.r.IntN(4))
	for i := range dims {
		dims[i] = 1 + m.r.Int64N(7)
	}
	if len(dims) > 0 && m.r.IntN(20) == 0 {
		dims[m.r.IntN(len(dims))] = 0
	}
	return dims
}

func (m *maker) pick() *ir.Value { return m.pool[m.r.IntN(len(m.pool))] }

func (m *maker) add(values ...*ir.Value) { m.pool = append(m.pool, values...) }

// weight adds a tensor; its floats are finite, of many magnitudes, and some zero.
func (m *maker) weight(d dtype.Type, dims []int64) *ir.Value {
	t := tensor.New(d, dims...)
	for i := range t.F32 {
		x := float32(m.r.NormFloat64())
		switch m.r.IntN(8) {
		case 0:
			x = 0
		case 1:
			x *= 1e-5
		case 2:
			x *= 1e3
		}
		t.F32[i] = tensor.Round(d, x)
	}
	for i := range t.I8 {
		t.I8[i] = int8(m.r.IntN(256) - 128)
	}
	for i := range t.I32 {
		t.I32[i] = m.r.Int32N(120_000) - 60_000 // f16 holds it
	}
	name := fmt.Sprintf("w%d", len(m.w))
	m.w[name] = t
	v := m.b.Weight(name, d, dims...)
	m.add(v)
	return v
}

func (m *maker) grow() {
	v := m.pick()
	dims := v.Type.Shape.Ints()
	switch m.r.IntN(8) {
	case 0:
		m.add(m.b.Reshape("", v, shape.Make(m.factors(Elements(v))...)))
	case 1:
		m.slice(v, dims)
	case 2:
		m.concat(v, dims)
	case 3:
		m.stack(v, dims)
	case 4:
		m.cast(v)
	case 5:
		m.shard(v, dims)
	case 6:
		if v.Type.DType.Float() {
			m.add(m.b.Add(ir.OpOwn, "", []*ir.Value{v}, m.group()...)...)
		}
	case 7:
		if v.Type.DType.Float() && len(dims) > 1 {
			m.add(m.b.Add(ir.OpQuantizeWeight, "", []*ir.Value{v})...)
		}
	}
}

// factors splits a count of elements into dimensions.
func (m *maker) factors(n int64) []int64 {
	if n == 0 {
		return []int64{0, 3}
	}
	var dims []int64
	for f := int64(2); f <= 7; f++ {
		for n%f == 0 && m.r.IntN(3) > 0 {
			dims, n = append(dims, f), n/f
		}
	}
	return append(dims, n)
}

func (m *maker) slice(v *ir.Value, dims []int64) {
	if len(dims) == 0 {
		return
	}
	axis := m.r.IntN(len(dims))
	if dims[axis] == 0 {
		return
	}
	lo := m.r.Int64N(dims[axis])
	m.add(m.b.Slice("", v, axis, lo, lo+1+m.r.Int64N(dims[axis]-lo)))
}

// group is ranks, and the index of one of them.
func (m *maker) group() []ir.Attr {
	size := 1 + m.r.Int64N(3)
	return []ir.Attr{ir.Int("size", size), ir.Int("stride", 1), ir.Int("index", m.r.Int64N(size))}
}

// shard takes a block of an axis, padded.
func (m *maker) shard(v *ir.Value, dims []int64) {
	if len(dims) == 0 {
		return
	}
	axis, g := m.r.IntN(len(dims)), m.group()
	if _, ok := ir.Block(v.Type.Shape[axis], g[0].Int, 1); !ok {
		return
	}
	attrs := append(g, ir.Int("axis", int64(axis)), ir.Int("align", 1+m.r.Int64N(3)))
	m.add(m.b.Add(ir.OpShard, "", []*ir.Value{v}, attrs...)...)
}

// concat joins v with values that differ from it along the axis alone.
func (m *maker) concat(v *ir.Value, dims []int64) {
	if len(dims) == 0 || 4*Elements(v) > mostElements {
		return
	}
	axis := m.r.IntN(len(dims))
	args := []*ir.Value{v}
	for range m.r.IntN(3) {
		other := append([]int64{}, dims...)
		other[axis] = 1 + m.r.Int64N(4)
		args = append(args, m.weight(v.Type.DType, other))
	}
	m.r.Shuffle(len(args), func(i, j int) { args[i], args[j] = args[j], args[i] })
	m.add(m.b.Add(ir.OpConcat, "", args, ir.Int("axis", int64(axis)))...)
}

func (m *maker) stack(v *ir.Value, dims []int64) {
	if 4*Elements(v) > mostElements {
		return
	}
	args := []*ir.Value{v}
	for range m.r.IntN(3) {
		args = append(args, m.weight(v.Type.DType, dims))
	}
	m.add(m.b.Op1(ir.OpStack, "", args...))
}

func (m *maker) cast(v *ir.Value) {
	to := dtype.F32
	if v.Type.DType.Float() {
		to = []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}[m.r.IntN(3)]
	}
	m.add(m.b.Add(ir.OpCast, "", []*ir.Value{v}, ir.DType("to", to))...)
}

// want is what the interpreter makes of a constant.
func (m *maker) want(t testing.TB, v *ir.Value) *tensor.Tensor {
	t.Helper()
	if err := m.b.Err(); err != nil {
		t.Fatal(err)
	}
	want, err := interp.Constant(v, m.w)
	if err != nil {
		t.Fatal(err)
	}
	return want
}
