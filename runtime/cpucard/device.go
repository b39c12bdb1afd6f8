package cpucard

import (
	"context"
	"fmt"
	"path/filepath"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/card"
	"moge/runtime/device"
)

// Device runs bundles for cards on the processor. Its name is "cpu".
type Device struct{}

var _ device.Device = Device{}

// Name is "cpu".
func (Device) Name() string { return "cpu" }

// Load is that of package card, on a card of Options.Threads workers.
func (Device) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	if opt.Threads < 0 {
		return nil, fmt.Errorf("%d threads: there cannot be fewer than none", opt.Threads)
	}
	return card.New("cpu", Opener(opt.Threads)).Load(b, program, opt)
}

// Opener brings up cards that compute with so many workers; 0 means one for each processor. A kernel
// of a kind that is not known, or whose specification, tensors or scalars are not those of its kind,
// is a *bundle.Error.
func Opener(threads int) card.Opener {
	return func(_ context.Context, b *bundle.Bundle, _ int64) (card.Card, error) {
		c, err := New(threads, b.Manifest().Kernels...)
		if err != nil {
			return nil, &bundle.Error{Path: filepath.Join(b.Dir(), bundle.ManifestName), Offset: -1,
				Reason: err.Error(), Hint: "compile it anew with this version, or use a newer one"}
		}
		return c, nil
	}
}

// New is a card of so many workers, 0 for one for each processor, with kernels of any bundle. The error
// names the kernel that it cannot compute, and why.
func New(threads int, kernels ...*bundlepb.Kernel) (card.Card, error) {
	known := map[string]*bound{}
	for _, k := range kernels {
		b, err := newBound(k)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.Name, err)
		}
		known[k.Name] = b
	}
	return newChip(threads, known), nil
}
