package npu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"moge/formats/bundle"
	"moge/runtime/card"
	"moge/runtime/comm"
)

// Options say which chips run a bundle.
type Options struct {
	// Devices are the chips of ranks 0, 1, ...; nil means that rank i has chip i.
	Devices []int
	// RankTable is the file of a rank table; then this process has one rank alone, number Rank.
	RankTable string
	Rank      int
	// Kernels is the file of the built kernels; empty: one of KernelFiles.
	Kernels string
	// Libraries are the folders of libascendcl.so and libhccl.so; empty: where CANN is installed and
	// where the system looks.
	Libraries []string
}

// System is the chips of a bundle that this process has, each with a thread of its own, and the
// communicators between them. After a failure of one rank no rank goes on. A step that is cancelled is
// such a failure where there are several ranks: none knows what the others still did of it.
type System struct {
	acl     *acl
	hccl    *hccl // nil for one rank
	opt     Options
	kernels string // file
	size    int    // ranks, those of other processes too
	ranks   []*rank
	world   *comm.World // of the ranks of this process
	begun   bool        // AscendCL is initialized
	hbm     bool

	closing sync.Once
	closed  error
}

// Start brings up the chips of a bundle's ranks: all of them, or with a rank table this process's own.
// It loads no kernels yet. Errors are an *Error where the machine lacks something, a *RankError with a
// *CallError where a call failed; what had been acquired is given back.
func Start(ctx context.Context, b *bundle.Bundle, o Options) (*System, error) {
	w, err := workOf(b)
	if err != nil {
		return nil, err
	}
	return start(ctx, w, o)
}

func start(ctx context.Context, w work, o Options) (*System, error) {
	s := &System{opt: o, size: w.ranks}
	chips, err := s.chips()
	if err != nil {
		return nil, err
	}
	s.world = comm.NewWorld(len(chips))
	if err := s.start(ctx, w, chips); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// chips are the chips of this process's ranks.
func (s *System) chips() ([]int, error) {
	o := s.opt
	if o.RankTable != "" {
		chip, err := chipInTable(o.RankTable, s.size, o.Rank)
		return []int{chip}, err
	}
	if o.Devices == nil {
		for i := range s.size {
			o.Devices = append(o.Devices, i)
		}
	}
	if len(o.Devices) != s.size {
		return nil, &Error{What: fmt.Sprintf("%d chips for %d ranks", len(o.Devices), s.size),
			Kind: ErrInput, Hint: "name one chip for each rank"}
	}
	seen := map[int]bool{}
	for _, d := range o.Devices {
		if d < 0 || seen[d] {
			return nil, &Error{What: fmt.Sprintf("chip %d for several ranks, or none", d), Kind: ErrInput,
				Hint: "name another chip for each rank"}
		}
		seen[d] = true
	}
	return o.Devices, nil
}

func (s *System) start(ctx context.Context, w work, chips []int) (err error) {
	if s.acl, err = loadACL(s.opt.Libraries); err != nil {
		return err
	}
	if s.size > 1 {
		if s.hccl, err = loadHCCL(s.opt.Libraries); err != nil {
			return err
		}
	}
	if s.kernels, err = findKernels(w.dir, s.opt.Kernels); err != nil {
		return err
	}
	if err := begin(s.acl); err != nil {
		return err
	}
	s.begun = true
	if err := s.fits(w, chips); err != nil {
		return err
	}
	for i, chip := range chips {
		id := i
		if s.opt.RankTable != "" {
			id = s.opt.Rank
		}
		s.ranks = append(s.ranks, newRank(s, id, chip))
	}
	if err := s.each(func(r *rank) error { return r.open() }); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || s.size == 1 {
		return err
	}
	return s.connect()
}

// fits checks the machine's chips against what the bundle is for.
func (s *System) fits(w work, chips []int) error {
	name, err := s.acl.socName()
	if err != nil {
		return err
	}
	have := strings.ToLower(name)
	s.hbm = hasHBM(name)
	if w.chip != "" && have != w.chip && !strings.HasPrefix(have, w.chip+"-") {
		return &Error{
			What: fmt.Sprintf("%s: its kernels are for %s, this machine has %s", w.dir, w.chip, have),
			Kind: ErrInput,
			Hint: "compile it with the --target of this machine",
		}
	}
	n, err := s.acl.deviceCount()
	if err != nil {
		return err
	}
	need := len(chips)
	if n < need {
		return &Error{What: fmt.Sprintf("the bundle needs %d chips, the machine has %d", need, n),
			Kind: ErrResources, Hint: "compile it with fewer --devices, or run it on a larger machine"}
	}
	for _, c := range chips {
		if c >= n {
			return &Error{What: fmt.Sprintf("there is no chip %d, the machine has %d", c, n),
				Kind: ErrInput, Hint: "name chips that npu-smi info lists"}
		}
	}
	return nil
}

// each does something on all ranks at once and gives the first error, that of the lowest rank.
func (s *System) each(run func(r *rank) error) error {
	return s.collect(run, (*rank).do, func(errs []error) error {
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// releaseEach gives something back on all ranks at once.
func (s *System) releaseEach(run func(r *rank) error) error {
	return s.collect(run, (*rank).release, func(errs []error) error { return errors.Join(errs...) })
}

func (s *System) collect(run func(r *rank) error, by func(r *rank, run func() error) error,
	join func([]error) error) error {
	errs := make([]error, len(s.ranks))
	var wg sync.WaitGroup
	for i, r := range s.ranks {
		wg.Go(func() { errs[i] = by(r, func() error { return run(r) }) })
	}
	wg.Wait()
	return join(errs)
}

// local is the number of a rank among those of this process.
func (s *System) local(r *rank) int {
	if s.opt.RankTable != "" {
		return 0
	}
	return r.id
}

// World is the ranks of this process, a rank with a table being number 0. To abort one there ends all:
// who runs the ranks tells so that one of them will not go on.
func (s *System) World() *comm.World { return s.world }

// Opener loads the kernels of a bundle on the chip of a rank, which must be one of this process. The
// card is a card.Collective, a Joiner and a Timer too. Closing it leaves the chip to the system.
func (s *System) Opener(rank int) card.Opener {
	return func(ctx context.Context, b *bundle.Bundle, need int64) (card.Card, error) {
		w, err := workOf(b)
		if err != nil {
			return nil, err
		}
		return s.open(ctx, rank, w, need)
	}
}

func (s *System) open(ctx context.Context, rank int, w work, need int64) (card.Card, error) {
	for _, r := range s.ranks {
		if r.id == rank {
			return openChip(ctx, r, w, need)
		}
	}
	return nil, &Error{What: fmt.Sprintf("rank %d is not one of this process", rank), Kind: ErrInput}
}

// Opener brings up one chip for a bundle of one rank; closing the card closes its system.
func Opener(o Options) card.Opener {
	return func(ctx context.Context, b *bundle.Bundle, need int64) (card.Card, error) {
		s, err := Start(ctx, b, o)
		if err != nil {
			return nil, err
		}
		c, err := s.Opener(o.Rank)(ctx, b, need)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		c.(*chip).last = s.Close
		return c, nil
	}
}

// Close gives everything back: cards that are still open, communicators, chips. It does all of it
// whatever fails, and gives what failed. A second call gives the same.
func (s *System) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *System) close() error {
	errs := []error{
		s.releaseEach(func(r *rank) error {
			if r.card == nil {
				return r.settle()
			}
			return r.card.close()
		}),
		s.releaseEach((*rank).disconnect),
		s.releaseEach((*rank).close),
	}
	for _, r := range s.ranks {
		close(r.jobs)
		<-r.ended
	}
	if s.begun {
		errs = append(errs, end(s.acl))
	}
	return errors.Join(errs...)
}

// begun counts the systems of this process: AscendCL is initialized once for all.
var begun struct {
	sync.Mutex
	users map[string]int // by library
}

func begin(a *acl) error {
	begun.Lock()
	defer begun.Unlock()
	if begun.users == nil {
		begun.users = map[string]int{}
	}
	if begun.users[a.path] == 0 {
		if err := a.init(); err != nil {
			return err
		}
	}
	begun.users[a.path]++
	return nil
}

func end(a *acl) error {
	begun.Lock()
	defer begun.Unlock()
	if begun.users[a.path]--; begun.users[a.path] > 0 {
		return nil
	}
	return a.finalize()
}

// hasHBM reports which of its two kinds of memory a chip has.
func hasHBM(soc string) bool { return !strings.HasPrefix(strings.ToLower(soc), "ascend310") }
