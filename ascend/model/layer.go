package model

import (
	"fmt"
	"slices"

	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

func (b *builder) embed(n *ir.Node) error {
	if _, outside := n.Attr("outside"); outside {
		return unsupported(n, "a card has the whole embedding: leave embed=tp out of the placement")
	}
	rows := rowsIn(n, 0)
	spec := kernels.EmbedSpec{Width: width(n, 1), TableRows: int(n.Args[1].Type.Shape[0].Coef),
		MaxTokens: b.most(rows)}
	spec.Name = fmt.Sprintf("embed_%dx%d", spec.TableRows, spec.Width)
	ids := b.input("tokens", rowsOf(1, rows), blockLanes)
	table := b.vector(n.Site+".weight", n.Args[1], dtype.F16)
	out := b.halves(rows, spec.Width)
	b.put(n.Result(), out)
	b.launch(n.Site, spec, args{"ids": ids, "table": table, "out": out}, scalars{"tokens": count(rows)})
	return nil
}

func (b *builder) takeRows(n *ir.Node) error {
	spec := kernels.EmbedSpec{
		Width:     width(n, 0),
		TableRows: b.most(rowsIn(n, 0)),
		MaxTokens: b.limits.Rows,
		Step:      true,
	}
	spec.Name = fmt.Sprintf("take_rows_%d", spec.Width)
	table, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	rows := rowsIn(n, 1)
	ids := b.input("rows", rowsOf(1, rows), blockLanes)
	out := b.halves(rows, spec.Width)
	b.put(n.Result(), out)
	b.launch(n.Site, spec, args{"ids": ids, "table": table, "out": out},
		scalars{"tokens": count(rows), "tableRows": count(rowsIn(n, 0))})
	return nil
}

// norm: rows that a quantize reads are stored in int8, those that anything else reads in half.
// The norm before the head is the head's.
func (b *builder) norm(n *ir.Node) error {
	y := n.Results[len(n.Results)-1]
	if b.headed(y) {
		return nil
	}
	rows := rowsIn(n, 0)
	spec := kernels.NormSpec{Width: width(n, 0), MaxRows: b.most(rows), Eps: n.Float("eps"),
		Add: n.Op == ir.OpAddRMSNorm}
	quantize := b.quantization(y)
	if spec.Int8 = quantize != nil; spec.Int8 {
		spec.Static = quantize.Op == ir.OpQuantizeStatic
	}
	spec.Half = slices.ContainsFunc(b.users[y.ID], func(n *ir.Node) bool { return n != quantize })
	spec.Name = suffixed(affix(spec.Add, "add_")+fmt.Sprintf("norm_%d", spec.Width),
		affix(spec.Half, "_half"), affix(spec.Int8, "_int8"), affix(spec.Static, "_static"))
	x, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	a := args{"x": x, "weight": b.vector(n.Site+".weight", n.Args[len(n.Args)-1], dtype.F16)}
	if spec.Add {
		if a["y"], err = b.rows(n, 1); err != nil {
			return err
		}
		a["sum"] = b.halves(rows, spec.Width)
		b.put(n.Results[0], a["sum"])
	}
	if spec.Half {
		a["out"] = b.halves(rows, spec.Width)
		b.put(y, a["out"])
	}
	if spec.Int8 {
		p := b.int8Rows(1, rows, spec.Width, b.fixedScale(quantize))
		a["q"] = p.rows
		p.scales(a, "scale")
		b.at[quantize.Results[0].ID] = p
	}
	b.launch(n.Site, spec, a, scalars{"rows": count(rows)})
	return nil
}

// quantization is the op whose int8 rows of v are stored, nil if none quantizes v. Of two ops, one by
// each row's range and one by a fixed range, it is that for the experts, whose rows are dispatched in
// int8; who reads the other quantizes rows of halves.
func (b *builder) quantization(v *ir.Value) *ir.Node {
	var found *ir.Node
	for _, n := range b.users[v.ID] {
		quantizes := n.Op == ir.OpQuantize || n.Op == ir.OpQuantizeStatic
		if quantizes && (found == nil || b.readBy(n.Results[0], ir.OpPermute)) {
			found = n
		}
	}
	return found
}

// int8Rows is per rows of int8 for each token, with a scale each unless there is a fixed one.
func (b *builder) int8Rows(per int, tokens shape.Dim, cols int, fixed *bundlepb.Operand) place {
	p := place{int8: true, fixed: fixed, rows: b.buffer(dtype.I8, rowsOf(per, tokens), cols)}
	if fixed == nil {
		p.scale = b.buffer(dtype.F32, rowsOf(per, tokens), blockLanes)
	}
	return p
}

// affix is the part of a name that stands for an option.
func affix(on bool, text string) string {
	if on {
		return text
	}
	return ""
}

func suffixed(name string, parts ...string) string {
	for _, p := range parts {
		name += p
	}
	return name
}

// linear: rows come in int8 from a norm, in half from anything else.
func (b *builder) linear(n *ir.Node) error {
	if n.Site == headSite {
		return b.head(n)
	}
	w := n.Args[2].Type.Shape
	from, ok := b.at[n.Args[0].ID]
	if !ok {
		_, err := b.rows(n, 0)
		return err
	}
	rows := rowsIn(n, 0)
	spec := kernels.LinearSpec{N: int(w[0].Coef), K: int(w[1].Coef), MaxRows: b.most(rows),
		Bias: len(n.Args) == 5, Quantize: !from.int8, SwiGLU: b.readBy(n.Result(), ir.OpSwiGLU),
		Static: from.fixed != nil}
	spec.Name = suffixed(fmt.Sprintf("linear_%dx%d", spec.N, spec.K), affix(spec.Bias, "_bias"),
		affix(spec.Quantize, "_quantize"), affix(spec.SwiGLU, "_swiglu"), affix(spec.Static, "_static"))
	var err error
	if spec.Tiling, err = spec.Choose(b.chip); err != nil {
		return err
	}
	a := args{"x": from.rows}
	from.scales(a, "xScale")
	a["weight"], a["weightScale"] = b.nzInt8s(n.Site, n.Args[2], n.Args[3], spec.SwiGLU)
	if spec.Bias {
		a["bias"] = b.vector(n.Site+".bias", n.Args[4], dtype.F32)
	}
	cols := spec.N
	if spec.SwiGLU {
		cols /= 2
	}
	a["y"] = b.halves(rows, cols)
	b.put(n.Result(), a["y"])
	b.launch(n.Site, spec, a, scalars{"rows": count(rows)})
	return nil
}

// add is the sum of a norm, unless combine does it.
func (b *builder) add(n *ir.Node) error {
	for i, arg := range n.Args {
		if arg.Def.Op == ir.OpCombine {
			return b.combined(arg.Def, n, 1-i)
		}
	}
	x, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	y, err := b.rows(n, 1)
	if err != nil {
		return err
	}
	rows := rowsIn(n, 0)
	spec := kernels.NormSpec{Width: width(n, 0), MaxRows: b.most(rows), Add: true}
	spec.Name = fmt.Sprintf("add_%d", spec.Width)
	sum := b.halves(rows, spec.Width)
	b.put(n.Result(), sum)
	b.launch(n.Site, spec, args{"x": x, "y": y, "sum": sum}, scalars{"rows": count(rows)})
	return nil
}
