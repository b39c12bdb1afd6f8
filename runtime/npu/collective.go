package npu

import (
	"context"
	"fmt"

	"moge/ir/dtype"
	"moge/runtime/card"
	"moge/runtime/comm"
)

// communicator is what a rank has of a group.
type communicator struct {
	group comm.Group
	comm  handle
}

// connect makes the communicator of all ranks.
func (s *System) connect() error {
	world := comm.Group{Size: s.size, Stride: 1}
	if s.opt.RankTable != "" {
		return s.each(func(r *rank) error {
			c, err := s.hccl.initCluster(s.opt.RankTable, r.id)
			if err == nil {
				r.comms = append(r.comms, communicator{world, c})
			}
			return err
		})
	}
	devices := make([]int32, len(s.ranks))
	for i, r := range s.ranks {
		devices[i] = int32(r.chip)
	}
	var all []handle
	err := s.ranks[0].do(func() (err error) {
		all, err = s.hccl.initAll(devices)
		return err
	})
	if err != nil {
		return err
	}
	return s.each(func(r *rank) error {
		r.comms = append(r.comms, communicator{world, all[r.id]})
		return nil
	})
}

// disconnect gives the communicators back, the newest first.
func (r *rank) disconnect() error {
	var first error
	for i := len(r.comms) - 1; i >= 0; i-- {
		if err := r.sys.hccl.destroy(r.comms[i].comm); err != nil && first == nil {
			first = err
		}
	}
	r.comms = nil
	return first
}

// join is the communicator of a group, made when it is first asked for: all members must come.
func (r *rank) join(g comm.Group) (handle, error) {
	for _, c := range r.comms {
		if c.group == g {
			return c.comm, nil
		}
	}
	info := make([]byte, rootBytes)
	if g.Index(r.id) == 0 {
		var err error
		if info, err = r.sys.hccl.rootInfo(); err != nil {
			return 0, err
		}
	}
	root, err := r.tell(g, info)
	if err != nil {
		return 0, err
	}
	c, err := r.sys.hccl.initRoot(g.Size, root, g.Index(r.id))
	if err == nil {
		r.comms = append(r.comms, communicator{g, c})
	}
	return c, err
}

// tell gives the information of the first member of a group: within a process over memory, else over
// the communicator of all ranks, so that nothing but HCCL is needed between them.
func (r *rank) tell(g comm.Group, info []byte) ([]byte, error) {
	if r.sys.opt.RankTable == "" {
		all := make([]byte, g.Size*rootBytes)
		err := r.sys.world.Rank(r.id).Do(r.ctx, comm.AllGather, g, info, all, dtype.I8)
		return all[:rootBytes], err
	}
	all := make([]byte, r.sys.size*rootBytes)
	if err := r.gather(info, all); err != nil {
		return nil, err
	}
	return all[g.Member(r.id, 0)*rootBytes:][:rootBytes], nil
}

// gather is an all-gather of memory of the host over all ranks.
func (r *rank) gather(send, recv []byte) (err error) {
	a := r.sys.acl
	at, err := a.malloc(int64(len(send) + len(recv)))
	if err != nil {
		return err
	}
	defer func() {
		if e := a.free(at); err == nil {
			err = e
		}
	}()
	if err := a.write(at, send); err != nil {
		return err
	}
	to := at + uintptr(len(send))
	if err := r.sys.hccl.collective(comm.AllGather, at, to, int64(len(send)), dtype.I8, r.comms[0].comm,
		r.stream); err != nil {
		return err
	}
	if err := r.sync(); err != nil {
		return err
	}
	return a.read(recv, to)
}

// Joiner is a card that makes the communicators of groups ahead of their first use, which takes
// seconds on a real machine. All ranks must join the same groups in the same order.
type Joiner interface {
	Join(ctx context.Context, groups ...comm.Group) error
}

var _ Joiner = (*chip)(nil)

// Join makes the communicators of groups.
func (c *chip) Join(ctx context.Context, groups ...comm.Group) error {
	for _, g := range groups {
		if err := g.Check(c.r.sys.size); err != nil {
			return err
		}
	}
	return c.r.do(func() error {
		c.r.ctx = ctx
		for _, g := range groups {
			if g.Size == 1 {
				continue
			}
			if _, err := c.r.join(g); err != nil {
				return fmt.Errorf("communicator of %v: %w", g, err)
			}
		}
		return nil
	})
}

// Collective puts a collective behind what was launched before and does not wait for it: what goes
// wrong shows in a later call. count is the elements of the smaller side. Sums are the chip's: not
// those of package comm to the bit.
func (c *chip) Collective(ctx context.Context, op comm.Op, g comm.Group, send, recv card.Addr,
	count int64, t dtype.Type) error {
	if err := g.Check(c.r.sys.size); err != nil {
		return err
	}
	if _, ok := hcclTypes[t]; !ok {
		return fmt.Errorf("%v of %v: HCCL has no such elements", op, t)
	}
	if err := c.r.admit(ctx); err != nil || count == 0 {
		return err
	}
	c.r.post(func() error {
		c.r.ctx = ctx
		if g.Size == 1 {
			return c.copyWithin(uintptr(send), uintptr(recv), t.Bytes(count))
		}
		with, err := c.r.join(g)
		if err == nil {
			err = c.r.sys.hccl.collective(op, uintptr(send), uintptr(recv), count, t, with, c.r.stream)
		}
		if err != nil {
			return fmt.Errorf("%v of %d %v, %v: %w", op, count, t, g, err)
		}
		return nil
	})
	return nil
}

// copyWithin is what a group of one does.
func (c *chip) copyWithin(from, to uintptr, n int64) error {
	if from == to {
		return nil
	}
	return c.r.sys.acl.copyAsync(to, from, n, deviceToDevice, c.r.stream)
}
