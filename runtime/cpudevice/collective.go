package cpudevice

import (
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/comm"
	"moge/runtime/kernels"
)

// collective is a bound exchange with the ranks of a group.
type collective struct {
	op    comm.Op
	group comm.Group
	dtype dtype.Type // of the elements
	wire  dtype.Type // in which they travel
	x, y  region
}

// region is the memory of a buffer, row padding included.
type region struct {
	data []byte
	size shape.Dim // bytes
}

func (r *region) of(m *machine) []byte { return r.data[:r.size.Eval(&m.env)] }

func bindAllGather(b *binder) func(*machine) error { return bindCollective(b, comm.AllGather) }

func bindReduceScatter(b *binder) func(*machine) error { return bindCollective(b, comm.ReduceScatter) }

func bindAllReduce(b *binder) func(*machine) error { return bindCollective(b, comm.AllReduce) }

// bindCollective: blocks of the first dimension, in the order of the group's members.
func bindCollective(b *binder, op comm.Op) func(*machine) error {
	group, _ := b.group()
	x, y := b.buffer(0), b.resultBuffer(0)
	if x == nil || x.dtype != y.dtype || op.Reduces() && x.dtype != dtype.F32 {
		b.fail("argument 0 is not a buffer of the result's type, or not of what is summed")
		return nil
	}
	c := &collective{op: op, group: group, dtype: x.dtype, wire: b.wire(x.dtype),
		x: b.region(x), y: b.region(y)}
	b.wantShape("result 0", y.shape, b.exchanged(op, x.shape, int64(group.Size)))
	if b.err != nil {
		return nil
	}
	if c.wire != c.dtype {
		elements := int64(len(x.data)+len(y.data)) / c.dtype.Bytes(1)
		b.need.wire = max(b.need.wire, c.wire.Bytes(elements))
	}
	return c.run
}

// resultBuffer is result i, which binder.results has checked to be a buffer.
func (b *binder) resultBuffer(i int) *buffer {
	return &b.buffers[b.step.Results[i].Kind.(*bundlepb.Operand_Buffer).Buffer]
}

// exchanged is the shape that a collective gives.
func (b *binder) exchanged(op comm.Op, s shape.Shape, size int64) shape.Shape {
	if len(s) == 0 {
		b.fail("argument 0 has no dimensions")
		return s
	}
	out, ok := append(shape.Shape{}, s...), true
	switch op {
	case comm.AllGather:
		out[0], ok = s[0].Times(size)
	case comm.ReduceScatter:
		ok, out[0].Coef = s[0].Coef%size == 0, s[0].Coef/size
	}
	b.want(ok, "%v does not make %d blocks", s, size)
	return out
}

// region is all memory of a buffer. Rows of i8 are padded, so that blocks must be whole rows.
func (b *binder) region(of *buffer) region {
	t := newTensor[int8](nil, of.shape, of.dtype)
	b.want(of.dtype != dtype.I8 || len(of.shape) > 1, "%v of i8 has no rows", of.shape)
	size, ok := t.all, true
	if t.pitch > 0 {
		size, ok = t.rows.Times(int64(t.pitch))
	}
	if ok {
		size, ok = size.Times(of.dtype.Bytes(1))
	}
	b.want(ok, "%v has too many elements", of.shape)
	return region{of.data, size}
}

// group is the ranks that take part, and this one's number among them.
func (b *binder) group() (g comm.Group, index int) {
	ranks := max(b.opt.Ranks, 1)
	g = comm.Group{
		Size:   int(b.int("size", 1, int64(ranks))),
		Stride: int(b.int("stride", 1, int64(ranks))),
	}
	if err := g.Check(ranks); err != nil {
		b.fail("%v", err)
		return comm.Group{Size: 1, Stride: 1}, 0
	}
	return g, g.Index(b.opt.Rank)
}

// wire is the type in which elements travel.
func (b *binder) wire(own dtype.Type) dtype.Type {
	a := b.attr("wire")
	if a == nil {
		return own
	}
	for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16} {
		if v, ok := a.Value.(*bundlepb.Attr_S); ok && v.S == d.String() && own == dtype.F32 {
			return d
		}
	}
	b.fail("attribute wire is not a type of floats, or the elements are of %v", own)
	return own
}

func (c *collective) run(m *machine) error {
	send, recv := c.x.of(m), c.y.of(m)
	if c.wire == c.dtype {
		return c.exchange(m, send, recv)
	}
	from, to := kernels.Float32s(send), kernels.Float32s(recv)
	n, k := c.wire.Bytes(int64(len(from))), c.wire.Bytes(int64(len(to)))
	packed, got := m.wire[:n], m.wire[n:n+k]
	dtype.Encode(c.wire, packed, from)
	if err := c.exchange(m, packed, got); err != nil {
		return err
	}
	dtype.Decode(c.wire, to, got)
	return nil
}

func (c *collective) exchange(m *machine, send, recv []byte) error {
	if c.group.Size == 1 {
		copy(recv, send)
		return nil
	}
	return m.comm.Do(m.ctx, c.op, c.group, send, recv, c.wire)
}

// bindShard: the rank's block of one axis, of as many blocks as its group has ranks.
func bindShard(b *binder) func(*machine) error {
	switch b.resultType() {
	case dtype.F32:
		return shardOf[float32](b)
	case dtype.I32:
		return shardOf[int32](b)
	}
	return shardOf[int8](b)
}

func shardOf[E element](b *binder) func(*machine) error {
	x, y := arg[E](b, 0, anyRank), result[E](b, 0, anyRank)
	group, index := b.group()
	axis, size := int(b.int("axis", 0, 7)), int64(group.Size)
	if axis >= len(x.shape) || x.shape[axis].Coef%size != 0 {
		b.fail("axis %d of %v does not make %d blocks", axis, x.shape, size)
		return nil
	}
	want := append(shape.Shape{}, x.shape...)
	want[axis].Coef /= size
	b.wantShape("result 0", y.shape, want)
	from, to, length := cut(&x, axis), cut(&y, axis), want[axis]
	return func(m *machine) error {
		n := length.Eval(&m.env) * from.index.Eval(&m.env)
		block, pitch := from.block.Eval(&m.env), to.block.Eval(&m.env)
		for i := range from.blocks.Eval(&m.env) {
			copy(y.data[i*pitch:][:n], x.data[i*block+int64(index)*n:][:n])
		}
		return nil
	}
}

// bindRebase: numbers that count from the first of the rank's block.
func bindRebase(b *binder) func(*machine) error {
	x, y := arg[int32](b, 0, anyRank), result[int32](b, 0, anyRank)
	group, index := b.group()
	first := int32(b.int("step", 0, 1<<31/int64(group.Size)) * int64(index))
	b.wantShape("result 0", y.shape, x.shape)
	return func(m *machine) error {
		out := y.flat(m)
		for i, v := range x.flat(m) {
			out[i] = v - first
		}
		return nil
	}
}
