package card

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
)

// room is what an allocation takes at most beyond its bytes.
const room = 16 << 10

// need is the memory that place will allocate. Sections that share their bytes count once, so that
// it is at most the size of a file, an arena and a cache.
func (l *loader) need() int64 {
	total := int64(l.program.ArenaBytes) + room
	seen := map[int64]bool{}
	for _, s := range l.rank.Sections() {
		if !seen[s.Offset] {
			seen[s.Offset] = true
			total += s.Size + room
		}
	}
	for _, s := range l.program.States {
		total += l.stateBytes(s) + room
	}
	return total
}

// stateBytes is the memory of a slot of the cache: halves.
func (l *loader) stateBytes(s *bundlepb.State) int64 {
	return int64(l.pages) * PageRows * s.Heads * s.Width * 2
}

// place allocates everything and copies the weights, unless the card maps them. Pools begin as zeros:
// kernels read rows of a page beyond the sequence's length, which must be finite.
func (l *loader) place(ctx context.Context, c Card) (*runner, error) {
	r := &runner{loader: l, card: c, cache: newPages(l.limits.Seqs, l.pages)}
	arena, err := c.Alloc(max(1, int64(l.program.ArenaBytes)))
	if err != nil {
		return nil, err
	}
	for _, b := range l.buffers {
		r.at = append(r.at, arena+Addr(b.offset))
	}
	for _, s := range l.program.States {
		at, err := c.Alloc(l.stateBytes(s))
		if err == nil {
			err = c.Clear(at, l.stateBytes(s))
		}
		if err != nil {
			return nil, err
		}
		r.states = append(r.states, at)
	}
	return r, r.upload(ctx)
}

// upload brings the sections to the card, those that share their bytes once.
func (r *runner) upload(ctx context.Context) error {
	stored := map[int64]Addr{}
	for i, s := range r.rank.Sections() {
		at, ok := stored[s.Offset]
		if !ok {
			var err error
			if at, err = r.section(ctx, i); err != nil {
				return err
			}
			stored[s.Offset] = at
		}
		r.sections = append(r.sections, at)
	}
	return nil
}

// section is a section in memory of the card.
func (r *runner) section(ctx context.Context, i int) (Addr, error) {
	if m, ok := r.card.(Mapper); ok {
		return m.Map(r.rank.Section(i))
	}
	at, err := r.card.Alloc(r.rank.Sections()[i].Size)
	if err != nil {
		return 0, err
	}
	if err := r.copySection(ctx, i, at); err != nil {
		return 0, err
	}
	r.rank.Release(i)
	return at, nil
}

// piece is how much of a section is copied at once.
const piece = 4 << 20

// copySection goes through memory of its own: a driver that reads a file cut short while mapped
// would take the process with it.
func (r *runner) copySection(ctx context.Context, i int, at Addr) error {
	data := r.rank.Section(i)
	bounce := make([]byte, min(piece, len(data)))
	for len(data) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		err := mapped.Guard(func() error {
			n = copy(bounce, data)
			return nil
		})
		if err != nil {
			return r.explain(err)
		}
		if err := r.card.Write(at, bounce[:n]); err != nil {
			return fmt.Errorf("copy %s to the card: %w", r.rank.Sections()[i].Name, err)
		}
		data, at = data[n:], at+Addr(n)
	}
	return nil
}

// explain names the file of weights that could not be read while it was mapped; other errors are left
// as they are.
func (r *runner) explain(err error) error {
	if !errors.Is(err, mapped.ErrFault) {
		return err
	}
	return &bundle.Error{Path: filepath.Join(r.bundle.Dir(), bundle.RankFile(r.opt.Rank)), Offset: -1,
		Reason: mapped.ErrFault.Error(), Hint: "copy the bundle again or compile it anew", Err: err}
}
