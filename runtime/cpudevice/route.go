package cpudevice

import (
	"fmt"
	"slices"

	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/kernels"
)

// bindMoEGate: softmax over all experts, the best of each group (the lowest on ties), and
// its scale; results weights and ids. (Tang et al., "Pangu Pro MoE", 2025, equation 2.)
func bindMoEGate(b *binder) func(*machine) error {
	x := arg[float32](b, 0, 2)
	weights, ids := result[float32](b, 0, 2), result[int32](b, 1, 2)
	w := b.weightArg(1, false, false)
	n := b.int("groups", 1, max(1, int64(w.n)))
	b.want(int64(w.n)%n == 0, "%d groups do not divide %d experts", n, w.n)
	want := shape.Shape{x.shape[0], shape.Fixed(n)}
	b.wantShape("result 0", weights.shape, want)
	b.wantShape("result 1", ids.shape, want)
	logits := b.temporary(shape.Shape{x.shape[0], shape.Fixed(int64(w.n))})
	f := newFloatLinear(b, x, logits, w)
	var scale []float32
	if len(b.step.Args) == 3 {
		scale = b.vector(2, w.n)
	}
	return func(m *machine) error {
		f.y.data = m.shared
		if err := f.dense(m); err != nil {
			return err
		}
		return m.each(x.count(m), 32*w.n, func(t int) {
			gate(weights.row(t), ids.row(t), f.y.row(t), scale)
		})
	}
}

// temporary is a tensor in memory that lasts for one step; its data is machine.shared.
func (b *binder) temporary(s shape.Shape) tensor[float32] {
	n, ok := s.Elements()
	size := n.Eval(&b.largest)
	if !ok || size < 0 || size > maxArena/4 {
		b.fail("%v needs too much memory", s)
		size = 0
	}
	b.need.shared = max(b.need.shared, size)
	return newTensor[float32](nil, s, dtype.F32)
}

// gate chooses from the logits of one token, which become probabilities; scale may be nil.
func gate(weights []float32, ids []int32, p, scale []float32) {
	kernels.Softmax(p)
	size := len(p) / len(ids)
	for g := range ids {
		e := g*size + argMax(p[g*size:(g+1)*size])
		ids[g], weights[g] = int32(e), p[e]
		if scale != nil {
			weights[g] *= scale[e]
		}
	}
}

// bindRoute: a stable sort of the slots t·k+j by expert; results order, and the offset of
// each expert's rows.
func bindRoute(b *binder) func(*machine) error {
	ids := arg[int32](b, 0, 2)
	order, offsets := result[int32](b, 0, 1), result[int32](b, 1, 1)
	experts := int(b.int("experts", 1, 1<<16))
	b.wantShape("result 0", order.shape, shape.Shape{ids.all})
	b.wantShape("result 1", offsets.shape, shape.Make(int64(experts)+1))
	next := make([]int32, experts+1)
	return func(m *machine) error {
		slots, sorted, out := ids.flat(m), order.flat(m), offsets.flat(m)
		if err := checkIndices("expert of slot", slots, experts); err != nil {
			return err
		}
		clear(out)
		for _, e := range slots {
			out[e+1]++
		}
		for e := range experts {
			out[e+1] += out[e]
		}
		copy(next, out)
		for slot, e := range slots {
			sorted[next[e]] = int32(slot)
			next[e]++
		}
		return nil
	}
}

// bindPermute: row order[r] / k of x for each sorted slot r.
func bindPermute(b *binder) func(*machine) error {
	switch b.resultType() {
	case dtype.F32:
		return permuteOf[float32](b)
	case dtype.I32:
		return permuteOf[int32](b)
	}
	return permuteOf[int8](b)
}

func permuteOf[E element](b *binder) func(*machine) error {
	x, order, y := arg[E](b, 0, anyRank), arg[int32](b, 1, 1), result[E](b, 0, anyRank)
	rows, slots := x.shape[0], order.shape[0]
	ok := len(x.shape) <= 2 && rows.Scalar == slots.Scalar && rows.Div == slots.Div &&
		rows.Coef > 0 && slots.Coef%rows.Coef == 0
	b.want(ok, "%v sorted slots over rows of %v", slots, x.shape)
	b.wantShape("result 0", y.shape, append(shape.Shape{slots}, x.shape[1:]...))
	pitch := x.pitch
	if len(x.shape) == 1 {
		pitch = 1
	}
	b.want(pitch > 0, "rows of %v are not fixed", x.shape)
	if b.err != nil {
		return nil
	}
	per := int(slots.Coef / rows.Coef)
	return func(m *machine) error {
		at := order.flat(m)
		if err := checkIndices("slot", at, len(at)); err != nil {
			return err
		}
		return m.each(len(at), pitch, func(r int) {
			copy(y.data[r*pitch:(r+1)*pitch], x.data[int(at[r])/per*pitch:])
		})
	}
}

// combination is a bound COMBINE.
type combination struct {
	rows, weights, y tensor[float32]
	order            tensor[int32]
	place            []int32 // by slot: its row
}

// bindCombine: y[t] = Σ rows[r] · w[order[r]], r ascending over the slots of token t, each
// product and each sum rounded.
func bindCombine(b *binder) func(*machine) error {
	c := &combination{rows: arg[float32](b, 0, 2), order: arg[int32](b, 1, 1),
		weights: arg[float32](b, 2, 2), y: result[float32](b, 0, 2)}
	wantRows(b, &c.rows)
	wantRows(b, &c.weights)
	b.wantShape("argument 1", c.order.shape, c.rows.shape[:1])
	b.wantShape("the slots of argument 2", shape.Shape{c.weights.all}, c.order.shape)
	b.wantShape("result 0", c.y.shape, shape.Shape{c.weights.shape[0], c.rows.shape[1]})
	c.place = make([]int32, len(c.order.data))
	return c.run
}

func (c *combination) run(m *machine) error {
	order := c.order.flat(m)
	place := c.place[:len(order)]
	if err := invert(place, order); err != nil {
		return err
	}
	k := c.weights.width
	return m.each(c.y.count(m), k*c.y.width, func(t int) {
		y, slots := c.y.row(t), place[t*k:(t+1)*k]
		slices.Sort(slots)
		clear(y)
		for _, r := range slots {
			kernels.AxpyF32(y, c.weights.data[order[r]], c.rows.row(int(r)))
		}
	})
}

// invert gives place[order[r]] = r and refuses an order that is no permutation.
func invert(place, order []int32) error {
	if err := checkIndices("slot", order, len(order)); err != nil {
		return err
	}
	for i := range place {
		place[i] = -1
	}
	for r, slot := range order {
		if place[slot] >= 0 {
			return fmt.Errorf("slot %d stands twice", slot)
		}
		place[slot] = int32(r)
	}
	return nil
}
