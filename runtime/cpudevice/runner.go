package cpudevice

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/cpu"
	"moge/runtime/device"
)

// runner is a loaded program.
type runner struct {
	machine
	bundle     *bundle.Bundle
	rank       int
	limits     device.Limits
	vocabulary int64
	cache      *sequences
	steps      []step
	inputs     []tensor[int32] // by place in inputs; without elements if the program does not read it
	outputs    map[string]*buffer
	tap        device.Tap
	weights    span
	ran        bool // outputs hold the results of a step
}

// step is a bound step.
type step struct {
	site, op string
	guard    *bundlepb.Guard
	run      func(*machine) error
	results  []*buffer
}

// Run executes one step of the program; see device.Runner.
func (r *runner) Run(ctx context.Context, b device.Batch) error {
	if r.pool == nil {
		panic("BUG: Run on a closed runner")
	}
	r.ran = false
	if err := b.Check(r.limits, r.vocabulary, r.cache.length); err != nil {
		return err
	}
	if err := r.cache.reserve(b); err != nil {
		return err
	}
	r.batch, r.ctx = b, ctx
	r.env = shape.Env{shape.T: int64(b.T()), shape.L: int64(len(b.Rows))}
	r.fill(0, b.Tokens)
	r.fill(1, b.Positions)
	r.fill(2, b.Sequences)
	r.fill(3, b.Rows)
	if err := mapped.Guard(func() error { return r.all(ctx) }); err != nil {
		r.cache.rollback()
		return r.explain(err)
	}
	r.ran = true
	return nil
}

// fill gives an input its values, and padding behind them.
func (r *runner) fill(i int, values []int32) {
	in := r.inputs[i].flat(&r.machine)
	for j := copy(in, values); j < len(in); j++ {
		in[j] = inputs[i].pad
	}
}

func (r *runner) all(ctx context.Context) error {
	for i := range r.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &r.steps[i]
		if r.skips(s.guard) {
			continue
		}
		if err := s.run(&r.machine); err != nil {
			return fmt.Errorf("%s at %s: %w", s.op, s.site, err)
		}
		if r.tap != nil {
			r.tap(s.site, s.op, r.copies(s.results))
		}
	}
	return nil
}

func (r *runner) skips(g *bundlepb.Guard) bool {
	if g == nil {
		return false
	}
	v := r.env[g.Scalar]
	return v < g.Min || v > g.Max
}

// copies gives results as a tap sees them.
func (r *runner) copies(results []*buffer) []any {
	out := make([]any, len(results))
	for i, b := range results {
		switch b.dtype {
		case dtype.F32:
			out[i] = packed[float32](r, b)
		case dtype.I32:
			out[i] = packed[int32](r, b)
		default:
			out[i] = packed[int8](r, b)
		}
	}
	return out
}

// packed copies a buffer without its row padding.
func packed[E element](r *runner, b *buffer) []E {
	t := view[E](b)
	if t.pitch == t.width {
		return append([]E{}, t.flat(&r.machine)...)
	}
	var out []E
	for i := range t.count(&r.machine) {
		out = append(out, t.row(i)...)
	}
	return out
}

// explain turns a fault on the weights into an error that names their file.
func (r *runner) explain(err error) error {
	var failure *cpu.PanicError
	if errors.As(err, &failure) {
		addr, fault := failure.Fault()
		if !fault || addr < r.weights.lo || addr >= r.weights.hi {
			panic(fmt.Sprintf("BUG: %v\n%s", failure, failure.Stack))
		}
		err = mapped.ErrFault
	}
	if !errors.Is(err, mapped.ErrFault) {
		return err
	}
	return &bundle.Error{
		Path:   filepath.Join(r.bundle.Dir(), filepath.FromSlash(bundle.RankFile(r.rank))),
		Offset: -1,
		Reason: mapped.ErrFault.Error(),
		Hint:   "copy the bundle again or compile it anew",
		Err:    err,
	}
}

// Floats is an f32 output of the last step; see device.Runner.
func (r *runner) Floats(name string) ([]float32, error) { return output[float32](r, name) }

// Ints is an i32 output of the last step; see device.Runner.
func (r *runner) Ints(name string) ([]int32, error) { return output[int32](r, name) }

func output[E element](r *runner, name string) ([]E, error) {
	b := r.outputs[name]
	switch want := typeOf[E](); {
	case b == nil:
		return nil, fmt.Errorf("the program has no output %q", name)
	case b.dtype != want:
		return nil, fmt.Errorf("output %q has elements of %v, not of %v", name, b.dtype, want)
	case !r.ran:
		return nil, fmt.Errorf("output %q: no step has succeeded", name)
	}
	t := view[E](b)
	return t.flat(&r.machine), nil
}

// Length is how many positions of a sequence the cache holds; 0 if there is no such sequence.
func (r *runner) Length(sequence int) int {
	if sequence < 0 || sequence >= r.limits.Seqs {
		return 0
	}
	return r.cache.length(sequence)
}

// Truncate shortens a sequence to the given number of positions.
func (r *runner) Truncate(sequence, length int) error {
	if sequence < 0 || sequence >= r.limits.Seqs {
		return fmt.Errorf("sequence %d of %d", sequence, r.limits.Seqs)
	}
	if have := r.cache.length(sequence); length < 0 || length > have {
		return fmt.Errorf("sequence %d has %d positions and cannot be cut to %d", sequence, have, length)
	}
	r.cache.truncate(sequence, length)
	return nil
}

// Limits are those in force.
func (r *runner) Limits() device.Limits { return r.limits }

// Close ends the workers. The bundle stays open.
func (r *runner) Close() error {
	if r.pool != nil {
		r.pool.Close()
		r.pool = nil
	}
	return nil
}
