package card

import (
	"context"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
)

// Addr is an address in the memory of a card.
type Addr uint64

// Tensor is an argument of a launch: memory of a kernel's tensor. Bytes may be more than the kernel
// takes in this step, never less.
type Tensor struct {
	At    Addr
	Bytes int64
	Role  bundlepb.TensorRole
}

// Launch is one call of a kernel: tensors, then scalars, in the kernel's order.
type Launch struct {
	Kernel  string
	Blocks  int // cores
	Tensors []Tensor
	Scalars []int32
}

// Card is one chip with its memory and the kernels of one bundle. Calls take effect in order; Read
// waits for what was launched before, and reports what went wrong there. Addresses of Write, Read
// and Clear may lie inside what Alloc gave. A card is not safe for concurrent use.
type Card interface {
	// Alloc reserves memory of any content, aligned to 512 bytes, with slack of at least 32 bytes
	// behind it. It stays until Close.
	Alloc(bytes int64) (Addr, error)
	// Write copies data to the card; data is the caller's again when it returns.
	Write(at Addr, data []byte) error
	// Read copies from the card.
	Read(at Addr, into []byte) error
	// Clear sets bytes to zero.
	Clear(at Addr, bytes int64) error
	// Launch calls a kernel. It may return before the kernel has ended.
	Launch(ctx context.Context, l Launch) error
	// Close gives the chip back with all memory.
	Close() error
}

// Waiter is a card whose launches go on by themselves: a step has ended when Wait returns.
type Waiter interface {
	// Wait returns when all that was launched has ended, with what went wrong there.
	Wait() error
}

// Mapper is a card whose memory is that of the host, so that weights need no copy.
type Mapper interface {
	// Map takes bytes of a mapped file as memory that kernels only read, in place of Alloc and Write.
	// They begin at a multiple of bundle.Align and stay until Close. A launch that cannot read them
	// fails with an error that wraps mapped.ErrFault.
	Map(data []byte) (Addr, error)
}

// Opener brings up a card with the kernels of a bundle and room for need bytes of allocations, the
// alignment of each included.
type Opener func(ctx context.Context, b *bundle.Bundle, need int64) (Card, error)
