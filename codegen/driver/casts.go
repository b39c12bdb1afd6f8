package driver

import (
	"errors"
	"sort"
	"sync"

	"moge/codegen/weights"
	"moge/formats/mapped"
	"moge/formats/safetensors"
	"moge/quant"
)

// TensorCast is what a conversion to f16 did to one tensor of the checkpoint.
type TensorCast struct {
	Tensor string
	quant.CastReport
}

// castLog is a source that hears of lossy casts and lists them by tensor.
type castLog struct {
	weights.Source
	mu     sync.Mutex
	byName map[string]quant.CastReport
}

// Cast adds the report of a part of a tensor.
func (c *castLog) Cast(tensor string, r quant.CastReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]quant.CastReport{}
	}
	sum := c.byName[tensor]
	sum.Merge(r)
	c.byName[tensor] = sum
}

// list gives the tensors that lost values, by name.
func (c *castLog) list() []TensorCast {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []TensorCast
	for name, r := range c.byName {
		if !r.Clean() {
			out = append(out, TensorCast{name, r})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Tensor < out[j].Tensor })
	return out
}

// isInputDefect reports whether an error comes from what the checkpoint holds.
func isInputDefect(err error) bool {
	var nonFinite *weights.NonFiniteError
	var row *quant.NonFiniteError
	var file *safetensors.Error
	return errors.As(err, &nonFinite) || errors.As(err, &row) || errors.As(err, &file) ||
		errors.Is(err, mapped.ErrFault)
}
