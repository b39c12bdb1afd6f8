package model

import (
	"fmt"
	"slices"

	"moge/ascend/kernel"
	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// headSite is the place of the product with the vocabulary, and of the quantization before it.
const headSite = "lm_head"

// headed reports whether the head reads v: it normalises and quantizes for itself.
func (b *builder) headed(v *ir.Value) bool {
	return slices.ContainsFunc(b.users[v.ID], func(n *ir.Node) bool { return n.Site == headSite })
}

// headNodes are the norm before the head n and, where it is quantized, the op that quantizes its rows.
func headNodes(n *ir.Node) (norm, quantize *ir.Node, err error) {
	from, args := n.Args[0].Def, 2
	if n.Op == ir.OpQLinear && (from.Op == ir.OpQuantize || from.Op == ir.OpQuantizeStatic) {
		quantize, args = from, 4
		from = quantize.Args[0].Def
	}
	if n.Site != headSite || from.Op != ir.OpRMSNorm || len(n.Args) != args {
		return nil, nil, unsupported(n, "float linears have a kernel as the head alone, behind a norm and "+
			"without a bias: choose a scheme for others")
	}
	return from, quantize, nil
}

// head is the last norm and the product with the vocabulary, and what sampling needs of the logits.
func (b *builder) head(n *ir.Node) error {
	norm, quantize, err := headNodes(n)
	if err != nil {
		return err
	}
	x, err := b.rows(norm, 0)
	if err != nil {
		return err
	}
	vocabulary, err := ownVocabulary(n)
	if err != nil {
		return err
	}
	spec := kernels.HeadSpec{Vocab: vocabulary, Width: width(norm, 0),
		MaxRows: b.limits.Rows, Eps: norm.Float("eps"), Int8: quantize != nil}
	spec.Static = spec.Int8 && quantize.Op == ir.OpQuantizeStatic
	spec.Name = fmt.Sprintf("head_%dx%d%s%s", spec.Vocab, spec.Width, affix(spec.Int8, "_int8"),
		affix(spec.Static, "_static"))
	if spec.Tiling, err = spec.Choose(b.chip); err != nil {
		return err
	}
	logits := b.logits(dtype.F32, roundUp(spec.Vocab, blockLanes))
	b.put(n.Result(), logits)
	a := args{
		"x":          x,
		"normWeight": b.vector(norm.Site+".weight", norm.Args[1], dtype.F16),
		"logits":     logits,
	}
	blocks, rows := kernels.HeadBlocks(spec.Vocab)
	if spec.Int8 {
		a["weight"], a["weightScale"] = b.nzInt8Blocks(n.Site, n.Args[2], n.Args[3], blocks, rows)
	} else {
		a["weight"] = b.nzHalves(n.Site+".weight", n.Args[1], blocks, rows)
	}
	if spec.Static {
		a["fixedScale"] = b.fixedScale(quantize)
	}
	b.launch(n.Site, spec, a, scalars{"rows": count(rowsIn(n, 0))})
	return b.top(n, spec.Vocab, logits)
}

// ownVocabulary is how many tokens the head of a rank has: where ranks have a part each, without what
// pads it, and the same for all.
func ownVocabulary(n *ir.Node) (int, error) {
	w := n.Args[len(n.Args)-1]
	if n.Op == ir.OpQLinear {
		w = n.Args[2]
	}
	cut := through(w, ir.OpCast).Def
	if cut.Op != ir.OpShard {
		return int(w.Type.Shape[0].Coef), nil
	}
	whole, ranks := cut.Args[0].Type.Shape[0].Coef, cut.Int("size")
	if whole%ranks != 0 {
		return 0, unsupported(n, fmt.Sprintf("a vocabulary of %d is not the same on each of %d cards: "+
			"choose another head=tp in the placement", whole, ranks))
	}
	return int(whole / ranks), nil
}

// logits is a buffer with a row for each row of logits.
func (b *builder) logits(d dtype.Type, cols int) *bundlepb.Operand {
	return b.buffer(d, rowsOf(1, shape.Of(shape.L)), cols)
}

// topCount is how many of the greatest logits leave the card.
const topCount = 64

// top finds maximum, sum of exponentials and the greatest logits.
func (b *builder) top(n *ir.Node, vocab int, logits *bundlepb.Operand) error {
	if vocab < topCount {
		return nil
	}
	spec := kernels.TopSpec{Name: fmt.Sprintf("top_scan_%d", vocab), Vocabulary: vocab, Count: topCount,
		MaxRows: b.limits.Rows}
	maxima, parts := b.logits(
		dtype.F32,
		spec.Maxima(kernel.N(1)).Cols,
	), b.logits(
		dtype.F32,
		spec.Parts(kernel.N(1)).Cols,
	)
	b.launch(n.Site, kernels.TopScanSpec{TopSpec: spec},
		args{"logits": logits, "maxima": maxima, "parts": parts}, scalars{"rows": count(rowsIn(n, 0))})
	spec.Name = fmt.Sprintf("top_pick_%dof%d", topCount, vocab)
	stats, values, ids := b.logits(
		dtype.F32,
		blockLanes,
	), b.logits(
		dtype.F32,
		topCount,
	), b.logits(
		dtype.I32,
		topCount,
	)
	b.launch(
		n.Site,
		kernels.TopPickSpec{TopSpec: spec},
		args{"logits": logits, "maxima": maxima, "parts": parts,
			"stats": stats, "values": values, "ids": ids},
		scalars{"rows": count(rowsIn(n, 0))},
	)
	b.output("top.stats", stats)
	b.output("top.values", values)
	b.output("top.ids", ids)
	return nil
}
