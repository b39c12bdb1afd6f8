package card

import (
	"context"
	"fmt"
	"path/filepath"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
	"moge/runtime/device"
)

// Device loads launch programs on cards.
type Device struct {
	name string
	open Opener
}

var _ device.Device = Device{}

// New is a device of the given name, whose cards open brings up.
func New(name string, open Opener) Device { return Device{name, open} }

// Name is the device's name, such as "emulated".
func (d Device) Name() string { return d.name }

// Load places program number program of b, whose rank 0 must be open, on a card. What is wrong with
// the program is a *bundle.Error; options that do not fit it are plain errors.
func (d Device) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	m := b.Manifest()
	if program < 0 || program >= len(m.Programs) {
		return nil, fmt.Errorf(
			"%s: there is no program %d, the bundle has %d",
			b.Dir(),
			program,
			len(m.Programs),
		)
	}
	if len(m.Kernels) == 0 {
		return nil, &bundle.Error{Path: b.Dir(), Offset: -1,
			Reason: fmt.Sprintf("the bundle is for %s and has no kernels for a card", m.Targets[0]),
			Hint:   "run it with --device cpu, or compile it with --target 300i-duo"}
	}
	if len(m.Ranks) != 1 {
		return nil, fmt.Errorf(
			"%s: the bundle is cut for %d ranks; this device runs those of one",
			b.Dir(),
			len(m.Ranks),
		)
	}
	l, err := newLoader(b, m.Programs[program], opt)
	if err != nil {
		return nil, &bundle.Error{Path: filepath.Join(b.Dir(), bundle.ManifestName), Offset: -1,
			Reason: fmt.Sprintf("program %q: %v", m.Programs[program].Name, err),
			Hint:   "compile it anew with this version"}
	}
	if err := l.narrow(); err != nil {
		return nil, err
	}
	c, err := d.open(context.Background(), b, l.need())
	if err != nil {
		return nil, err
	}
	r, err := l.place(c)
	if err != nil {
		return nil, joined(err, c.Close())
	}
	return r, nil
}

func joined(err, more error) error {
	if more == nil {
		return err
	}
	return fmt.Errorf("%w; and %w", err, more)
}

// room is what an allocation takes at most beyond its bytes.
const room = 16 << 10

// need is the memory that place will allocate.
func (l *loader) need() int64 {
	total := int64(room) + int64(l.program.ArenaBytes)
	for _, s := range l.bundle.Manifest().Ranks[0].Sections {
		total += s.Size + room
	}
	for _, s := range l.program.States {
		total += l.stateBytes(s) + room
	}
	return total
}

func (l *loader) stateBytes(s *bundlepb.State) int64 {
	return int64(l.pages) * PageRows * s.Heads * s.Width * 2
}

// place allocates everything and copies the weights.
func (l *loader) place(c Card) (*runner, error) {
	r := &runner{loader: l, card: c, cache: newPages(l.limits.Seqs, l.pages)}
	arena, err := c.Alloc(max(1, int64(l.program.ArenaBytes)))
	if err != nil {
		return nil, err
	}
	for _, b := range l.buffers {
		r.buffers = append(r.buffers, arena+Addr(b.offset))
	}
	for _, s := range l.program.States {
		at, err := c.Alloc(l.stateBytes(s))
		if err != nil {
			return nil, err
		}
		if err := c.Clear(at, l.stateBytes(s)); err != nil {
			return nil, err
		}
		r.states = append(r.states, at)
	}
	return r, r.upload()
}

// piece is how much of a section is copied at once.
const piece = 8 << 20

// upload copies the sections straight from the mapped file.
func (r *runner) upload() error {
	rank, err := r.bundle.Rank(0)
	if err != nil {
		return err
	}
	for i, s := range rank.Sections() {
		at, err := r.card.Alloc(s.Size)
		if err != nil {
			return err
		}
		r.sections = append(r.sections, at)
		for off := int64(0); off < s.Size; off += piece {
			err := mapped.Guard(func() error {
				return r.card.Write(at+Addr(off), rank.Section(i)[off:min(off+piece, s.Size)])
			})
			if err != nil {
				return fmt.Errorf(
					"%s: section %s: %w",
					filepath.Join(r.bundle.Dir(), bundle.RankFile(0)),
					s.Name,
					err,
				)
			}
		}
		rank.Release(i)
	}
	return nil
}
