package passes

import (
	"moge/ir"
	"moge/ir/dtype"
)

// identities are the values that another value already is. Each takes a node of its op
// over arguments that are themselves folded, and returns what the node's result equals,
// bit for bit, or nil. It never returns more work than the node was.
var identities = map[ir.Op]func(b *ir.Builder, n *ir.Node, args []*ir.Value) *ir.Value{
	ir.OpReshape: func(b *ir.Builder, n *ir.Node, args []*ir.Value) *ir.Value {
		return foldReshape(b, n, args[0])
	},
	ir.OpCast: func(b *ir.Builder, n *ir.Node, args []*ir.Value) *ir.Value {
		return foldCast(b, n, args[0])
	},
	ir.OpSlice: func(b *ir.Builder, n *ir.Node, args []*ir.Value) *ir.Value {
		return foldSlice(b, n.Site, args[0], int(n.Int("axis")), n.Int("lo"), n.Int("hi"))
	},
	ir.OpConcat: func(_ *ir.Builder, n *ir.Node, args []*ir.Value) *ir.Value {
		return foldConcat(args, int(n.Int("axis")))
	},
}

// foldConstants drops identities, of weights as of activations. Weights have no values
// here: computing with constants is left to whoever reads the checkpoint.
func foldConstants(g *ir.Graph) *ir.Graph {
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		fold := identities[n.Op]
		if fold == nil {
			return nil
		}
		if v := fold(r.Builder, n, r.Values(n.Args)); v != nil {
			return []*ir.Value{v}
		}
		return nil
	})
}

// foldReshape: to the type x has is x; of a reshape is one reshape of its source.
func foldReshape(b *ir.Builder, n *ir.Node, x *ir.Value) *ir.Value {
	to := n.Result().Type
	if to.Equal(x.Type) {
		return x
	}
	if x.Def.Op != ir.OpReshape {
		return nil
	}
	if source := x.Def.Args[0]; source.Type.Equal(to) {
		return source
	}
	return b.Reshape(n.Site, x.Def.Args[0], to.Shape)
}

// foldCast: to the type x has is x; of a widening is one cast of its source.
func foldCast(b *ir.Builder, n *ir.Node, x *ir.Value) *ir.Value {
	to := n.Result().Type.DType
	if x.Type.DType == to {
		return x
	}
	if x.Def.Op != ir.OpCast || !widens(x.Def.Args[0].Type.DType, x.Type.DType) {
		return nil
	}
	source := x.Def.Args[0]
	if source.Type.DType == to {
		return source
	}
	if !source.Type.DType.Float() {
		return nil // integers cast to f32 only
	}
	return b.Add(ir.OpCast, n.Site, []*ir.Value{source}, ir.DType("to", to))[0]
}

// widens reports whether every element survives the cast. Neither half type holds the other,
// and f32 does not hold every i32.
func widens(from, to dtype.Type) bool {
	return to == dtype.F32 && (from == dtype.F16 || from == dtype.BF16 || from == dtype.I8)
}

// foldSlice: of the whole axis is x; of a slice is one slice of its source; of a
// concatenation, within one part, is a slice of that part.
func foldSlice(b *ir.Builder, site string, x *ir.Value, axis int, lo, hi int64) *ir.Value {
	if lo == 0 && hi == x.Type.Shape[axis].Coef {
		return x
	}
	if int(x.Def.Int("axis")) != axis {
		return nil
	}
	source := x.Def
	switch source.Op {
	case ir.OpSlice:
		from := source.Int("lo")
		return slice(b, site, source.Args[0], axis, from+lo, from+hi)
	case ir.OpConcat:
		for _, part := range source.Args {
			width := part.Type.Shape[axis].Coef
			if lo >= 0 && hi <= width {
				return slice(b, site, part, axis, lo, hi)
			}
			lo, hi = lo-width, hi-width
		}
	}
	return nil
}

// slice appends a slice, folded.
func slice(b *ir.Builder, site string, x *ir.Value, axis int, lo, hi int64) *ir.Value {
	if v := foldSlice(b, site, x, axis, lo, hi); v != nil {
		return v
	}
	return b.Slice(site, x, axis, lo, hi)
}

// foldConcat: of one is that one; of all the slices of a value, in order, is the value.
func foldConcat(args []*ir.Value, axis int) *ir.Value {
	if len(args) == 1 {
		return args[0]
	}
	next := int64(0)
	for _, a := range args {
		n := a.Def
		if n.Op != ir.OpSlice || int(n.Int("axis")) != axis || n.Int("lo") != next ||
			n.Args[0] != args[0].Def.Args[0] {
			return nil
		}
		next = n.Int("hi")
	}
	if source := args[0].Def.Args[0]; source.Type.Shape[axis].Coef == next {
		return source
	}
	return nil
}

// concat appends a concatenation, folded: merging what a checkpoint keeps in one tensor
// gives that tensor back.
func concat(b *ir.Builder, site string, args []*ir.Value, axis int) *ir.Value {
	if v := foldConcat(args, axis); v != nil {
		return v
	}
	return b.Add(ir.OpConcat, site, args, ir.Int("axis", int64(axis)))[0]
}
