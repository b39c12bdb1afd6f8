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

// Load binds program number program of b, whose rank Options.Rank must be open; b must stay open until
// the runner is closed. What is wrong with the program is a *bundle.Error that names the
// step; options that do not fit it are plain errors. A rank of several works with the others through
// Options.Comm: package ranks does that.
func (Device) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	programs := b.Manifest().Programs
	if program < 0 || program >= len(programs) {
		return nil, fmt.Errorf("%s: there is no program %d, the bundle has %d",
			b.Dir(), program, len(programs))
	}
	if err := device.CheckTarget(b, false); err != nil {
		return nil, err
	}
	if err := checkRanks(b, opt); err != nil {
		return nil, err
	}
	rank, err := b.Rank(opt.Rank)
	if err != nil {
		return nil, err
	}
	l := &loader{bundle: b, rank: rank, program: programs[program], opt: opt,
		groups: device.GroupsOf(b.Manifest())}
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

// checkRanks refuses ranks that the bundle does not have, and one of several that is alone.
func checkRanks(b *bundle.Bundle, opt device.Options) error {
	if n := len(b.Manifest().Ranks); n > 1 && opt.Comm == nil {
		return fmt.Errorf("%s: the bundle is cut for %d ranks; the cpu device runs those of one", b.Dir(), n)
	}
	return device.CheckRanks(b, opt)
}

// invalid blames the bundle's program.
func (l *loader) invalid(format string, args ...any) error {
	return &bundle.Error{
		Path: filepath.Join(l.bundle.Dir(), bundle.ManifestName), Offset: -1,
		Reason: fmt.Sprintf("program %q: %s", l.program.Name, fmt.Sprintf(format, args...)),
		Hint:   "compile it anew with this version",
	}
}
