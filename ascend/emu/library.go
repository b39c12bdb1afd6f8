package emu

import (
	"context"
	"fmt"
	"os"

	"moge/ascend/soc"
)

// Library is a set of kernels compiled for one chip.
type Library struct {
	path    string
	store   store
	machine machine
	kinds   map[string]task
	chip    *soc.Chip
}

// Compile checks and compiles kernels for a chip. Texts that break a rule give a *CompileError with
// every problem found; a machine without a compiler gives ErrNoCompiler.
func Compile(ctx context.Context, chip *soc.Chip, kernels []Source) (*Library, error) {
	lib := &Library{machine: machineOf(chip), kinds: map[string]task{}, chip: chip}
	kinds := make([]task, len(kernels))
	var problems []Problem
	for i, k := range kernels {
		problems = append(problems, lint(k, chip.Split())...)
		if _, twice := lib.kinds[k.Name]; twice {
			problems = append(problems, Problem{k.Name, 0, "two kernels have this name"})
		}
		kinds[i], _ = taskOf(tokenize(k.Text), chip.Split())
		lib.kinds[k.Name] = kinds[i]
	}
	if len(problems) > 0 {
		return nil, &CompileError{problems}
	}
	b, err := newBuilder(chip)
	if err != nil {
		return nil, err
	}
	lib.store = b.store
	lib.path, err = b.executable(ctx, units(kernels, kinds))
	if err != nil {
		lib.Close()
		return nil, err
	}
	return lib, nil
}

// Lint checks kernel texts without compiling them; it needs no compiler.
func Lint(chip *soc.Chip, kernels []Source) error {
	var problems []Problem
	for _, k := range kernels {
		problems = append(problems, lint(k, chip.Split())...)
	}
	if len(problems) > 0 {
		return &CompileError{problems}
	}
	return nil
}

// Chip is the chip the kernels were compiled for.
func (l *Library) Chip() *soc.Chip { return l.chip }

// Close removes compiled files that no later library could use; it is safe to call it twice.
func (l *Library) Close() error {
	if !l.store.temp {
		return nil
	}
	if err := os.RemoveAll(l.store.dir); err != nil {
		return fmt.Errorf("remove compiled kernels: %w", err)
	}
	return nil
}
