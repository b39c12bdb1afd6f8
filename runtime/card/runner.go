package card

import (
	"context"
	"encoding/binary"
	"fmt"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/device"
)

// runner is a program on a card.
type runner struct {
	*loader
	card     Card
	buffers  []Addr // by buffer
	sections []Addr
	states   []Addr
	cache    *pages
	batch    device.Batch
	order    *order
	ran      bool
}

// Run executes one step of the program; see device.Runner.
func (r *runner) Run(ctx context.Context, b device.Batch) error {
	if r.card == nil {
		panic("BUG: Run on a closed runner")
	}
	r.ran = false
	if err := b.Check(r.limits, r.vocab, r.Length); err != nil {
		return err
	}
	r.batch, r.order = b, orderOf(b)
	before, err := r.reserve()
	if err == nil {
		err = r.all(ctx)
	}
	if err != nil {
		for i, s := range r.order.sequences[:len(before)] {
			r.cache.truncate(s.sequence, before[i])
		}
		return err
	}
	r.ran = true
	return nil
}

// reserve makes room for the step and returns how long its sequences were, as far as it came.
func (r *runner) reserve() ([]int, error) {
	var before []int
	for _, s := range r.order.sequences {
		was := r.cache.length[s.sequence]
		if err := r.cache.reserve(s.sequence, was+s.count); err != nil {
			return before, err
		}
		before = append(before, was)
	}
	return before, nil
}

func (r *runner) all(ctx context.Context) error {
	if err := r.fill(); err != nil {
		return err
	}
	for i := range r.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &r.steps[i]
		ran, err := r.step(ctx, s)
		if err != nil {
			return fmt.Errorf("step %d at %s: %w", i, s.site, err)
		}
		if r.opt.Tap != nil && ran && s.kernel != nil {
			if err := r.tap(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill writes the inputs of the step.
func (r *runner) fill() error {
	o := r.order
	write := map[string]func(put func(row, col int, v int32)){
		"tokens": func(put func(row, col int, v int32)) {
			for row, t := range o.tokens {
				put(row, 0, r.batch.Tokens[t])
			}
		},
		"rows": func(put func(row, col int, v int32)) {
			for i, t := range r.batch.Rows {
				put(i, 0, int32(o.at[t]))
			}
		},
		"places": func(put func(row, col int, v int32)) {
			for row, t := range o.tokens {
				at := r.batch.Positions[t]
				put(row, 0, r.cache.owned[r.batch.Sequences[t]][at/PageRows])
				put(row, 1, at%PageRows)
			}
		},
		"pages": func(put func(row, col int, v int32)) {
			for i, s := range o.sequences {
				for j, page := range r.cache.owned[s.sequence] {
					put(i, j, page)
				}
			}
		},
		"lengths": func(put func(row, col int, v int32)) {
			for i, s := range o.sequences[:o.decode] {
				put(0, i, int32(r.cache.length[s.sequence])) // packed: rows follow one another
			}
		},
	}
	for _, p := range r.program.Inputs {
		i := r.inputs[p.Name]
		b := r.loader.buffers[i]
		data := make([]byte, r.bytes(b))
		write[p.Name](func(row, col int, v int32) {
			binary.LittleEndian.PutUint32(data[4*(int64(row)*b.cols+int64(col)):], uint32(v))
		})
		if len(data) == 0 {
			continue
		}
		if err := r.card.Write(r.buffers[i], data); err != nil {
			return err
		}
	}
	return nil
}

// scalar is T or L of the step.
func (r *runner) scalar(s bundlepb.Scalar) int64 {
	if s == bundlepb.Scalar_L {
		return int64(len(r.batch.Rows))
	}
	return int64(len(r.batch.Tokens))
}

// rows is the rows that a buffer has in this step.
func (r *runner) rows(b buffer) int64 {
	if b.rows.Scalar == bundlepb.Scalar_FIXED {
		return b.rows.Coef
	}
	div := max(1, b.rows.Div)
	return b.rows.Coef * ((r.scalar(b.rows.Scalar) + div - 1) / div)
}

func (r *runner) bytes(b buffer) int64 { return r.rows(b) * b.pitch() }

// step runs a step and reports whether there was anything to run.
func (r *runner) step(ctx context.Context, s *step) (bool, error) {
	o := r.order
	switch {
	case s.rope != nil:
		return true, r.angles(s.rope)
	case s.each == "":
		if r.idle(s) {
			return false, nil
		}
		return true, r.launch(ctx, s, span{count: len(o.tokens)}, 0)
	case s.each == "decode":
		if o.decode == 0 {
			return false, nil
		}
		return true, r.launch(ctx, s, span{}, 0)
	}
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
		if v.word == "" && v.scalar != bundlepb.Scalar_FIXED && r.scalar(v.scalar) == 0 {
			return true
		}
	}
	return false
}

// launch calls a kernel for a sequence, number i of the step, or for the whole step.
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
		l.Scalars = append(l.Scalars, int32(r.value(v, q)))
	}
	return r.card.Launch(ctx, l)
}

func (r *runner) value(v value, q span) int64 {
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

// tensor is the memory of an argument.
func (r *runner) tensor(a arg, q span, i int) Tensor {
	switch o := a.operand.Kind.(type) {
	case *bundlepb.Operand_Section:
		return Tensor{r.sections[o.Section], r.bundle.Manifest().Ranks[0].Sections[o.Section].Size, a.role}
	case *bundlepb.Operand_State:
		return Tensor{r.states[o.State], r.stateBytes(r.program.States[o.State]), a.role}
	case *bundlepb.Operand_Buffer:
		b := r.loader.buffers[o.Buffer]
		at, size := r.buffers[o.Buffer], r.bytes(b)
		first, count := int64(0), size
		switch a.by {
		case 'r':
			first = int64(q.first) * b.pitch()
			count = int64(q.count+15) / 16 * 16 * b.pitch()
		case 't':
			first = int64(i) * b.pitch()
		}
		return Tensor{at + Addr(first), min(count, size-first), a.role}
	}
	panic("BUG: a tensor without memory")
}

// angles writes the table of cosines and sines.
func (r *runner) angles(p *rope) error {
	if p.frequency == nil {
		p.frequency = device.RopeFrequencies(p.half, p.theta)
	}
	b := r.loader.buffers[p.buffer]
	values := make([]float32, r.rows(b)*b.cols)
	for row, t := range r.order.tokens {
		line := values[int64(row)*b.cols:][:b.cols]
		device.RopeRow(line[:p.half], line[p.half:], r.batch.Positions[t], p.frequency)
	}
	data := make([]byte, 4*len(values))
	dtype.Encode(dtype.F32, data, values)
	return r.card.Write(r.buffers[p.buffer], data)
}
