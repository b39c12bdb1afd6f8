package card

import (
	"context"
	"encoding/binary"
	"fmt"

	"moge/formats/bundle/bundlepb"
	"moge/runtime/device"
)

// runner is a program on a card.
type runner struct {
	*loader
	card     Card   // nil after Close
	at       []Addr // of the buffers
	sections []Addr
	states   []Addr
	cache    *pages
	batch    device.Batch // checked
	order    *device.Order
	ran      bool // outputs hold the results of a step
}

// Run executes one step of the program; see device.Runner.
func (r *runner) Run(ctx context.Context, b device.Batch) error {
	if r.card == nil {
		panic("BUG: Run on a closed runner")
	}
	r.ran = false
	if err := b.Check(r.limits, r.bundle.Manifest().Model.VocabSize, r.Length); err != nil {
		return err
	}
	r.batch, r.order = b, device.OrderOf(b)
	before, err := r.reserve()
	if err == nil {
		err = r.all(ctx)
	}
	if err != nil {
		for i, was := range before {
			r.cache.truncate(r.order.Sequences[i].Sequence, was)
		}
		return r.explain(err)
	}
	r.ran = true
	return nil
}

// reserve makes room for the step and returns how long its sequences were, as far as it came.
func (r *runner) reserve() ([]int, error) {
	var before []int
	for _, s := range r.order.Sequences {
		was := r.cache.length[s.Sequence]
		if err := r.cache.reserve(s.Sequence, was+s.Count); err != nil {
			return before, err
		}
		before = append(before, was)
	}
	return before, nil
}

func (r *runner) all(ctx context.Context) error {
	for _, p := range r.program.Inputs {
		if err := r.fill(p); err != nil {
			return fmt.Errorf("input %s: %w", p.Name, err)
		}
	}
	for i := range r.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &r.steps[i]
		ran, err := r.step(ctx, s)
		if err == nil && ran && r.opt.Tap != nil && s.kernel != nil {
			err = r.tap(s)
		}
		if err != nil {
			return fmt.Errorf("step %d at %s: %w", i, s.site, err)
		}
	}
	if w, ok := r.card.(Waiter); ok {
		return w.Wait()
	}
	return nil
}

// fill writes an input of the step.
func (r *runner) fill(p *bundlepb.Port) error {
	in, _ := inputOf(p.Name)
	b := r.buffers[p.Buffer]
	data := make([]byte, r.bytes(b))
	if len(data) == 0 {
		return nil
	}
	in.fill(r, func(row, col int, v int32) {
		binary.LittleEndian.PutUint32(data[4*(int64(row)*b.cols+int64(col)):], uint32(v))
	})
	return r.card.Write(r.at[p.Buffer], data)
}

// scalar is T, L or the rank's own tokens of the step.
func (r *runner) scalar(s bundlepb.Scalar) int64 {
	switch s {
	case bundlepb.Scalar_L:
		return int64(len(r.batch.Rows))
	case bundlepb.Scalar_T_DP:
		return int64(len(r.batch.Tokens))
	}
	return int64(r.batch.T())
}

// bytes is the memory of a buffer in this step.
func (r *runner) bytes(b buffer) int64 { return b.rowsAt(r.scalar(b.rows.Scalar)) * b.pitch() }

// Length is how many positions of a sequence the cache holds; 0 if there is no such sequence.
func (r *runner) Length(sequence int) int {
	if sequence < 0 || sequence >= r.limits.Seqs {
		return 0
	}
	return r.cache.length[sequence]
}

// Truncate shortens a sequence to the given number of positions.
func (r *runner) Truncate(sequence, length int) error {
	if sequence < 0 || sequence >= r.limits.Seqs {
		return fmt.Errorf("sequence %d of %d", sequence, r.limits.Seqs)
	}
	if have := r.cache.length[sequence]; length < 0 || length > have {
		return fmt.Errorf("sequence %d has %d positions and cannot be cut to %d", sequence, have, length)
	}
	r.cache.truncate(sequence, length)
	return nil
}

// Limits are those in force.
func (r *runner) Limits() device.Limits { return r.limits }

// Close gives the card back. The bundle stays open.
func (r *runner) Close() error {
	if r.card == nil {
		return nil
	}
	err := r.card.Close()
	r.card = nil
	return err
}
