package card

import (
	"context"

	"moge/formats/bundle/bundlepb"
)

// step runs a step and reports whether there was anything to run.
func (r *runner) step(ctx context.Context, s *step) (bool, error) {
	switch {
	case s.rope != nil:
		return true, r.writeAngles(s.rope)
	case s.each == prefill:
		return r.launchEach(ctx, s)
	case r.idle(s) || s.each == decode && r.order.decode == 0:
		return false, nil
	}
	return true, r.launch(ctx, s, span{}, 0)
}

// launchEach calls a kernel for each sequence of more than one token.
func (r *runner) launchEach(ctx context.Context, s *step) (bool, error) {
	o := r.order
	for i, q := range o.sequences[o.decode:] {
		if err := r.launch(ctx, s, q, o.decode+i); err != nil {
			return false, err
		}
	}
	return o.decode < len(o.sequences), nil
}

// idle reports a launch over no rows of logits: kernels take at least one.
func (r *runner) idle(s *step) bool {
	for _, v := range s.values {
		if v.scalar != bundlepb.Scalar_FIXED && r.scalar(v.scalar) == 0 {
			return true
		}
	}
	return false
}

// launch calls a kernel: for q, sequence number i of the step, where it is one for each.
func (r *runner) launch(ctx context.Context, s *step, q span, i int) error {
	l := Launch{Kernel: s.kernel.Name, Blocks: int(s.kernel.Blocks)}
	for _, a := range s.args {
		t := r.tensor(a, q, i)
		if a.role == bundlepb.TensorRole_ROLE_ZEROED {
			if err := r.card.Clear(t.At, t.Bytes); err != nil {
				return err
			}
		}
		l.Tensors = append(l.Tensors, t)
	}
	for _, v := range s.values {
		l.Scalars = append(l.Scalars, int32(r.valueOf(v, q)))
	}
	return r.card.Launch(ctx, l)
}

// valueOf is a scalar in a launch for q.
func (r *runner) valueOf(v value, q span) int64 {
	switch v.word {
	case "pages":
		return int64(r.pages)
	case "sequences":
		return int64(r.order.decode)
	case "count":
		return int64(q.count)
	case "start":
		return int64(r.cache.length[q.sequence] - q.count)
	}
	if v.scalar == bundlepb.Scalar_FIXED {
		return v.c
	}
	return v.c * r.scalar(v.scalar)
}

// tensor is the memory of an argument in a launch for q, sequence number i of the step.
func (r *runner) tensor(a arg, q span, i int) Tensor {
	switch o := a.operand.Kind.(type) {
	case *bundlepb.Operand_Section:
		return Tensor{r.sections[o.Section], r.rank.Sections()[o.Section].Size, a.role}
	case *bundlepb.Operand_State:
		return Tensor{r.states[o.State], r.stateBytes(r.program.States[o.State]), a.role}
	case *bundlepb.Operand_Buffer:
		b := r.buffers[o.Buffer]
		first, size := part(b, a.by, q, i, r.bytes(b))
		return Tensor{r.at[o.Buffer] + Addr(first), size, a.role}
	}
	panic("BUG: a tensor without memory")
}

// fractalRows is what kernels round rows up to.
const fractalRows = 16

// part is where the tensor of a launch begins in its buffer of so many bytes, and its size: rows are
// rounded up as far as the buffer reaches.
func part(b buffer, by movement, q span, i int, bytes int64) (first, size int64) {
	switch by {
	case byRow:
		first = int64(q.first) * b.pitch()
		rows := int64(q.count+fractalRows-1) / fractalRows * fractalRows
		return first, min(rows*b.pitch(), bytes-first)
	case byTables:
		first = int64(i) * b.pitch()
	}
	return first, bytes - first
}
