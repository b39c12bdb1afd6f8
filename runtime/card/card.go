package card

import (
	"context"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
)

// Addr is an address in the memory of a card.
type Addr uint64

// Tensor is an argument of a launch: memory of a kernel's tensor.
type Tensor struct {
	At    Addr
	Bytes int64
	Role  bundlepb.TensorRole
}

// Launch is one call of a kernel: tensors, then scalars, in the kernel's order.
type Launch struct {
	Kernel  string
	Blocks  int
	Tensors []Tensor
	Scalars []int32
}

// Card is one chip with its memory and the kernels of one bundle. Calls take effect in order; Read
// waits for what was launched before. It is not safe for concurrent use.
type Card interface {
	// Alloc reserves memory, aligned to 512 bytes, with slack of at least 32 bytes behind it.
	Alloc(bytes int64) (Addr, error)
	Write(at Addr, data []byte) error
	Read(at Addr, into []byte) error
	// Clear sets bytes to zero.
	Clear(at Addr, bytes int64) error
	Launch(ctx context.Context, l Launch) error
	Close() error
}

// Opener brings up a card with the kernels of a bundle and room for need bytes of allocations.
type Opener func(ctx context.Context, b *bundle.Bundle, need int64) (Card, error)
