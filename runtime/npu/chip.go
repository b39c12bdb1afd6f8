package npu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"moge/runtime/card"
	"moge/runtime/npu/dl"
)

// chip is a card.Card: a rank with the kernels of a bundle and the memory that was asked of it.
type chip struct {
	r       *rank
	binary  handle
	kernels map[string]handle
	memory  []uintptr // as it came
	shut    bool
	last    func() error // after Close; may be nil
}

var _ card.Card = (*chip)(nil)

// openChip loads the kernels of a bundle on the chip of a rank.
func openChip(ctx context.Context, r *rank, w work, need int64) (card.Card, error) {
	c := &chip{r: r, kernels: map[string]handle{}}
	err := r.release(func() error { // which fails without ending the card that is open
		if r.card != nil {
			return fmt.Errorf("rank %d has a card open already", r.id)
		}
		r.card, r.ctx = c, ctx
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.do(func() error {
		if err := c.room(need); err != nil {
			return err
		}
		return c.load(w)
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// room fails where the chip has less memory free than is needed.
func (c *chip) room(need int64) error {
	free, total, err := c.r.sys.acl.memInfo(c.r.sys.hbm)
	if err != nil {
		return err
	}
	if total > 0 && need > free {
		return &Error{What: fmt.Sprintf("%d bytes are needed, %d of %d are free", need, free, total),
			Kind: ErrResources, Hint: "use a smaller --context or cache, more chips, or end what else uses them"}
	}
	return nil
}

func (c *chip) load(w work) (err error) {
	a := c.r.sys.acl
	if c.binary, err = a.loadBinary(c.r.sys.kernels); err != nil {
		return err
	}
	for _, name := range w.kernels {
		f, err := a.function(c.binary, name)
		if err != nil {
			return &Error{What: c.r.sys.kernels, Err: err, Kind: ErrInput,
				Hint: "build the kernels of this very bundle"}
		}
		c.kernels[name] = f
	}
	return nil
}

// Sizes in bytes: what Alloc promises, and the slack that kernels may read behind a tensor.
const (
	alignment = 512
	slack     = 32
)

// Alloc reserves memory.
func (c *chip) Alloc(bytes int64) (at card.Addr, err error) {
	if bytes <= 0 {
		return 0, fmt.Errorf("allocation of %d bytes", bytes)
	}
	err = c.r.do(func() error {
		p, err := c.r.sys.acl.malloc(bytes + alignment + slack)
		if e, ok := err.(*CallError); ok && e.Code == aclNoMemory {
			return c.exhausted(bytes, err)
		}
		if err != nil {
			return err
		}
		c.memory = append(c.memory, p)
		at = card.Addr((p + alignment - 1) / alignment * alignment)
		return nil
	})
	return at, err
}

// exhausted says how much memory there was.
func (c *chip) exhausted(bytes int64, err error) error {
	what := fmt.Sprintf("%d bytes more are needed", bytes)
	if free, total, err := c.r.sys.acl.memInfo(c.r.sys.hbm); err == nil {
		what += fmt.Sprintf(", %d of %d are free", free, total)
	}
	return &Error{What: what, Err: err, Kind: ErrResources,
		Hint: "use a smaller --context or cache, more chips, or end what else uses them"}
}

// Write copies to the chip, behind what was launched before.
func (c *chip) Write(at card.Addr, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if len(data) <= stagedWrite {
		data = append([]byte(nil), data...)
		c.r.post(func() error { return c.writeStaged(uintptr(at), data) })
		return nil
	}
	return c.r.do(func() error {
		if err := c.r.sync(); err != nil {
			return err
		}
		return c.r.sys.acl.write(uintptr(at), data)
	})
}

func (c *chip) writeStaged(at uintptr, data []byte) error {
	s := &c.r.stage
	if s.used+len(data) > stageBytes {
		if err := c.r.sync(); err != nil {
			return err
		}
	}
	from := s.at + uintptr(s.used)
	copy(dl.Bytes(from, len(data)), data)
	s.used += (len(data) + 63) / 64 * 64
	return c.r.sys.acl.copyAsync(at, from, int64(len(data)), hostToDevice, c.r.stream)
}

// Read copies from the chip when all that was launched before is done.
func (c *chip) Read(at card.Addr, into []byte) error {
	return c.r.do(func() error {
		if err := c.r.sync(); err != nil || len(into) == 0 {
			return err
		}
		return c.r.sys.acl.read(into, uintptr(at))
	})
}

var _ card.Waiter = (*chip)(nil)

// Wait returns when all that was launched has ended.
func (c *chip) Wait() error { return c.r.do(c.r.sync) }

// Clear sets bytes to zero, behind what was launched before.
func (c *chip) Clear(at card.Addr, bytes int64) error {
	if bytes > 0 {
		c.r.post(func() error { return c.r.sys.acl.clearAsync(uintptr(at), bytes, c.r.stream) })
	}
	return nil
}

// Launch puts a kernel behind what was launched before and does not wait for it: what goes wrong shows
// in a later call.
func (c *chip) Launch(ctx context.Context, l card.Launch) error {
	f, ok := c.kernels[l.Kernel]
	if !ok {
		return fmt.Errorf("kernel %s: not one of the bundle", l.Kernel)
	}
	if err := c.r.admit(ctx); err != nil {
		return err
	}
	c.r.post(func() error {
		c.r.ctx, c.r.last = ctx, l.Kernel
		return of("kernel "+l.Kernel, c.r.sys.acl.launch(f, l, c.r.stream))
	})
	return nil
}

// Close gives memory and kernels back; it is safe to call it twice, and after the system's Close, which
// did it.
func (c *chip) Close() error {
	if c.shut {
		return nil
	}
	c.shut = true
	if c.last != nil {
		return c.last() // closes this card too
	}
	select {
	case <-c.r.ended:
		return nil
	default:
	}
	return c.r.release(c.close)
}

// close is Close on the thread.
func (c *chip) close() error {
	if c.r.card != c {
		return nil
	}
	c.r.card = nil
	a := c.r.sys.acl
	errs := []error{c.r.settle()}
	for i := len(c.memory) - 1; i >= 0; i-- {
		errs = append(errs, a.free(c.memory[i]))
	}
	if c.binary != 0 {
		errs = append(errs, a.unloadBinary(c.binary))
	}
	c.memory, c.binary = nil, 0
	return errors.Join(errs...)
}

// Timer is a card that can tell how long the chip took for what run launched, without what the host
// did before and after.
type Timer interface {
	Time(run func() error) (time.Duration, error)
}

var _ Timer = (*chip)(nil)

// Time runs and waits, and gives the time between the first launch and the end of the last.
func (c *chip) Time(run func() error) (took time.Duration, err error) {
	var from, to handle
	defer func() {
		err = errors.Join(err, c.r.release(func() error { return c.dropEvents(from, to) }))
	}()
	err = c.r.do(func() (err error) {
		if from, err = c.r.sys.acl.createEvent(); err != nil {
			return err
		}
		if to, err = c.r.sys.acl.createEvent(); err != nil {
			return err
		}
		return c.r.sys.acl.recordEvent(from, c.r.stream)
	})
	if err != nil {
		return 0, err
	}
	if err := run(); err != nil {
		return 0, err
	}
	err = c.r.do(func() (err error) {
		if err := c.r.sys.acl.recordEvent(to, c.r.stream); err != nil {
			return err
		}
		if err := c.r.sync(); err != nil {
			return err
		}
		took, err = c.r.sys.acl.elapsed(from, to)
		return err
	})
	return took, err
}

func (c *chip) dropEvents(events ...handle) error {
	var errs []error
	for _, e := range events {
		if e != 0 {
			errs = append(errs, c.r.sys.acl.destroyEvent(e))
		}
	}
	return errors.Join(errs...)
}
