package passes

import (
	"strings"

	"moge/ir"
	"moge/ir/placement"
)

// parallel is how a linear is split.
type parallel uint8

const (
	replicated     parallel = iota // whole on every rank
	columnParallel                 // each rank has some of its outputs
	rowParallel                    // each rank has some of its depth, and results are summed up
	vocabulary                     // the head: outputs, over ranks of its own
)

// roleOf follows from the place in the model.
func roleOf(n *ir.Node) parallel {
	if n.Site == "lm_head" {
		return vocabulary
	}
	last := n.Site[strings.LastIndexByte(n.Site, '.')+1:]
	switch {
	case strings.HasSuffix(n.Site, ".mlp.router"):
		return replicated
	case last == "o" || last == "down":
		return rowParallel
	}
	return columnParallel
}

// weightOf is the index of the first weight among the arguments of any linear.
func weightOf(n *ir.Node) int {
	switch n.Op {
	case ir.OpLinear, ir.OpW8Linear:
		return 1
	case ir.OpQLinear, ir.OpGroupedLinear, ir.OpW8GroupedLinear:
		return 2
	case ir.OpQGroupedLinear:
		return 3
	}
	panic("BUG: " + n.Op.String() + " is not a linear")
}

// shardSections is a rank's block of each section of an axis, one after the other.
func shardSections(b *ir.Builder, site string, v *ir.Value, axis int, g placement.Group, align int,
	sections []span) *ir.Value {
	if len(sections) == 1 {
		return shardOf(b, site, v, axis, g, align)
	}
	parts := make([]*ir.Value, len(sections))
	for i, s := range sections {
		parts[i] = shardOf(b, site, b.Slice(site, v, axis, s.lo, s.hi), axis, g, align)
	}
	return concat(b, site, parts, axis)
}

// sectionsOf are the ranges of columns that the readers of a linear take apart: what each rank has a
// part of. They follow each other from 0.
func (x *partition) sectionsOf(n *ir.Node, g placement.Group, align int) []span {
	v := n.Result()
	width := v.Type.Shape[1].Coef
	cuts := []int64{width}
	if readers := x.readers(v); len(readers) > 0 {
		switch first := readers[0]; {
		case first.Op == ir.OpSwiGLU:
			cuts = []int64{width / 2, width}
		case first.Op == ir.OpSlice && first.Int("axis") == 1:
			cuts = cuts[:0]
			for _, s := range readers {
				cuts = append(cuts, s.Int("hi"))
			}
		}
	}
	var list []span
	lo, at := int64(0), int64(0)
	for _, hi := range cuts {
		_, padded := placement.Block(int(hi-lo), g.Size, align)
		list = append(list, span{lo, hi, at, at + int64(padded)})
		lo, at = hi, at+int64(padded)
	}
	return list
}

// readers are the nodes that read v, casts looked through.
func (x *partition) readers(v *ir.Value) []*ir.Node {
	var list []*ir.Node
	for _, n := range x.users[v.ID] {
		if n.Op == ir.OpCast {
			list = append(list, x.readers(n.Result())...)
		} else {
			list = append(list, n)
		}
	}
	return list
}

// align is what the inner width of a part is padded to; heads are never padded.
func (x *partition) align(n *ir.Node) int {
	if strings.Contains(n.Site, ".self_attn") {
		return 1
	}
	return max(1, x.rules.Align)
}

// linear splits a dense linear.
func (x *partition) linear(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	p, w := x.partOf(n), weightOf(n)
	g, role := p.degrees.TensorGroup(), roleOf(n)
	args := make([]*ir.Value, len(n.Args))
	result := share{rows: p.rows}
	for i := range n.Args[:w] {
		args[i] = x.whole(r, n.Args[i], p.rows)
	}
	for i := w; i < len(n.Args); i++ {
		args[i] = r.Value(n.Args[i])
	}
	bias := w + 1
	if n.Op != ir.OpLinear {
		bias++
	}
	switch {
	case role == vocabulary:
		result.rows = 0
		g = placement.Group{Size: x.HeadTP, Stride: 1}
		for i := w; i < len(args); i++ {
			args[i] = shardOf(r.Builder, n.Site, args[i], 0, g, x.rules.VocabAlign)
		}
	case role == columnParallel && g.Size > 1:
		result.sections = x.sectionsOf(n, g, x.align(n))
		for i := w; i < len(args); i++ {
			args[i] = shardSections(r.Builder, n.Site, args[i], 0, g, x.align(n), result.sections)
		}
	case role == rowParallel && g.Size > 1:
		result.partial = g
		args[w] = shardOf(r.Builder, n.Site, args[w], 1, g, x.align(n))
		if len(args) > bias {
			args[bias] = r.Add(ir.OpOwn, n.Site, []*ir.Value{args[bias]}, groupAttrs(g)...)[0]
		}
	}
	x.have[n.Result().ID] = result
	return r.Add(n.Op, n.Site, args, n.Attrs...)
}

// grouped splits a linear over experts: experts between ranks, then each of them.
func (x *partition) grouped(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	w := weightOf(n)
	if x.Experts.EP > 1 && len(n.Args[w].Type.Shape) != 3 {
		return x.fail(n, "the weights of its experts are not stacked: leave GroupExperts on")
	}
	g, experts := x.Experts.TensorGroup(), x.Experts.ExpertGroup()
	args := r.Values(n.Args)
	result := share{rows: x.have[n.Args[0].ID].rows}
	column := roleOf(n) == columnParallel
	if column && g.Size > 1 {
		result.sections = x.sectionsOf(n, g, x.align(n))
	} else if !column {
		result.partial = g
	}
	for i := w; i < len(args); i++ {
		v := args[i]
		if experts.Size > 1 {
			v = shardOf(r.Builder, n.Site, v, 0, experts, 1)
		}
		weight := i < w+(len(args)-w+1)/2 || n.Op == ir.OpGroupedLinear
		axis := len(v.Type.Shape) - 1
		if weight {
			axis-- // of outputs
		}
		switch {
		case column && g.Size > 1:
			v = shardSections(r.Builder, n.Site, v, axis, g, x.align(n), result.sections)
		case !column && weight:
			v = shardOf(r.Builder, n.Site, v, axis+1, g, x.align(n))
		}
		args[i] = v
	}
	x.have[n.Result().ID] = result
	return r.Add(n.Op, n.Site, args, n.Attrs...)
}
