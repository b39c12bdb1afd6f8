package card

import (
	"context"

	"moge/formats/bundle/bundlepb"
	"moge/runtime/device"
)

// step runs a step and reports whether there was anything to run.
func (r *runner) step(ctx context.Context, s *step) (bool, error) {
	switch {
	case s.rope != nil:
		return true, r.writeAngles(s.rope)
	case s.collective != nil:
		return true, r.collect(ctx, s.collective)
	case s.each == prefill:
		return r.launchEach(ctx, s)
	case r.idle(s) || s.each == decode && r.order.Decode == 0:
		return false, nil
	}
	return true, r.launch(ctx, s, device.Span{}, 0)
}

// launchEach calls a kernel for each sequence of more than one token.
func (r *runner) launchEach(ctx context.Context, s *step) (bool, error) {
	o := r.order
	if s.pad >= 0 {
		if err := r.clearPadding(s.args[s.pad]); err != nil {
			return false, err
		}
	}
	for i, q := range o.Sequences[o.Decode:] {
		if err := r.launch(ctx, s, q, o.Decode+i); err != nil {
			return false, err
		}
	}
	return o.Decode < len(o.Sequences), nil
}

// clearPadding sets the rows of a tensor to zero that belong to no token: what follows reads them.
func (r *runner) clearPadding(a arg) error {
	i := a.operand.Kind.(*bundlepb.Operand_Buffer).Buffer
	b := r.buffers[i]
	have := int64(len(r.batch.Tokens)) * b.pitch()
	if bytes := r.bytes(b); bytes > have {
		return r.card.Clear(r.at[i]+Addr(have), bytes-have)
	}
	return nil
}

// idle reports a launch over no tokens of the rank's own, or no rows of logits: kernels take at least one.
func (r *runner) idle(s *step) bool {
	for _, v := range s.values {
		if v.scalar != bundlepb.Scalar_FIXED && r.scalar(v.scalar) == 0 {
			return true
		}
	}
	return false
}

// launch calls a kernel: for q, sequence number i of the step, where it is one for each.
func (r *runner) launch(ctx context.Context, s *step, q device.Span, i int) error {
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
func (r *runner) valueOf(v value, q device.Span) int64 {
	switch v.word {
	case "pages":
		return int64(r.pages)
	case "sequences":
		return int64(r.order.Decode)
	case "count":
		return int64(q.Count)
	case "start":
		return int64(r.cache.length[q.Sequence] - q.Count)
	}
	return v.at(r.scalar)
}

// tensor is the memory of an argument in a launch for q, sequence number i of the step.
func (r *runner) tensor(a arg, q device.Span, i int) Tensor {
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
func part(b buffer, by movement, q device.Span, i int, bytes int64) (first, size int64) {
	switch by {
	case byRow:
		first = int64(q.First) * b.pitch()
		rows := int64(q.Count+fractalRows-1) / fractalRows * fractalRows
		return first, min(rows*b.pitch(), bytes-first)
	case byTables:
		first = int64(i) * b.pitch()
	}
	return first, bytes - first
}
