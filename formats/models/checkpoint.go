package models

import (
	"moge/formats/safetensors"
	"moge/ir/dtype"
)

// FromCheckpoint gives the tensors of an open checkpoint.
func FromCheckpoint(c *safetensors.Checkpoint) Tensors { return checkpoint{c} }

type checkpoint struct{ *safetensors.Checkpoint }

func (c checkpoint) Lookup(name string) (d dtype.Type, shape []int64, ok bool) {
	t, ok := c.Tensor(name)
	return t.DType, t.Shape, ok
}
