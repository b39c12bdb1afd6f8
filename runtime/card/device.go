package card

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"moge/formats/bundle"
	"moge/runtime/device"
)

// Device loads launch programs on cards.
type Device struct {
	name string
	open Opener
	ctx  context.Context
}

var _ device.Device = Device{}

// New is a device of the given name, whose cards open brings up.
func New(name string, open Opener) Device { return Device{name, open, context.Background()} }

// Within is the device whose Load gives up when ctx is done: bringing up a card takes long where
// its kernels are compiled first.
func (d Device) Within(ctx context.Context) Device {
	d.ctx = ctx
	return d
}

// Name is the device's name, such as "emulated".
func (d Device) Name() string { return d.name }

// Load places program number program of b, whose rank opt.Rank must be open, on a card; b must stay open
// until the runner is closed. What is wrong with the program is a *bundle.Error that names the
// step; options that do not fit it are plain errors. Options.Threads says nothing to a card.
//
// The runner's tap hears of launches alone: op is the kernel's name, results are the tensors that it
// wrote, whole buffers with their padding, rows in the card's order: first the sequences with one
// token, then each other sequence, both by first token. Halves are widened, states are nil.
func (d Device) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	l, err := check(b, program, opt)
	if err != nil {
		return nil, err
	}
	c, err := d.open(d.ctx, b, l.need())
	if err != nil {
		return nil, err
	}
	if _, direct := c.(Collective); l.ranks > 1 && l.opt.Comm == nil && !direct {
		return nil, errors.Join(fmt.Errorf("%s: rank %d has no way to the other %d", b.Dir(), opt.Rank, l.ranks-1),
			c.Close())
	}
	r, err := l.place(d.ctx, c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return r, nil
}

// Check is all of Load that needs no card: whether the program is one that a card could run.
func Check(b *bundle.Bundle, program int, opt device.Options) error {
	_, err := check(b, program, opt)
	return err
}

// check is all of Load that needs no card.
func check(b *bundle.Bundle, program int, opt device.Options) (*loader, error) {
	m := b.Manifest()
	if program < 0 || program >= len(m.Programs) {
		return nil, fmt.Errorf("%s: there is no program %d, the bundle has %d",
			b.Dir(), program, len(m.Programs))
	}
	if err := device.CheckTarget(b, true); err != nil {
		return nil, err
	}
	if err := device.CheckRanks(b, opt); err != nil {
		return nil, err
	}
	rank, err := b.Rank(opt.Rank)
	if err != nil {
		return nil, err
	}
	l, err := newLoader(b, rank, m.Programs[program], opt)
	if err != nil {
		return nil, &bundle.Error{Path: filepath.Join(b.Dir(), bundle.ManifestName), Offset: -1,
			Reason: fmt.Sprintf("program %q: %v", m.Programs[program].Name, err),
			Hint:   "compile it anew with this version"}
	}
	return l, l.narrow()
}
