package cards

import (
	"fmt"

	"moge/ascend/fit"
	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/codegen"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// MemoryError says that a chip does not hold its part of a model beside one sequence. Sizes are bytes.
type MemoryError struct {
	Product                string
	Ranks                  int
	Weights, Arena, Cache  int64 // of a rank; the cache of one sequence at full length
	Context                int64
	Memory, Reserve, Short int64
}

// Error says what is needed, what there is, and what to change.
func (e *MemoryError) Error() string {
	size := codegen.FormatBytes
	instead := "give --devices, the number of chips"
	if e.Ranks > 1 {
		instead = fmt.Sprintf("more chips, another --placement (moge simulate DIR --devices %d "+
			"--sweep placement), or a shorter --context", e.Ranks)
	}
	return fmt.Sprintf("a chip of %s has %s, %s of which are kept free: weights of %s, an arena of %s and the "+
		"cache of one sequence of %d positions, %s, are %s too much; %s", e.Product, size(e.Memory),
		size(e.Reserve), size(e.Weights), size(e.Arena), e.Context, size(e.Cache), size(e.Short), instead)
}

// checkMemory holds that a chip of a product can run the plan at all.
func checkMemory(name string, m *bundlepb.Manifest) error {
	product, err := soc.FindProduct(name)
	if err != nil {
		return err
	}
	p := m.Programs[0]
	e := &MemoryError{Product: product.Name, Ranks: len(m.Ranks), Weights: m.Ranks[0].Size,
		Arena: int64(p.ArenaBytes), Context: p.Limits.Context, Memory: int64(product.MemoryBytes.Value),
		Reserve: fit.Reserve}
	pages := (e.Context + kernels.PageRows - 1) / kernels.PageRows
	for _, s := range p.States {
		e.Cache += pages * kernels.PageRows * dtype.F16.Bytes(s.Heads*s.Width)
	}
	if e.Short = e.Weights + e.Arena + e.Cache + e.Reserve - e.Memory; e.Short > 0 {
		return e
	}
	return nil
}
