package cpudevice

import (
	"fmt"
	"path/filepath"

	"moge/formats/bundle"
	"moge/runtime/cpu"
	"moge/runtime/device"
)

// Device is the processor that the program runs on.
type Device struct{}

var _ device.Device = Device{}

// Name is "cpu".
func (Device) Name() string { return "cpu" }

// Load binds program number program of b, whose rank 0 must be open; b must stay open until
// the runner is closed. What is wrong with the program is a *bundle.Error that names the
// step; options that do not fit it are plain errors.
func (Device) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	programs := b.Manifest().Programs
	if program < 0 || program >= len(programs) {
		return nil, fmt.Errorf("%s: there is no program %d, the bundle has %d",
			b.Dir(), program, len(programs))
	}
	if err := device.CheckTarget(b, false); err != nil {
		return nil, err
	}
	if ranks := len(b.Manifest().Ranks); ranks != 1 {
		return nil, fmt.Errorf("%s: the bundle is cut for %d ranks; the cpu device runs those of one",
			b.Dir(), ranks)
	}
	rank, err := b.Rank(0)
	if err != nil {
		return nil, err
	}
	l := &loader{bundle: b, rank: rank, program: programs[program], opt: opt}
	r, err := l.load()
	if err != nil {
		return nil, err
	}
	r.pool = cpu.NewPool(opt.Threads)
	r.worker = make([]scratch, r.pool.Workers())
	for i := range r.worker {
		r.worker[i] = l.newScratch()
	}
	return r, nil
}

// invalid blames the bundle's program.
func (l *loader) invalid(format string, args ...any) error {
	return &bundle.Error{
		Path: filepath.Join(l.bundle.Dir(), bundle.ManifestName), Offset: -1,
		Reason: fmt.Sprintf("program %q: %s", l.program.Name, fmt.Sprintf(format, args...)),
		Hint:   "compile it anew with this version",
	}
}
