package model

import (
	"encoding/binary"

	"moge/ascend/kernels"
	"moge/codegen"
	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
)

// tilings adds the section by which a kernel of experts chooses its tiling, see kernels.TilingTable,
// if it has two. The layers that share the kernel share the section.
func (b *builder) tilings(a args, spec kernels.GroupedSpec, table []int32) {
	if !spec.TwoTilings() {
		return
	}
	name := spec.Name + ".tilings"
	a["tilings"] = b.indexed(name, func() int {
		i := b.addSection(name, layoutRow, dtype.I32, 1, int64(len(table)))
		whole := []codegen.Extent{{Section: i, Size: dtype.I32.Bytes(int64(len(table)))}}
		b.work = append(b.work, codegen.Work{Eval: words(table), Count: 1, Step: 1,
			Extents: func(int64, int64) []codegen.Extent { return whole }})
		return i
	})
}

// words are the numbers of a section.
type words []int32

// Values is none: the numbers stand in the plan.
func (words) Values() []*ir.Value { return nil }

// Eval gives all of them.
func (w words) Eval(_ weights.Source, _, _ int64, out [][]byte) error {
	for i, x := range w {
		binary.LittleEndian.PutUint32(out[0][4*i:], uint32(x))
	}
	return nil
}
