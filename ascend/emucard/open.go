package emucard

import (
	"context"
	"errors"
	"fmt"
	"math"

	"moge/ascend/emu"
	"moge/ascend/soc"
	"moge/formats/bundle"
	"moge/runtime/card"
)

// Device runs bundles for cards on the emulated chip, for values and bounds alone: what looks for
// races and undefined bytes is the gate. Its name is "emulated". Loading compiles the kernels, once a
// machine; one without a C++ compiler gives emu.ErrNoCompiler.
func Device() card.Device { return card.New("emulated", opener(true)) }

// Checked is Device with the checks of the emulator in every launch, many times slower. A kernel that
// breaks a rule ends the step with a *FindingsError.
func Checked() card.Device { return card.New("emulated", opener(false)) }

func opener(fast bool) card.Opener {
	return func(ctx context.Context, b *bundle.Bundle, need int64) (card.Card, error) {
		lib, err := compile(ctx, b)
		if err != nil {
			return nil, err
		}
		if need > math.MaxInt64-spare {
			need = math.MaxInt64 - spare
		}
		dev, err := lib.Start(ctx, need+spare)
		if err != nil {
			return nil, errors.Join(err, lib.Close())
		}
		return &emulated{lib: lib, dev: dev, fast: fast}, nil
	}
}

// spare is memory beyond the allocations, for the gaps before the first and behind the last.
const spare = 1 << 20

// compile makes host code of the bundle's kernels for its first target.
func compile(ctx context.Context, b *bundle.Bundle) (*emu.Library, error) {
	m := b.Manifest()
	chip, err := soc.Find(m.Targets[0])
	if err != nil {
		return nil, &bundle.Error{Path: b.Dir(), Offset: -1, Reason: err.Error(),
			Hint: "a newer version may know it"}
	}
	sources := make([]emu.Source, len(m.Kernels))
	for i, k := range m.Kernels {
		text, err := b.File(k.Source)
		if err != nil {
			return nil, err
		}
		sources[i] = emu.Source{Name: k.Name, Text: string(text)}
	}
	lib, err := emu.Compile(ctx, chip, sources)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Dir(), err)
	}
	return lib, nil
}
