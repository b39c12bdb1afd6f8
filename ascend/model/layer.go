package model

import (
	"fmt"

	"moge/ascend/kernel"
	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
)

func (b *builder) embed(n *ir.Node) error {
	spec := kernels.EmbedSpec{Width: width(n, 1), TableRows: int(n.Args[1].Type.Shape[0].Coef),
		MaxTokens: b.limits.Tokens}
	spec.Name = fmt.Sprintf("embed_%dx%d", spec.TableRows, spec.Width)
	ids := b.input("tokens", rowsOf(1, bundlepb.Scalar_T), blockLanes)
	table := b.vector(n.Site+".weight", n.Args[1], dtype.F16)
	out := b.halves(spec.Width)
	b.put(n.Result(), out)
	b.launch(n.Site, spec, args{"ids": ids, "table": table, "out": out}, scalars{"tokens": tokens()})
	return nil
}

func (b *builder) takeRows(n *ir.Node) error {
	spec := kernels.EmbedSpec{Width: width(n, 0), TableRows: b.limits.Tokens, MaxTokens: b.limits.Rows, Step: true}
	spec.Name = fmt.Sprintf("take_rows_%d", spec.Width)
	table, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	ids := b.input("rows", rowsOf(1, bundlepb.Scalar_L), blockLanes)
	out := b.buffer(dtype.F16, rowsOf(1, bundlepb.Scalar_L), spec.Width)
	b.put(n.Result(), out)
	b.launch(n.Site, spec, args{"ids": ids, "table": table, "out": out},
		scalars{"tokens": logitsRows(), "tableRows": tokens()})
	return nil
}

// norm: rows that a quantize reads are stored in int8, those that anything else reads in half.
// The norm before the head is the head's.
func (b *builder) norm(n *ir.Node) error {
	y := n.Results[len(n.Results)-1]
	if b.readBy(y, ir.OpLinear) {
		return nil
	}
	spec := kernels.NormSpec{Width: width(n, 0), MaxRows: b.limits.Tokens, Eps: n.Float("eps"),
		Add: n.Op == ir.OpAddRMSNorm}
	for _, user := range b.users[y.ID] {
		if user.Op == ir.OpQuantize {
			spec.Int8 = true
		} else {
			spec.Half = true
		}
	}
	spec.Name = suffixed(affix(spec.Add, "add_")+fmt.Sprintf("norm_%d", spec.Width),
		affix(spec.Half, "_half"), affix(spec.Int8, "_int8"))
	x, err := b.rows(n, 0)
	if err != nil {
		return err
	}
	a := args{"x": x, "weight": b.vector(n.Site+".weight", n.Args[len(n.Args)-1], dtype.F16)}
	if spec.Add {
		if a["y"], err = b.rows(n, 1); err != nil {
			return err
		}
		a["sum"] = b.halves(spec.Width)
		b.put(n.Results[0], a["sum"])
	}
	if spec.Half {
		a["out"] = b.halves(spec.Width)
		b.put(y, a["out"])
	}
	if spec.Int8 {
		p := b.int8Rows(1, spec.Width)
		a["q"], a["scale"] = p.rows, p.scale
		for _, user := range b.users[y.ID] {
			if user.Op == ir.OpQuantize {
				b.at[user.Results[0].ID] = p
			}
		}
	}
	b.launch(n.Site, spec, a, scalars{"rows": tokens()})
	return nil
}

// int8Rows is per rows of int8 for each token, with a scale each.
func (b *builder) int8Rows(per, cols int) place {
	return place{int8: true, rows: b.buffer(dtype.I8, rowsOf(per, bundlepb.Scalar_T), cols),
		scale: b.buffer(dtype.F32, rowsOf(per, bundlepb.Scalar_T), blockLanes)}
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
	w := n.Args[2].Type.Shape
	from, ok := b.at[n.Args[0].ID]
	if !ok {
		_, err := b.rows(n, 0)
		return err
	}
	spec := kernels.LinearSpec{N: int(w[0].Coef), K: int(w[1].Coef), MaxRows: b.limits.Tokens,
		Bias: len(n.Args) == 5, Quantize: !from.int8, SwiGLU: b.readBy(n.Result(), ir.OpSwiGLU)}
	spec.Name = suffixed(fmt.Sprintf("linear_%dx%d", spec.N, spec.K), affix(spec.Bias, "_bias"),
		affix(spec.Quantize, "_quantize"), affix(spec.SwiGLU, "_swiglu"))
	var err error
	if spec.Tiling, err = spec.Choose(b.chip); err != nil {
		return err
	}
	a := args{"x": from.rows}
	if from.int8 {
		a["xScale"] = from.scale
	}
	a["weight"], a["weightScale"] = b.nzInt8s(n.Site, n.Args[2], n.Args[3], spec.SwiGLU)
	if spec.Bias {
		a["bias"] = b.vector(n.Site+".bias", n.Args[4], dtype.F32)
	}
	cols := spec.N
	if spec.SwiGLU {
		cols /= 2
	}
	a["y"] = b.halves(cols)
	b.put(n.Result(), a["y"])
	b.launch(n.Site, spec, a, scalars{"rows": tokens()})
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
	spec := kernels.NormSpec{Width: width(n, 0), MaxRows: b.limits.Tokens, Add: true}
	spec.Name = fmt.Sprintf("add_%d", spec.Width)
	sum := b.halves(spec.Width)
	b.put(n.Result(), sum)
	b.launch(n.Site, spec, args{"x": x, "y": y, "sum": sum}, scalars{"rows": tokens()})
	return nil
}

// head is the last norm and the product with the vocabulary, and what sampling needs of the logits.
func (b *builder) head(n *ir.Node) error {
	norm := n.Args[0].Def
	if norm.Op != ir.OpRMSNorm || n.Site != "lm_head" {
		return &UnsupportedError{n.Site, n.Op.String(),
			"float linears have a kernel as the head alone: choose a scheme for it"}
	}
	w := n.Args[1].Type.Shape
	spec := kernels.HeadSpec{Vocab: int(w[0].Coef), Width: int(w[1].Coef), MaxRows: b.limits.Rows,
		Eps: norm.Float("eps")}
	spec.Name = fmt.Sprintf("head_%dx%d", spec.Vocab, spec.Width)
	var err error
	if spec.Tiling, err = spec.Choose(b.chip); err != nil {
		return err
	}
	x, err := b.rows(norm, 0)
	if err != nil {
		return err
	}
	blocks, rows := kernels.HeadBlocks(spec.Vocab)
	logits := b.logits(dtype.F32, (spec.Vocab+blockLanes-1)/blockLanes*blockLanes)
	b.put(n.Result(), logits)
	b.launch(n.Site, spec, args{"x": x, "normWeight": b.vector(norm.Site+".weight", norm.Args[1], dtype.F16),
		"weight": b.nzHalves(n.Site+".weight", n.Args[1], blocks, rows), "logits": logits},
		scalars{"rows": logitsRows()})
	return b.top(n, spec.Vocab, logits)
}

// logits is a buffer with a row for each row of logits.
func (b *builder) logits(d dtype.Type, cols int) *bundlepb.Operand {
	return b.buffer(d, rowsOf(1, bundlepb.Scalar_L), cols)
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
	maxima, parts := b.logits(dtype.F32, spec.Maxima(kernel.N(1)).Cols), b.logits(dtype.F32, spec.Parts(kernel.N(1)).Cols)
	b.launch(n.Site, kernels.TopScanSpec{TopSpec: spec},
		args{"logits": logits, "maxima": maxima, "parts": parts}, scalars{"rows": logitsRows()})
	spec.Name = fmt.Sprintf("top_pick_%dof%d", topCount, vocab)
	stats, values, ids := b.logits(dtype.F32, blockLanes), b.logits(dtype.F32, topCount), b.logits(dtype.I32, topCount)
	b.launch(n.Site, kernels.TopPickSpec{TopSpec: spec}, args{"logits": logits, "maxima": maxima, "parts": parts,
		"stats": stats, "values": values, "ids": ids}, scalars{"rows": logitsRows()})
	b.output("top.stats", stats)
	b.output("top.values", values)
	b.output("top.ids", ids)
	return nil
}
