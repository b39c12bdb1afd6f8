package cpucard

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"moge/formats/mapped"
	"moge/runtime/card"
	"moge/runtime/cpu"
)

// chip is a card.
type chip struct {
	memory
	kernels map[string]*bound
	pool    *cpu.Pool // nil after Close
	workers []*scratch
	least   int // multiply-adds of a launch that are shared out
	shared  shared
	sums    map[sumsKey]*rowSums
}

var (
	_ card.Card   = (*chip)(nil)
	_ card.Mapper = (*chip)(nil)
)

func newChip(threads int, kernels map[string]*bound) *chip {
	c := &chip{kernels: kernels, pool: cpu.NewPool(threads), least: minWork,
		sums: map[sumsKey]*rowSums{}}
	for range c.pool.Workers() {
		c.workers = append(c.workers, new(scratch))
	}
	return c
}

// Alloc reserves memory.
func (c *chip) Alloc(bytes int64) (card.Addr, error) { return c.alloc(bytes) }

// Map takes bytes of a mapped file as memory.
func (c *chip) Map(data []byte) (card.Addr, error) {
	if at := uintptr(unsafe.Pointer(unsafe.SliceData(data))); at%blockBytes != 0 {
		return 0, fmt.Errorf("%d bytes begin at no multiple of %d", len(data), blockBytes)
	}
	return c.add(data, true), nil
}

// Write copies to the card.
func (c *chip) Write(at card.Addr, data []byte) error {
	to, err := c.writable(at, int64(len(data)))
	copy(to, data)
	return err
}

// Read copies from the card.
func (c *chip) Read(at card.Addr, into []byte) error {
	_, from, err := c.find(at, int64(len(into)))
	if err != nil {
		return err
	}
	return mapped.Guard(func() error {
		copy(into, from)
		return nil
	})
}

// Clear sets bytes to zero. What was never written is left alone: a cache takes memory as it fills.
func (c *chip) Clear(at card.Addr, bytes int64) error {
	p, _, err := c.find(at, bytes)
	if err != nil || p.zero {
		return err
	}
	data, err := c.writable(at, bytes)
	clear(data)
	return err
}

// Launch computes what a kernel would, and returns when it is done.
func (c *chip) Launch(ctx context.Context, l card.Launch) error {
	k := c.kernels[l.Kernel]
	if k == nil {
		return fmt.Errorf("kernel %s: the bundle has none of this name", l.Kernel)
	}
	call, err := newCall(ctx, c, k, l)
	if err != nil {
		return fmt.Errorf("kernel %s: %w", l.Kernel, err)
	}
	err = c.explain(mapped.Guard(func() error { return k.computes.run(call) }))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("kernel %s: %w", l.Kernel, err)
	}
	return nil
}

// explain turns a fault of a worker on a mapped file into an error; all else that ends a worker is a
// bug.
func (c *chip) explain(err error) error {
	var failure *cpu.PanicError
	if !errors.As(err, &failure) {
		return err
	}
	if addr, fault := failure.Fault(); fault && c.mapped(addr) {
		return mapped.ErrFault
	}
	panic(fmt.Sprintf("BUG: %v\n%s", failure, failure.Stack))
}

// mapped reports whether an address of the process lies in a mapped file.
func (c *chip) mapped(addr uintptr) bool {
	for _, p := range c.pieces {
		from := uintptr(unsafe.Pointer(unsafe.SliceData(p.data)))
		if p.fixed && addr >= from && addr < from+uintptr(len(p.data)) {
			return true
		}
	}
	return false
}

// Close ends the workers and gives the memory back.
func (c *chip) Close() error {
	if c.pool != nil {
		c.pool.Close()
		c.pool, c.memory, c.sums = nil, memory{}, nil
	}
	return nil
}
