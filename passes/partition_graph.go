package passes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/ir/shape"
)

// partitionGraph cuts the graph of one step for the ranks of Options.Placement: one program for all,
// with the collectives that its parts need on their own, all-reduces behind every product whose depth
// is split. Later passes make the schedule of the paper of them (§4.2).
//
// What a rank holds of an activation is rows and columns. Rows are those of a number of neighbouring
// ranks, of each ceil(T/tp), with tp the tensor parallelism of attention: attention has the rows of
// its tensor group, each other part of a layer those of its model group, and the residual stream, between
// them, those of attention. Columns are split between two linears: heads, or the inner width of an MLP.
func partitionGraph(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	x := newPartition(g, c)
	if done, err := x.check(); done || err != nil {
		return g, err
	}
	p := c.opt.Placement
	out, err := ir.Rewrite(g, x.node)
	if err == nil {
		err = x.err
	}
	if err != nil {
		return nil, fmt.Errorf("partition: %w", err)
	}
	out = x.outputs(out)
	out.SetMeta(placementMeta, p.String())
	out.SetMeta(ranksMeta, strconv.Itoa(p.Devices))
	return removeDeadValues(out), nil
}

// check reports whether the graph is cut for the placement already; the error is why it cannot be.
func (x *partition) check() (done bool, err error) {
	if made, ok := x.old.GetMeta(placementMeta); ok {
		if made != x.Placement.String() {
			return false, fmt.Errorf("the graph is cut for %s already", made)
		}
		return true, nil
	}
	rules := x.rules
	rules.EqualWidths = slices.ContainsFunc(x.old.Nodes, x.feedsRowParallel)
	return false, x.Check(PlacementModel(x.old), rules)
}

// Meta entries of a partitioned graph.
const (
	placementMeta = "placement"
	ranksMeta     = "ranks"
)

// PlacementOf is how a graph is cut for ranks; one rank if it is not.
func PlacementOf(g *ir.Graph) (placement.Placement, error) {
	text, ok := g.GetMeta(placementMeta)
	if !ok {
		return placement.Single(), nil
	}
	ranks, _ := g.GetMeta(ranksMeta)
	n, err := strconv.Atoi(ranks)
	if err != nil {
		return placement.Placement{}, fmt.Errorf("meta ranks is %q, want a number", ranks)
	}
	return placement.Parse(text, n)
}

// partition is the state of one run.
type partition struct {
	placement.Placement
	rules    placement.Rules
	wire     dtype.Type // of what collectives carry; Invalid is f32
	old      *ir.Graph
	users    [][]*ir.Node
	constant []bool
	have     []share // by ID of an old value
	made     map[converted]*ir.Value
	err      error
}

func newPartition(g *ir.Graph, c *compilation) *partition {
	return &partition{Placement: c.opt.Placement, rules: c.opt.PlacementRules, wire: c.opt.Activations, old: g,
		users: g.Users(), constant: g.Constants(), have: make([]share, g.Values()), made: map[converted]*ir.Value{}}
}

// share is what a rank has of a value.
type share struct {
	rows     int             // of how many neighbouring ranks; 0 where rows are not those of tokens
	partial  placement.Group // whose sum is the value; of size 0 or 1 it is the value
	sections []span          // of split columns, nil when they are whole
}

// span is a range of columns of the old value, and where the rank has its part of it.
type span struct{ lo, hi, at, end int64 }

// converted names a value in another form.
type converted struct {
	id    int // of the old value
	rows  int
	local bool // of expert ids or weights: those of the rank's experts
}

func (x *partition) fail(n *ir.Node, format string, args ...any) []*ir.Value {
	if x.err == nil {
		x.err = fmt.Errorf("%s at %s: %s", n.Op, n.Site, fmt.Sprintf(format, args...))
	}
	return nil
}

// rowsOf is an old dimension of tokens for the rows of so many ranks.
func (x *partition) rowsOf(d shape.Dim, ranks int) shape.Dim {
	return shape.Dim{Coef: d.Coef * int64(ranks), Scalar: d.Scalar, Div: int64(x.Attn.TP)}
}

// part is what a node belongs to, by its site.
type part struct {
	rows    int // of ranks that it reads
	degrees placement.Degrees
}

func (x *partition) partOf(n *ir.Node) part {
	of := func(d placement.Degrees) part { return part{d.ModelGroup().Size, d} }
	switch site := n.Site; {
	case strings.Contains(site, ".self_attn"):
		return of(x.Attn)
	case strings.Contains(site, ".mlp.experts"), strings.Contains(site, ".mlp.router"):
		return of(x.Experts)
	case strings.HasSuffix(site, ".mlp"),
		strings.Contains(site, ".mlp.") && !strings.HasSuffix(site, ".mlp.residual"):
		return of(x.Shared)
	}
	return of(x.Attn) // the residual stream, the tables
}

// formers give a node's form in the program by its op; other nodes are plain.
var formers = map[ir.Op]func(*partition, *ir.Rewriter, *ir.Node) []*ir.Value{
	ir.OpInput: (*partition).input, ir.OpState: (*partition).state, ir.OpEmbed: (*partition).embed,
	ir.OpTakeRows: (*partition).takeRows, ir.OpReshape: (*partition).reshape, ir.OpSlice: (*partition).slice,
	ir.OpCast: (*partition).cast, ir.OpQuantize: (*partition).quantize,
	ir.OpRoute: (*partition).route, ir.OpCombine: (*partition).combine,
	ir.OpLinear: (*partition).linear, ir.OpQLinear: (*partition).linear, ir.OpW8Linear: (*partition).linear,
	ir.OpGroupedLinear: (*partition).grouped, ir.OpQGroupedLinear: (*partition).grouped,
	ir.OpW8GroupedLinear: (*partition).grouped,
}

// node gives the program's form of an old node.
func (x *partition) node(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if x.err != nil || x.constant[n.Results[0].ID] {
		return nil
	}
	if form, ok := formers[n.Op]; ok {
		return form(x, r, n)
	}
	return x.plain(r, n)
}

// plain is a node that does the same on every rank, to whole sums, in the rows of its part.
func (x *partition) plain(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	rows := x.partOf(n).rows
	result := share{}
	if n.Op == ir.OpAdd && x.sums(n) {
		rows = x.Attn.ModelGroup().Size // parts of a layer meet in the residual stream
	}
	args := make([]*ir.Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = x.whole(r, a, rows)
		have := x.have[a.ID]
		if have.rows > 0 {
			result.rows = rows
		}
		if have.sections != nil {
			result.sections = have.sections
		}
	}
	if n.Op == ir.OpSwiGLU && result.sections != nil {
		s := result.sections[0]
		result.sections = []span{{0, s.hi - s.lo, 0, s.end - s.at}}
	}
	for _, v := range n.Results {
		x.have[v.ID] = result
	}
	return r.Add(n.Op, n.Site, args, n.Attrs...)
}

// sums reports whether a node adds what parts of a layer have summed up over ranks.
func (x *partition) sums(n *ir.Node) bool {
	for _, a := range n.Args {
		if x.have[a.ID].partial.Size > 1 {
			return true
		}
	}
	return false
}

// cast leaves the form of what it converts.
func (x *partition) cast(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	x.have[n.Result().ID] = x.have[n.Args[0].ID]
	return r.Add(n.Op, n.Site, r.Values(n.Args), n.Attrs...)
}

// takeRows: the rows whose logits are wanted are of all ranks.
func (x *partition) takeRows(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	return r.Add(n.Op, n.Site, []*ir.Value{x.whole(r, n.Args[0], x.Devices), r.Value(n.Args[1])})
}

// input: tokens and their places are those of the rank's group of attention, rows those of all.
func (x *partition) input(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	t := n.Result().Type
	if len(t.Shape) == 0 || t.Shape[0].Scalar != shape.T {
		return nil
	}
	t.Shape = append(shape.Shape{}, t.Shape...)
	t.Shape[0] = x.rowsOf(t.Shape[0], x.Attn.TP)
	x.have[n.Result().ID] = share{rows: x.Attn.TP}
	return r.AddTyped(n.Op, n.Site, []ir.Type{t}, nil, n.Attrs...)
}

func (x *partition) state(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	t := n.Result().Type
	heads := t.Shape[0].Coef / int64(x.Attn.TP)
	return []*ir.Value{r.State(n.Str("name"), t.DType, heads, t.Shape[1].Coef)}
}

// embed: a table that is split by vocabulary gives zeros for the tokens of others.
func (x *partition) embed(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	x.have[n.Result().ID] = share{rows: x.Attn.TP}
	ids, table := r.Value(n.Args[0]), r.Value(n.Args[1])
	if x.EmbedTP == 1 {
		return r.Add(n.Op, n.Site, []*ir.Value{ids, table})
	}
	g := placement.Group{Size: x.EmbedTP, Stride: 1}
	x.have[n.Result().ID].partial = g
	size, _ := placement.Block(int(table.Type.Shape[0].Coef), x.EmbedTP, 1)
	local := rebaseOf(r.Builder, n.Site, ids, g, int64(size))
	return r.Add(n.Op, n.Site, []*ir.Value{local, shardOf(r.Builder, n.Site, table, 0, g, 1)},
		ir.Int("outside", 1))
}

func groupAttrs(g placement.Group) []ir.Attr {
	return []ir.Attr{ir.Int("size", int64(g.Size)), ir.Int("stride", int64(g.Stride))}
}

// quantize: the maximum is taken over what the rank has of a row, which BlockDynamicScales has
// written into the graph.
func (x *partition) quantize(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	blocks, given := n.Attr("blocks")
	have := x.have[n.Args[0].ID]
	if !given {
		return x.plain(r, n)
	}
	if have.sections == nil || blocks.Int != int64(x.partOf(n).degrees.TP) {
		return x.fail(n, "%d blocks of rows that are not split so", blocks.Int)
	}
	plain := *n
	plain.Attrs = nil
	return x.plain(r, &plain)
}

// reshape keeps rows, and divides the first dimension behind them as the columns are divided.
func (x *partition) reshape(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	have := x.have[n.Args[0].ID]
	arg := r.Value(n.Args[0])
	if have.partial.Size > 1 || have.rows != x.partOf(n).rows && have.rows > 0 {
		have.partial, have.rows = placement.Group{}, x.partOf(n).rows
		arg = x.whole(r, n.Args[0], have.rows)
	}
	ratio := fixedElements(n.Args[0].Type.Shape) / fixedElements(arg.Type.Shape)
	var to shape.Shape
	for _, d := range n.Result().Type.Shape {
		if !d.IsFixed() && d.Scalar == shape.T {
			d = x.rowsOf(d, have.rows)
		} else if ratio > 1 {
			d.Coef /= ratio
			ratio = 1
		}
		to = append(to, d)
	}
	x.have[n.Result().ID] = have
	return []*ir.Value{r.Reshape(n.Site, arg, to)}
}

func fixedElements(s shape.Shape) int64 {
	n := int64(1)
	for _, d := range s {
		if d.IsFixed() {
			n *= d.Coef
		}
	}
	return n
}

// slice takes a section, or columns that are whole.
func (x *partition) slice(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	have := x.have[n.Args[0].ID]
	if have.sections == nil {
		return x.plain(r, n)
	}
	lo, hi := n.Int("lo"), n.Int("hi")
	for _, s := range have.sections {
		if s.lo == lo && s.hi == hi && n.Int("axis") == 1 {
			own := []span{{0, hi - lo, 0, s.end - s.at}}
			x.have[n.Result().ID] = share{rows: have.rows, sections: own}
			return []*ir.Value{r.Slice(n.Site, r.Value(n.Args[0]), 1, s.at, s.end)}
		}
	}
	return x.fail(n, "columns %d to %d are not split as they are taken", lo, hi)
}

// outputs are whole: expert choices of all rows, on every rank.
func (x *partition) outputs(g *ir.Graph) *ir.Graph {
	for i, o := range x.old.Outputs {
		have := x.have[o.Value.ID]
		if have.rows == 0 || have.rows == x.Devices {
			continue
		}
		b := &ir.Builder{Graph: g}
		gather := convert(b, o.Value.Def.Site, g.Outputs[i].Value, have.rows, x.Devices)
		g.Outputs[i].Value = gather
	}
	return g
}

// PlacementModel is what of a graph decides how it can lie over ranks; the graph has its passes up to
// LegalizeTypes behind it.
func PlacementModel(g *ir.Graph) placement.Model {
	m := placement.Model{}
	number := func(key string) int {
		n := 0
		if text, ok := g.GetMeta(key); ok {
			_, _ = fmt.Sscan(text, &n)
		}
		return n
	}
	m.Groups, m.PerToken, m.Vocabulary = number("groups"), number("experts_per_token"), number("vocab_size")
	for _, n := range g.Nodes {
		depth := func(weight int) int {
			s := n.Args[weight].Type.Shape
			return int(s[len(s)-1].Coef)
		}
		switch n.Op {
		case ir.OpAttend:
			m.Heads, m.KVHeads = int(n.Args[0].Type.Shape[1].Coef), int(n.Args[1].Type.Shape[0].Coef)
		case ir.OpRoute:
			m.Experts = int(n.Int("experts"))
		case ir.OpLinear, ir.OpQLinear, ir.OpW8Linear:
			if roleOf(n) == rowParallel && !strings.Contains(n.Site, ".self_attn") {
				m.SharedWidth = depth(weightOf(n))
			}
		case ir.OpGroupedLinear, ir.OpQGroupedLinear, ir.OpW8GroupedLinear:
			if roleOf(n) == rowParallel {
				m.ExpertWidth = depth(weightOf(n))
			}
		}
	}
	return m
}
