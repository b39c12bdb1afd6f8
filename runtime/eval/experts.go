package eval

import (
	"context"
	"errors"
	"fmt"

	"moge/runtime/device"
	"moge/runtime/engine"
)

// ErrNoExperts says that a bundle does not give the expert choices of any layer.
var ErrNoExperts = errors.New("the bundle gives no expert choices: its model has no routed experts")

// Choices takes the experts that tokens chose in a layer, ids [tokens,k]. The slice is the caller's.
type Choices func(layer int, ids []int32, tokens int) error

// MeasureExperts is MeasurePerplexity which also hands the expert choices of every scored token to
// see: layers ascend, and in each layer tokens come in the order of the text.
func MeasureExperts(ctx context.Context, e *engine.Engine, windows [][]int32, progress Progress,
	see Choices) (*Perplexity, error) {
	layers := expertLayers(e, e)
	if len(layers) == 0 {
		return nil, ErrNoExperts
	}
	return measure(ctx, e, windows, progress, func(r device.Runner, pieces []piece) error {
		for _, layer := range layers {
			ids, err := r.Ints(fmt.Sprintf("experts.%d", layer))
			if err != nil {
				return err
			}
			if err := see(layer, ids, count(pieces)); err != nil {
				return err
			}
		}
		return nil
	})
}
