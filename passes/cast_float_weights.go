package passes

import (
	"fmt"

	"moge/ir"
	"moge/ir/dtype"
)

// floatArgs gives, for the ops that take weights of any float type, the index of the first
// such argument and of the one after the last; zero means to the end.
var floatArgs = map[ir.Op]struct{ from, to int }{
	ir.OpEmbed:         {1, 2},
	ir.OpGather:        {0, 1},
	ir.OpLinear:        {1, 0},
	ir.OpGroupedLinear: {2, 0},
	ir.OpRMSNorm:       {1, 2},
	ir.OpAddRMSNorm:    {2, 3},
	ir.OpMoEGate:       {1, 0},
	ir.OpQLinear:       {4, 0},
	ir.OpW8Linear:      {3, 0},
}

// castFloatWeights casts the constants that stay floats to Options.Float, where an op reads
// them. A weight that will be quantized keeps the values of the checkpoint, so that it is
// rounded once.
func castFloatWeights(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	if c.opt.Float == dtype.Invalid {
		return g, nil
	}
	w := weightCaster{to: c.opt.Float, constant: g.Constants(), cast: make([]*ir.Value, g.Values()),
		count: make([]int, len(dtype.All())+1)}
	out := rewrite(g, w.node)
	for _, from := range dtype.All() {
		if count := w.count[from]; count > 0 {
			c.report.Casts = append(c.report.Casts, Cast{from, w.to, count})
		}
	}
	if n := w.count[dtype.F32] + w.count[dtype.BF16]; n > 0 && w.to == dtype.F16 {
		c.report.Warnings = append(c.report.Warnings, fmt.Sprintf(
			"%d weights are cast to f16, which ends at 65504: larger magnitudes become infinite", n))
	}
	return out, nil
}

type weightCaster struct {
	to       dtype.Type
	constant []bool
	cast     []*ir.Value // by ID of an old constant
	count    []int       // by element type cast from
}

func (w *weightCaster) node(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	span, ok := floatArgs[n.Op]
	if !ok {
		return nil
	}
	if span.to == 0 {
		span.to = len(n.Args)
	}
	args := r.Values(n.Args)
	for i := span.from; i < span.to; i++ {
		if w.wants(n, i) {
			args[i] = w.value(r, n.Site, n.Args[i])
		}
	}
	return r.Add(n.Op, n.Site, args, n.Attrs...)
}

// wants tells whether argument i is to be cast. Of a linear that will be quantized it is the
// bias alone, which stays a float.
func (w *weightCaster) wants(n *ir.Node, i int) bool {
	a := n.Args[i]
	quantized := isLinear(n) && schemeOf(n) != noScheme && len(a.Type.Shape) > 1
	return w.constant[a.ID] && a.Type.DType.Float() && a.Type.DType != w.to && !quantized
}

func (w *weightCaster) value(r *ir.Rewriter, site string, old *ir.Value) *ir.Value {
	if w.cast[old.ID] == nil {
		w.cast[old.ID] = r.Add(ir.OpCast, site, []*ir.Value{r.Value(old)}, ir.DType("to", w.to))[0]
		w.count[old.Type.DType]++
	}
	return w.cast[old.ID]
}
