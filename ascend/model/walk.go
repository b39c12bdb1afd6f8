package model

import (
	"fmt"

	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/codegen"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
)

// Limits are the largest run-time numbers that the kernels are compiled for.
type Limits struct {
	Tokens    int // of one step
	Sequences int
	Rows      int // whose logits are wanted
	Context   int // positions of one sequence
}

// UnsupportedError says that no kernel computes an op.
type UnsupportedError struct {
	Site, Op, Reason string
}

// Error names the place in the model, the op and the reason.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: no kernel for %s: %s", e.Site, e.Op, e.Reason)
}

// unsupported says that no kernel computes a node.
func unsupported(n *ir.Node, reason string) error {
	return &UnsupportedError{n.Site, n.Op.String(), reason}
}

// place is where a value lies: its buffer, and for int8 rows with a scale each the buffer of these.
// For rows with one scale for all, in int8 or to be quantized by who reads them, fixed is its section.
type place struct {
	rows, scale, fixed *bundlepb.Operand
	int8               bool
}

// scales adds the scales of rows to the arguments of a kernel that reads them.
func (p place) scales(a args, rowScale string) {
	switch {
	case p.fixed != nil:
		a["fixedScale"] = p.fixed
	case p.int8:
		a[rowScale] = p.scale
	}
}

// routed is what the route kernel makes of expert ids.
type routed struct{ order, sources, offsets, places *bundlepb.Operand }

// builder walks a graph and collects launches, buffers and sections.
type builder struct {
	graph    *ir.Graph
	chip     *soc.Chip
	limits   Limits
	users    [][]*ir.Node // by value ID
	constant []bool       // by value ID

	specs    map[string]kernels.Spec // by kernel
	launches []*launch
	at       map[int]place       // by value ID
	routes   map[*ir.Node]routed // by route
	rope     *bundlepb.Operand   // cosines, then sines
	program  *bundlepb.Program
	live     []codegen.Interval // by buffer

	sections []*bundlepb.Section
	work     []codegen.Work
	index    map[string]int
	names    map[string]bool
}

func newBuilder(g *ir.Graph, chip *soc.Chip, l Limits) *builder {
	return &builder{
		graph: g, chip: chip, limits: l, users: g.Users(), constant: g.Constants(),
		specs: map[string]kernels.Spec{}, at: map[int]place{}, routes: map[*ir.Node]routed{},
		program: &bundlepb.Program{Name: "step", Limits: &bundlepb.Limits{MaxBatchTokens: int64(l.Tokens),
			MaxSeqs: int64(l.Sequences), Context: int64(l.Context), MaxLogitsRows: int64(l.Rows)}},
		index: map[string]int{}, names: map[string]bool{},
	}
}

// walk launches kernels for every node that is not constant, then names the outputs.
func (b *builder) walk() error {
	for _, n := range b.graph.Nodes {
		if b.constant[n.Results[0].ID] {
			continue
		}
		if err := b.node(n); err != nil {
			return err
		}
	}
	for _, o := range b.graph.Outputs {
		p, ok := b.at[o.Value.ID]
		if !ok {
			return &UnsupportedError{
				o.Value.Def.Site,
				o.Value.Def.Op.String(),
				"output " + o.Name + " has no buffer",
			}
		}
		b.output(o.Name, p.rows)
	}
	return nil
}

// chooser gives an op its kernel.
type chooser func(b *builder, n *ir.Node) error

// choosers are the ops with kernels.
var choosers = map[ir.Op]chooser{
	ir.OpEmbed: (*builder).embed, ir.OpRMSNorm: (*builder).norm, ir.OpAddRMSNorm: (*builder).norm,
	ir.OpQLinear: (*builder).linear, ir.OpAttend: (*builder).attend, ir.OpRopeTable: (*builder).ropeTable,
	ir.OpMoEGate: (*builder).gate, ir.OpQGroupedLinear: (*builder).grouped,
	ir.OpRoute: (*builder).route, ir.OpPermute: (*builder).dispatch, ir.OpCombine: (*builder).combine,
	ir.OpAdd: (*builder).add, ir.OpTakeRows: (*builder).takeRows, ir.OpLinear: (*builder).head,
	ir.OpQuantize: (*builder).quantize, ir.OpQuantizeStatic: (*builder).quantize,
	ir.OpAllGather: (*builder).collective, ir.OpReduceScatter: (*builder).collective,
	ir.OpAllReduce: (*builder).collective, ir.OpShard: (*builder).shard,
}

// views are the ops that kernels around them compute: their result lies where the argument does.
var views = map[ir.Op]bool{ir.OpReshape: true, ir.OpSlice: true, ir.OpCast: true, ir.OpSwiGLU: true,
	ir.OpRebase: true}

// absorbed are the ops that have no place of their own.
var absorbed = map[ir.Op]bool{ir.OpInput: true, ir.OpState: true, ir.OpKVWrite: true, ir.OpRotary: true}

func (b *builder) node(n *ir.Node) error {
	if choose := choosers[n.Op]; choose != nil {
		return choose(b, n)
	}
	if absorbed[n.Op] {
		return nil
	}
	if !views[n.Op] {
		return unsupported(n, "only models with grouped experts, quantized, have all of theirs")
	}
	b.view(n)
	return nil
}

// view puts results where the argument lies, but for those that a kernel has stored.
func (b *builder) view(n *ir.Node) {
	from, ok := b.at[n.Args[0].ID]
	for _, r := range n.Results {
		if _, known := b.at[r.ID]; ok && !known {
			b.at[r.ID] = from
		}
	}
}

// rows is the operand of a value that a kernel reads.
func (b *builder) rows(n *ir.Node, i int) (*bundlepb.Operand, error) {
	p, ok := b.at[n.Args[i].ID]
	if !ok {
		return nil, unsupported(n, fmt.Sprintf("no kernel stores its argument %d, a %s", i, n.Args[i].Def.Op))
	}
	return p.rows, nil
}

func (b *builder) put(v *ir.Value, o *bundlepb.Operand) { b.at[v.ID] = place{rows: o} }

// width is the fixed last dimension of argument i.
func width(n *ir.Node, i int) int {
	s := n.Args[i].Type.Shape
	return int(s[len(s)-1].Coef)
}

// readBy reports whether an op reads v, views and roundings looked through.
func (b *builder) readBy(v *ir.Value, op ir.Op) bool {
	for _, n := range b.users[v.ID] {
		if n.Op == op {
			return true
		}
		if (n.Op == ir.OpCast || n.Op == ir.OpReshape) && b.readBy(n.Result(), op) {
			return true
		}
	}
	return false
}
