package npu

import (
	"context"
	"errors"
	"sync"

	"moge/formats/bundle"
	"moge/runtime/card"
	"moge/runtime/device"
)

// DeviceName is the name of Device.
const DeviceName = "ascend"

// Device runs bundles on the chips of this machine, every rank in this process; with a rank table the
// ranks of other processes are theirs. The chips of a bundle are brought up when its first rank is
// loaded, until ctx is done, and given back when the last one is closed.
func Device(ctx context.Context, o Options) device.Device {
	return &chips{ctx: ctx, options: o, systems: map[*bundle.Bundle]*shared{}}
}

type chips struct {
	ctx     context.Context
	options Options

	mu      sync.Mutex
	systems map[*bundle.Bundle]*shared
}

// shared is a system that several ranks use.
type shared struct {
	*System
	users int
}

// Name is DeviceName.
func (c *chips) Name() string { return DeviceName }

// Load brings a rank up; see card.Device.
func (c *chips) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	if err := card.Check(b, program, opt); err != nil { // before anything is acquired
		return nil, err
	}
	s, err := c.acquire(b)
	if err != nil {
		return nil, err
	}
	r, err := card.New(DeviceName, s.Opener(opt.Rank)).Within(c.ctx).Load(b, program, opt)
	if err != nil {
		return nil, errors.Join(err, c.release(b))
	}
	return &rankRunner{r, s.System, opt.Rank, sync.OnceValue(func() error { return c.release(b) })}, nil
}

func (c *chips) acquire(b *bundle.Bundle) (*shared, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.systems[b]
	if s == nil {
		system, err := Start(c.ctx, b, c.options)
		if err != nil {
			return nil, err
		}
		s = &shared{System: system}
		c.systems[b] = s
	}
	s.users++
	return s, nil
}

func (c *chips) release(b *bundle.Bundle) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.systems[b]
	if s.users--; s.users > 0 {
		return nil
	}
	delete(c.systems, b)
	return s.Close()
}

// rankRunner is the runner of one rank; when it gives up, no other rank waits for it.
type rankRunner struct {
	device.Runner
	system  *System
	rank    int
	release func() error
}

// Run runs a step.
func (r *rankRunner) Run(ctx context.Context, b device.Batch) error {
	err := r.Runner.Run(ctx, b)
	if err != nil && r.system.size > 1 {
		r.system.World().Rank(r.rank).Abort(err)
	}
	return err
}

// Close gives the rank back, and with the last one the chips.
func (r *rankRunner) Close() error { return errors.Join(r.Runner.Close(), r.release()) }
