package model

import (
	"fmt"

	"moge/ascend/kernels"
	"moge/codegen"
	"moge/codegen/weights"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/quant"
)

// quantize: rows of halves stay where they are, who reads them quantizes them. Those of a norm are
// stored in int8 by then, those of the last norm nowhere. Rows for experts are dispatched in int8: where
// they come from other ranks a kernel quantizes them first.
func (b *builder) quantize(n *ir.Node) error {
	from, ok := b.at[n.Args[0].ID]
	if _, stored := b.at[n.Results[0].ID]; stored || !ok {
		return nil
	}
	if b.readBy(n.Results[0], ir.OpPermute) {
		return b.quantizeRows(n, from)
	}
	if n.Op == ir.OpQuantize {
		b.view(n)
		return nil
	}
	b.at[n.Results[0].ID] = place{rows: from.rows, fixed: b.fixedScale(n)}
	return nil
}

// quantizeRows launches the kernel that quantizes.
func (b *builder) quantizeRows(n *ir.Node, from place) error {
	rows := rowsIn(n, 0)
	spec := kernels.QuantizeSpec{Width: width(n, 0), MaxRows: b.most(rows), Static: n.Op == ir.OpQuantizeStatic}
	spec.Name = suffixed(fmt.Sprintf("quantize_%d", spec.Width), affix(spec.Static, "_static"))
	to := b.int8Rows(1, rows, spec.Width, b.fixedScale(n))
	a := args{"x": from.rows, "q": to.rows}
	to.scales(a, "scale")
	b.at[n.Results[0].ID] = to
	b.launch(n.Site, spec, a, scalars{"rows": count(rows)})
	return nil
}

// fixedScale is the section with what kernels know of the range of a quantize_static, see
// kernels.FixedScale; nil of a quantize.
func (b *builder) fixedScale(n *ir.Node) *bundlepb.Operand {
	if n.Op != ir.OpQuantizeStatic {
		return nil
	}
	return b.once(n.Results[1], layoutRow, dtype.F32, func() int {
		shape := kernels.FixedScale()
		i := b.addSection(n.Site+".fixed_scale", layoutRow, dtype.F32, 1, int64(shape.Cols))
		size := dtype.F32.Bytes(int64(shape.Cols))
		whole := []codegen.Extent{{Section: i, Size: size}}
		b.work = append(b.work, codegen.Work{Eval: fixedScale(n.Float("amax")), Count: 1, Step: 1,
			Extents: func(int64, int64) []codegen.Extent { return whole }})
		return i
	})
}

// fixedScale is a range, amax.
type fixedScale float32

// Values is none: the range stands in the graph.
func (fixedScale) Values() []*ir.Value { return nil }

// Eval gives 127/amax, amax/127, then zeros.
func (f fixedScale) Eval(_ weights.Source, _, _ int64, out [][]byte) error {
	scale, inverse := quant.ActivationScale(float32(f))
	clear(out[0])
	dtype.Encode(dtype.F32, out[0][:8], []float32{inverse, scale})
	return nil
}
