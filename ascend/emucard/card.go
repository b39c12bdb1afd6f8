package emucard

import (
	"context"
	"errors"
	"fmt"
	"math"

	"moge/ascend/emu"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/card"
)

// emulated is a card: a device of package emu and the library that it runs.
type emulated struct {
	lib  *emu.Library
	dev  *emu.Device
	fast bool
	used card.Addr // memory from here on has never been written, and so is zero
}

// Alloc reserves memory.
func (e *emulated) Alloc(bytes int64) (card.Addr, error) {
	at, err := e.dev.Alloc(bytes)
	return card.Addr(at), err
}

// Write copies to the device.
func (e *emulated) Write(at card.Addr, data []byte) error {
	copy(e.bytes(at, int64(len(data))), data)
	return nil
}

// Read copies from the device.
func (e *emulated) Read(at card.Addr, into []byte) error {
	copy(into, e.dev.Bytes(emu.Addr(at), int64(len(into))))
	return nil
}

// Clear sets bytes to zero. It leaves alone what never was anything else: a cache then takes memory
// of the host only as it fills.
func (e *emulated) Clear(at card.Addr, bytes int64) error {
	if at < e.used {
		clear(e.bytes(at, bytes))
	}
	return nil
}

// bytes is memory that is about to be written.
func (e *emulated) bytes(at card.Addr, n int64) []byte {
	e.used = max(e.used, at+card.Addr(n))
	return e.dev.Bytes(emu.Addr(at), n)
}

// roles are those of the manifest for values alone.
var roles = [...]emu.Role{
	bundlepb.TensorRole_ROLE_IN: emu.In, bundlepb.TensorRole_ROLE_OUT: emu.Out,
	bundlepb.TensorRole_ROLE_IN_OUT: emu.InOut, bundlepb.TensorRole_ROLE_SCRATCH: emu.Workspace,
	bundlepb.TensorRole_ROLE_ZEROED: emu.Zeroed,
}

// role is the role of a tensor in a launch. With checks an output is one that was defined before:
// what a step passes may reach beyond the rows that the kernel writes, into those of another launch,
// which must be neither dirtied nor missed.
func (e *emulated) role(r bundlepb.TensorRole) emu.Role {
	if r == bundlepb.TensorRole_ROLE_OUT && !e.fast {
		return emu.InOut
	}
	return roles[r]
}

// Launch runs a kernel to its end. What the emulator finds is an error.
func (e *emulated) Launch(ctx context.Context, l card.Launch) error {
	e.used = math.MaxUint64
	run := emu.Launch{Kernel: l.Kernel, Blocks: l.Blocks, Fast: e.fast}
	for _, t := range l.Tensors {
		run.Args = append(run.Args, emu.Tensor(emu.Addr(t.At), t.Bytes, e.role(t.Role)))
	}
	for _, v := range l.Scalars {
		run.Args = append(run.Args, emu.Int32(v))
	}
	r, err := e.dev.Launch(ctx, run)
	if err != nil {
		return err
	}
	if len(r.Findings) > 0 {
		return &FindingsError{r.Findings}
	}
	return nil
}

// Close ends the device.
func (e *emulated) Close() error { return errors.Join(e.dev.Close(), e.lib.Close()) }

// FindingsError says which rules a kernel broke.
type FindingsError struct{ Findings []emu.Finding }

// Error is the first: kernel, block, line, rule, source; and how many there are beside it.
func (e *FindingsError) Error() string {
	text := "kernel " + e.Findings[0].String()
	if more := len(e.Findings) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
