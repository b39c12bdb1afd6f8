package emucard

import (
	"context"
	"fmt"

	"moge/ascend/emu"
	"moge/ascend/soc"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/card"
)

// Device runs bundles for cards on the emulated chip, for values alone: the gate is what looks for races
// and undefined bytes. Its name is "emulated".
func Device() card.Device { return card.New("emulated", open(true)) }

// Checked is Device with every check of the emulator in every launch: far slower.
func Checked() card.Device { return card.New("emulated", open(false)) }

func open(fast bool) card.Opener {
	return func(ctx context.Context, b *bundle.Bundle, need int64) (card.Card, error) {
		chip, err := soc.Find(b.Manifest().Targets[0])
		if err != nil {
			return nil, &bundle.Error{Path: b.Dir(), Offset: -1, Reason: err.Error(),
				Hint: "a newer version of moge may know it"}
		}
		var sources []emu.Source
		for _, k := range b.Manifest().Kernels {
			text, err := b.File(k.Source)
			if err != nil {
				return nil, err
			}
			sources = append(sources, emu.Source{Name: k.Name, Text: string(text)})
		}
		lib, err := emu.Compile(ctx, chip, sources)
		if err != nil {
			return nil, err
		}
		dev, err := lib.Start(ctx, need+1<<20)
		if err != nil {
			return nil, joined(err, lib.Close())
		}
		return &emulated{lib: lib, dev: dev, fast: fast}, nil
	}
}

func joined(err, more error) error {
	if more == nil {
		return err
	}
	return fmt.Errorf("%w; and %w", err, more)
}

type emulated struct {
	lib  *emu.Library
	dev  *emu.Device
	fast bool
}

// Alloc reserves memory.
func (e *emulated) Alloc(bytes int64) (card.Addr, error) {
	at, err := e.dev.Alloc(bytes)
	return card.Addr(at), err
}

// Write copies to the device.
func (e *emulated) Write(at card.Addr, data []byte) error {
	copy(e.dev.Bytes(emu.Addr(at), int64(len(data))), data)
	return nil
}

// Read copies from the device.
func (e *emulated) Read(at card.Addr, into []byte) error {
	copy(into, e.dev.Bytes(emu.Addr(at), int64(len(into))))
	return nil
}

// Clear sets bytes to zero.
func (e *emulated) Clear(at card.Addr, bytes int64) error {
	clear(e.dev.Bytes(emu.Addr(at), bytes))
	return nil
}

var roles = map[bundlepb.TensorRole]emu.Role{
	bundlepb.TensorRole_ROLE_IN: emu.In, bundlepb.TensorRole_ROLE_OUT: emu.Out,
	bundlepb.TensorRole_ROLE_IN_OUT: emu.InOut, bundlepb.TensorRole_ROLE_SCRATCH: emu.Workspace,
	bundlepb.TensorRole_ROLE_ZEROED: emu.Zeroed,
}

// Launch runs a kernel to its end. What the emulator finds is an error.
func (e *emulated) Launch(ctx context.Context, l card.Launch) error {
	run := emu.Launch{Kernel: l.Kernel, Blocks: l.Blocks, Fast: e.fast}
	for _, t := range l.Tensors {
		run.Args = append(run.Args, emu.Tensor(emu.Addr(t.At), t.Bytes, roles[t.Role]))
	}
	for _, v := range l.Scalars {
		run.Args = append(run.Args, emu.Int32(v))
	}
	r, err := e.dev.Launch(ctx, run)
	if err != nil {
		return err
	}
	if len(r.Findings) > 0 {
		return fmt.Errorf("kernel %s: %v", l.Kernel, r.Findings[0])
	}
	return nil
}

// Close ends the device.
func (e *emulated) Close() error {
	err := e.dev.Close()
	return joinedOrNil(err, e.lib.Close())
}

func joinedOrNil(err, more error) error {
	if err == nil {
		return more
	}
	return joined(err, more)
}
