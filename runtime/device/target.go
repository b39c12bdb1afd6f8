package device

import (
	"fmt"

	"moge/formats/bundle"
)

// CheckTarget refuses a bundle that was made for the other kind of machine: one with kernels is for
// cards. The error is a *bundle.Error.
func CheckTarget(b *bundle.Bundle, card bool) error {
	m := b.Manifest()
	switch kernels := len(m.Kernels) > 0; {
	case kernels && !card:
		return &bundle.Error{Path: b.Dir(), Offset: -1,
			Reason: fmt.Sprintf("the bundle is for %s, whose kernels the cpu does not run", m.Targets[0]),
			Hint:   "use moge run --device emulated, or compile it with --target cpu"}
	case !kernels && card:
		return &bundle.Error{Path: b.Dir(), Offset: -1,
			Reason: fmt.Sprintf("the bundle is for %s and has no kernels for a card", m.Targets[0]),
			Hint:   "run it with --device cpu, or compile it with --target 300i-duo"}
	}
	return nil
}

// CheckRanks refuses options for a rank that the bundle does not have.
func CheckRanks(b *bundle.Bundle, opt Options) error {
	n, of := len(b.Manifest().Ranks), max(1, opt.Ranks)
	if n != of || opt.Rank < 0 || opt.Rank >= n {
		return fmt.Errorf("%s: the bundle is cut for %d ranks, there is no rank %d of %d", b.Dir(), n,
			opt.Rank, of)
	}
	return nil
}
