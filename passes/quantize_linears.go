package passes

import (
	"fmt"

	"moge/ir"
	"moge/quant"
)

// quantizeLinears carries the schemes out. Weights are quantized by row of the last axis,
// as constants. Linears that read the same value with the same representation share one
// quantize; a grouped linear over permuted rows permutes their int8 form, which is the same
// because each row is quantized on its own.
func quantizeLinears(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	q := &quantizer{c: c, schemes: make([]quant.Scheme, g.Values()),
		weights: make([][]*ir.Value, g.Values())}
	for i := range q.rows {
		q.rows[i] = make([]*rowsI8, g.Values())
	}
	for _, n := range g.Nodes {
		if isLinear(n) {
			if err := q.plan(g, n); err != nil {
				return nil, err
			}
		}
	}
	return removeDeadValues(rewrite(g, q.node)), nil
}

type quantizer struct {
	c       *compilation
	schemes []quant.Scheme                 // by ID of a linear's result
	rows    [quant.ActStatic + 1][]*rowsI8 // by representation and ID of the float rows
	weights [][]*ir.Value                  // by ID of a float weight: its int8 form and scales
}

// rowsI8 is the int8 form of a float value.
type rowsI8 struct {
	site     string       // the least of the sites that read it, so that node order does not matter
	amax     float32      // when static
	values   []*ir.Value  // q, s; nil until the first reader is rewritten
	permuted []permutedI8 // by order of rows
}

type permutedI8 struct {
	order  *ir.Value   // old
	values []*ir.Value // q, s
}

// plan notes what n needs before anything is rewritten: a static range covers all readers.
func (q *quantizer) plan(g *ir.Graph, n *ir.Node) error {
	s, err := quant.ParseScheme(schemeOf(n))
	if err != nil {
		return fmt.Errorf("%s: %w", n.Site, err)
	}
	q.schemes[n.Result().ID] = s
	if s.Activation != quant.ActDynamic && s.Activation != quant.ActStatic {
		return nil
	}
	x, _ := floatRows(n)
	rows := q.rows[s.Activation][x.ID]
	if rows == nil {
		rows = &rowsI8{site: n.Site}
		q.rows[s.Activation][x.ID] = rows
	}
	rows.site = min(rows.site, n.Site)
	if s.NeedsStats() {
		amax, err := q.c.staticRange(g, n)
		if err != nil {
			return err
		}
		rows.amax = max(rows.amax, amax)
	}
	return nil
}

// floatRows is what the int8 rows of n are made from, and the order in which a grouped
// linear takes them (nil when as they are).
func floatRows(n *ir.Node) (x, order *ir.Value) {
	x = n.Args[0]
	if n.Op == ir.OpGroupedLinear && x.Def.Op == ir.OpPermute {
		return x.Def.Args[0], x.Def.Args[1]
	}
	return x, nil
}

func (q *quantizer) node(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if !isLinear(n) {
		return nil
	}
	s := q.schemes[n.Result().ID]
	if !s.Quantized() {
		return r.Add(n.Op, n.Site, r.Values(n.Args), withoutScheme(n)...)
	}
	op := quantizedOp(n.Op, s.Activation)
	first := firstWeight(n)
	args := r.Values(n.Args[:first])
	if s.Activation != quant.ActFloat {
		int8Rows := q.activation(r, n, s.Activation)
		args[0] = int8Rows[0]
		args = append(args, int8Rows[1])
	}
	return r.Add(op, n.Site, append(args, q.constants(r, n)...))
}

func quantizedOp(linear ir.Op, a quant.Activation) ir.Op {
	grouped := linear == ir.OpGroupedLinear
	switch {
	case a == quant.ActFloat && grouped:
		return ir.OpW8GroupedLinear
	case a == quant.ActFloat:
		return ir.OpW8Linear
	case grouped:
		return ir.OpQGroupedLinear
	}
	return ir.OpQLinear
}

// activation gives the int8 rows and scales that n reads.
func (q *quantizer) activation(r *ir.Rewriter, n *ir.Node, a quant.Activation) []*ir.Value {
	x, order := floatRows(n)
	rows := q.rows[a][x.ID]
	if rows.values == nil && a == quant.ActStatic {
		rows.values = r.Add(ir.OpQuantizeStatic, rows.site, []*ir.Value{r.Value(x)},
			ir.Float("amax", rows.amax))
	} else if rows.values == nil {
		rows.values = r.Add(ir.OpQuantize, rows.site, []*ir.Value{r.Value(x)})
	}
	if order == nil {
		return rows.values
	}
	return rows.permute(r, n.Args[0].Def)
}

func (rows *rowsI8) permute(r *ir.Rewriter, permute *ir.Node) []*ir.Value {
	order := permute.Args[1]
	for _, p := range rows.permuted {
		if p.order == order {
			return p.values
		}
	}
	p := permutedI8{order: order}
	for _, v := range rows.values {
		p.values = append(p.values, r.Op1(ir.OpPermute, permute.Site, v, r.Value(order)))
	}
	rows.permuted = append(rows.permuted, p)
	return p.values
}

// constants gives the int8 weights of n, then their scales, then its bias if it has one.
func (q *quantizer) constants(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	floats := n.Args[firstWeight(n):]
	var bias []*ir.Value
	if n.Op == ir.OpLinear {
		floats, bias = floats[:1], r.Values(floats[1:])
	}
	args := make([]*ir.Value, 2*len(floats), 2*len(floats)+len(bias))
	for i, w := range floats {
		if q.weights[w.ID] == nil {
			q.weights[w.ID] = r.Add(ir.OpQuantizeWeight, n.Site, []*ir.Value{r.Value(w)})
		}
		args[i], args[len(floats)+i] = q.weights[w.ID][0], q.weights[w.ID][1]
	}
	return append(args, bias...)
}
