package eval

import (
	"context"
	"fmt"

	"moge/runtime/device"
	"moge/runtime/engine"
)

// Logits runs sequences of equal length [B][T], each alone from position 0, and returns the
// logits of all their tokens, [B,T,vocab] row-major.
func Logits(ctx context.Context, e *engine.Engine, ids [][]int32) ([]float32, error) {
	for i, list := range ids {
		if len(list) == 0 || len(list) != len(ids[0]) {
			return nil, fmt.Errorf("sequence %d has %d tokens, the first %d", i, len(list), len(ids[0]))
		}
	}
	steps, err := planFor(ids, e)
	if err != nil {
		return nil, err
	}
	w := newWalker(e)
	defer w.close()
	var out []float32
	for _, pieces := range steps {
		err := w.step(ctx, pieces, func(r device.Runner) error {
			logits, err := r.Floats("logits")
			out = append(out, logits...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
