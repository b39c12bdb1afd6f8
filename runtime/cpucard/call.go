package cpucard

import (
	"context"
	"fmt"
	"math"

	"moge/formats/bundle/bundlepb"
	"moge/runtime/card"
	"moge/runtime/kernels"
)

// Rows of device memory are padded to blocks of 32 bytes, lanes elements of 32 bits.
const (
	lanes      = 8
	blockBytes = 32
)

// call is a launch that runs.
type call struct {
	*chip
	ctx     context.Context
	kernel  *bound
	tensors []tensor // by place
	values  []int32
	err     error // the first fault of a tensor
}

// tensor is memory of one.
type tensor struct {
	data  []byte
	at    card.Addr
	fixed bool
}

// newCall checks what can be told without the kind: places of tensors, which do not meet, and ranges of
// scalars.
func newCall(ctx context.Context, c *chip, k *bound, l card.Launch) (*call, error) {
	if len(l.Tensors) != len(k.kernel.Tensors) || len(l.Scalars) != len(k.ranges) {
		return nil, fmt.Errorf("%d tensors and %d scalars, it takes %d and %d", len(l.Tensors),
			len(l.Scalars), len(k.kernel.Tensors), len(k.ranges))
	}
	for i, s := range k.ranges {
		if v := int(l.Scalars[i]); v < s.lo || v > s.hi {
			return nil, fmt.Errorf("scalar %s is %d, it takes %d to %d", s.name, v, s.lo, s.hi)
		}
	}
	out := &call{chip: c, ctx: ctx, kernel: k, tensors: make([]tensor, len(l.Tensors)), values: l.Scalars}
	for i, t := range l.Tensors {
		p, data, err := c.find(t.At, t.Bytes)
		if err == nil && t.At%blockBytes != 0 {
			err = fmt.Errorf("address %d is no multiple of %d", t.At, blockBytes)
		}
		if err == nil && k.kernel.Tensors[i].Role != bundlepb.TensorRole_ROLE_IN {
			_, err = c.writable(t.At, t.Bytes)
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", k.kernel.Tensors[i].Name, err)
		}
		out.tensors[i] = tensor{data, t.At, p.fixed}
	}
	return out, out.apart()
}

// apart holds that no tensor that is written shares memory with another: what has been checked stays
// as it is, and workers do not meet.
func (c *call) apart() error {
	kernel := c.kernel.kernel
	for i, a := range c.tensors {
		for j, b := range c.tensors[:i] {
			read := kernel.Tensors[i].Role == bundlepb.TensorRole_ROLE_IN &&
				kernel.Tensors[j].Role == bundlepb.TensorRole_ROLE_IN
			if !read && a.at < b.at+card.Addr(len(b.data)) && b.at < a.at+card.Addr(len(a.data)) {
				return fmt.Errorf("tensors %s and %s share memory", kernel.Tensors[j].Name,
					kernel.Tensors[i].Name)
			}
		}
	}
	return nil
}

// value is a scalar.
func (c *call) value(name string) int { return int(c.values[c.kernel.scalars[name]]) }

// elements is the product of dimensions, none of them negative; what is more than memory can have is
// the most that an int64 holds.
func elements(dims []int) int64 {
	n := int64(1)
	for _, d := range dims {
		if d != 0 && n > math.MaxInt64/int64(d) {
			return math.MaxInt64
		}
		n *= int64(d)
	}
	return n
}

// bytes is the memory of a tensor of elements of size bytes; the fault of a smaller one is kept, and
// the memory then has no bytes.
func (c *call) bytes(name string, size int, dims ...int) []byte {
	data := c.tensors[c.kernel.tensors[name]].data
	need := elements(append(dims, size))
	if int64(len(data)) < need {
		if c.err == nil {
			c.err = fmt.Errorf("tensor %s has %d bytes, %d elements of %d bytes are needed",
				name, len(data), elements(dims), size)
		}
		return nil
	}
	return data[:need]
}

func (c *call) i8(name string, dims ...int) []int8 { return kernels.Int8s(c.bytes(name, 1, dims...)) }

// f16 is halves, as their bits.
func (c *call) f16(name string, dims ...int) []uint16 {
	return kernels.Uint16s(c.bytes(name, 2, dims...))
}

func (c *call) i32(name string, dims ...int) []int32 {
	return kernels.Int32s(c.bytes(name, 4, dims...))
}

func (c *call) f32(name string, dims ...int) []float32 {
	return kernels.Float32s(c.bytes(name, 4, dims...))
}

// outside is the error of an element that points nowhere.
func outside(name string, row, value, limit int) error {
	return fmt.Errorf("tensor %s: %d in row %d is not among 0 to %d", name, value, row, limit-1)
}

// within holds that an element counts something that there is.
func within(name string, row int, value int32, limit int) error {
	if value < 0 || int(value) >= limit {
		return outside(name, row, int(value), limit)
	}
	return nil
}
