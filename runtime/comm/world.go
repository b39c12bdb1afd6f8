package comm

import (
	"context"
	"fmt"
	"sync"

	"moge/ir/dtype"
)

// World is a number of ranks in one process that exchange data. The first failure of a rank is that
// of all: until Reset every call of every rank gives it.
type World struct {
	mu     sync.Mutex
	ranks  []*Rank
	open   map[place]*meeting // not all members have arrived
	failed *RankError
	broken chan struct{} // closed at the failure
}

// place is where the members of one group meet.
type place struct {
	group Group
	first int // the lowest member
}

// Rank is one member of a World. Its calls are made one after another, in the same order as those
// of the others in each group; different ranks call at the same time.
type Rank struct {
	world *World
	rank  int
	at    *meeting // where it waits or works; nil between calls
}

// NewWorld makes n ranks; n is at least 1.
func NewWorld(n int) *World {
	if n < 1 {
		panic(fmt.Sprintf("BUG: a world of %d ranks", n))
	}
	w := &World{open: map[place]*meeting{}, broken: make(chan struct{})}
	for i := range n {
		w.ranks = append(w.ranks, &Rank{world: w, rank: i})
	}
	return w
}

// Size is the number of ranks.
func (w *World) Size() int { return len(w.ranks) }

// Rank is rank number i.
func (w *World) Rank(i int) *Rank { return w.ranks[i] }

// Err is the failure of the world, a *RankError; nil while there is none.
func (w *World) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err()
}

// err is Err with the lock held.
func (w *World) err() error {
	if w.failed == nil {
		return nil // not a nil *RankError
	}
	return w.failed
}

// Reset makes the world usable again after a failure. It fails while a rank is still in a call.
func (w *World) Reset() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.ranks {
		if r.at != nil {
			return fmt.Errorf("rank %d is in a call", r.rank)
		}
	}
	if w.failed != nil {
		w.failed, w.broken = nil, make(chan struct{})
	}
	clear(w.open)
	return nil
}

// fail ends all calls whose members are not all there; the first failure stays. The lock is held.
func (w *World) fail(rank int, err error) error {
	if w.failed == nil {
		w.failed = &RankError{rank, err}
		close(w.broken)
	}
	return w.failed
}

// ID is the number of the rank.
func (r *Rank) ID() int { return r.rank }

// Abort tells the others that this rank will not go on: what they wait for fails with a *RankError
// that names it. The first failure of a world stays.
func (r *Rank) Abort(err error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	_ = r.world.fail(r.rank, err)
}

// Do takes part in a collective of the rank's group and returns when all members have. send and
// recv are elements of t, little-endian: in an all-gather recv has those of all members, in a
// reduce-scatter send has. Sums are taken in ascending order of members in f32, halves widened and
// the result rounded once; i32 wraps. recv may be send in an all-reduce; in the others the smaller
// side may be the member's own block of the larger; else they do not overlap.
//
// The error is a *RankError that names the rank which failed first: its context was done while it
// waited, its call was not valid, it called Abort, or it asked for something else than another
// member (*MismatchError). No member waits for one that failed.
func (r *Rank) Do(ctx context.Context, op Op, g Group, send, recv []byte, t dtype.Type) error {
	c := Call{r.rank, op, g, len(send), len(recv), t}
	m, err := r.enter(c, send, recv)
	if err != nil {
		return err
	}
	defer r.leave()
	if err := r.wait(ctx, m); err != nil {
		return err
	}
	m.part(g.Index(r.rank))
	r.finish(m)
	<-m.done
	return nil
}

// enter goes to where the group meets.
func (r *Rank) enter(c Call, send, recv []byte) (*meeting, error) {
	w := r.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.at != nil {
		panic(fmt.Sprintf("BUG: two calls of rank %d at once", r.rank))
	}
	if w.failed != nil {
		return nil, w.failed
	}
	if err := c.check(len(w.ranks)); err != nil {
		return nil, w.fail(r.rank, err)
	}
	at := place{c.Group, c.Group.Member(r.rank, 0)}
	m := w.open[at]
	if m == nil {
		m = newMeeting(c.Group)
		w.open[at] = m
	}
	if other, fits := m.arrive(c.Group.Index(r.rank), c, send, recv); !fits {
		return nil, w.fail(r.rank, &MismatchError{c, other})
	}
	if m.missing == 0 {
		delete(w.open, at)
	}
	r.at = m
	if other, ok := w.circle(r.rank, r.rank, make([]bool, len(w.ranks))); ok {
		r.at = nil
		return nil, w.fail(r.rank, &MismatchError{c, other})
	}
	return m, nil
}

// wait returns nil when all members are there, whatever happened meanwhile: the others then count
// on this one's slices.
func (r *Rank) wait(ctx context.Context, m *meeting) error {
	select {
	case <-m.full:
		return nil
	case <-ctx.Done():
	case <-r.world.broken:
	}
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	switch {
	case m.missing == 0:
		return nil
	case r.world.failed != nil:
		return r.world.failed
	}
	return r.world.fail(r.rank, ctx.Err())
}

func (r *Rank) finish(m *meeting) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if m.working--; m.working == 0 {
		close(m.done)
	}
}

func (r *Rank) leave() {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.at = nil
}

// circle looks for ranks that wait for one another without end: from waits for a rank that waits, and
// so on, for to. It gives the call of the first rank on the way. The lock is held.
func (w *World) circle(from, to int, seen []bool) (Call, bool) {
	seen[from] = true
	m := w.ranks[from].at
	if m == nil || m.missing == 0 {
		return Call{}, false
	}
	for _, next := range m.absent() {
		at := w.ranks[next].at
		if at == nil || at.missing == 0 {
			continue
		}
		if next == to {
			return m.calls[m.group.Index(from)], true
		}
		if seen[next] {
			continue
		}
		if _, ok := w.circle(next, to, seen); ok {
			return at.calls[at.group.Index(next)], true
		}
	}
	return Call{}, false
}
