package gate

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"moge/ascend/emu"
	"moge/ascend/soc"
)

// build is compiled kernels: for each the library that it is in, or why it is in none.
type build struct {
	libs []*emu.Library
	errs []error
}

// compile compiles all kernels together; if texts among them are refused, each by itself, so that
// one does not take the others with it. The error is none of a text.
func compile(ctx context.Context, chip *soc.Chip, ks []Kernel) (*build, error) {
	b := &build{make([]*emu.Library, len(ks)), make([]error, len(ks))}
	sources := make([]emu.Source, len(ks))
	for i, k := range ks {
		sources[i] = emu.Source{Name: k.Name, Text: string(k.Text)}
	}
	lib, err := emu.Compile(ctx, chip, sources)
	for i := range ks {
		b.libs[i] = lib
	}
	if refused := (*emu.CompileError)(nil); errors.As(err, &refused) {
		return b, b.apart(ctx, chip, sources)
	}
	return b, err
}

func (b *build) apart(ctx context.Context, chip *soc.Chip, sources []emu.Source) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range sources {
		group.Go(func() error {
			var err error
			b.libs[i], err = emu.Compile(ctx, chip, sources[i:i+1])
			if refused := (*emu.CompileError)(nil); errors.As(err, &refused) {
				b.errs[i], err = shortened(refused), nil
			}
			return err
		})
	}
	return group.Wait()
}

// shortened is an error of a few problems: the first ones, later ones follow from them.
func shortened(e *emu.CompileError) error {
	const most = 5
	if len(e.Problems) <= most {
		return e
	}
	return fmt.Errorf("%w\nand %d problems more", &emu.CompileError{Problems: e.Problems[:most]},
		len(e.Problems)-most)
}

// close removes what was compiled.
func (b *build) close() {
	for _, lib := range b.libs {
		if lib != nil {
			lib.Close()
		}
	}
}
