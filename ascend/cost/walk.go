package cost

import (
	"fmt"
	"regexp"
	"strings"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/ir/shape"
)

// UnknownError says that there is no cost of an op.
type UnknownError struct{ Site, Op string }

// Error names the place in the model and the op.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%s: no cost of %s: only steps of models in w8a8 or halves are predicted", e.Site,
		e.Op)
}

// Walk reads the ops of a step from a graph after passes, that of one rank of a placement (or of the
// only one). Ops that differ in the number of their layer alone are one. The error is an
// *UnknownError.
func Walk(g *ir.Graph, p placement.Placement, s Step) ([]Op, error) {
	w := &walker{writer: writer{m: modelOf(g), layout: s.over(p, Scattered), repeat: 1},
		constant: g.Constants()}
	w.env[shape.T], w.env[shape.L] = w.sequences*s.Fresh, s.Sequences
	w.m.Experts *= int64(p.Experts.EP) // of all ranks
	for _, n := range g.Nodes {
		if w.constant[n.Results[0].ID] || free[n.Op] {
			continue
		}
		if err := w.node(n); err != nil {
			return nil, err
		}
	}
	return collapse(w.ops), nil
}

// free are the ops that are done where their result is read.
var free = map[ir.Op]bool{ir.OpInput: true, ir.OpState: true, ir.OpIota: true, ir.OpReshape: true,
	ir.OpSlice: true, ir.OpCast: true, ir.OpRopeTable: true, ir.OpShard: true, ir.OpOwn: true,
	ir.OpRebase: true}

type walker struct {
	writer
	env      shape.Env
	constant []bool
}

func (w *walker) dim(v *ir.Value, i int) int64 { return v.Type.Shape[i].Eval(&w.env) }

// size is the rows of a value and the elements of one.
func (w *walker) size(v *ir.Value) (rows, width int64) {
	rows, width = w.dim(v, 0), 1
	for i := 1; i < len(v.Type.Shape); i++ {
		width *= w.dim(v, i)
	}
	return rows, width
}

func (w *walker) node(n *ir.Node) error {
	if strings.HasSuffix(n.Site, ".mlp.router") && !collectives[n.Op].Collective() {
		w.router(n)
		return nil
	}
	rows, width := w.size(n.Results[0])
	switch n.Op {
	case ir.OpEmbed:
		w.put(embedding(n.Site, rows, width))
	case ir.OpTakeRows:
		w.put(takeRows(n.Site, rows, width))
	case ir.OpRMSNorm, ir.OpAddRMSNorm:
		last := w.dim(n.Results[0], len(n.Results[0].Type.Shape)-1)
		w.put(norm(n.Site, rows*width/last, last, n.Op == ir.OpAddRMSNorm))
	case ir.OpQuantize, ir.OpQuantizeStatic:
		w.put(quantize(n.Site, rows, width))
	case ir.OpLinear, ir.OpQLinear:
		w.linearOf(n, rows, width)
	case ir.OpGroupedLinear, ir.OpQGroupedLinear:
		w.groupedOf(n, rows, width)
	case ir.OpRotary:
		main := strings.HasSuffix(n.Site, ".q")
		w.put(rotary(n.Site, rows, w.dim(n.Results[0], 1), w.dim(n.Results[0], 2), main))
	case ir.OpKVWrite:
		x, d := n.Args[1], n.Results[0].Type.DType
		w.put(cacheWrite(n.Site, w.dim(x, 0), w.dim(x, 1), w.dim(x, 2), d))
	case ir.OpAttend:
		q, k := n.Args[0], n.Args[1].Type
		w.put(attention(n.Site, attended{w.sequences, w.s.Fresh, w.s.Context, w.dim(q, 1),
			k.Shape[0].Coef, k.Shape[1].Coef, k.DType}))
	default:
		return w.rest(n, rows, width)
	}
	return nil
}

func (w *walker) rest(n *ir.Node, rows, width int64) error {
	switch n.Op {
	case ir.OpRoute:
		w.put(route(n.Site, rows))
	case ir.OpPermute:
		bytes := int64(half)
		if d := n.Results[0].Type.DType; d == dtype.I8 || width == 1 {
			bytes = d.Bytes(1)
		}
		w.put(permute(n.Site, rows, width, bytes))
	case ir.OpSwiGLU:
		w.put(swiglu(n.Site, rows, width))
	case ir.OpCombine:
		w.put(combine(n.Site, w.dim(n.Args[0], 0), rows, width))
	case ir.OpAdd:
		inside := strings.Contains(n.Site, ".mlp.") && !strings.HasSuffix(n.Site, ".residual")
		w.put(add(n.Site, rows, width, inside))
	case ir.OpAllGather, ir.OpReduceScatter, ir.OpAllReduce:
		w.collectiveOf(n)
	default:
		return &UnknownError{n.Site, n.Op.String()}
	}
	return nil
}

func (w *walker) linearOf(n *ir.Node, rows, cols int64) {
	weight, bias, d := n.Args[1], len(n.Args) == 3, dtype.F16
	if n.Op == ir.OpQLinear {
		weight, bias, d = n.Args[2], len(n.Args) == 5, dtype.I8
	}
	w.put(product(n.Site, rows, cols, w.dim(weight, 1), d, bias))
}

func (w *walker) groupedOf(n *ir.Node, rows, cols int64) {
	weight, d := n.Args[2], dtype.F16
	if n.Op == ir.OpQGroupedLinear {
		weight, d = n.Args[3], dtype.I8
	}
	shape := weight.Type.Shape
	_, touched := w.slots(1)
	w.put(grouped(n.Site, rows, touched, cols, shape[len(shape)-1].Coef, d))
}

// router is one op, however many it is made of: the first of them has the sizes.
func (w *walker) router(n *ir.Node) {
	calls := int64(1)
	if n.Op == ir.OpMoEGate {
		calls = primitives(n)
	}
	last := len(w.ops) - 1
	if n.Op == ir.OpMoEGate || n.Op == ir.OpLinear {
		rows, _ := w.size(n.Results[0])
		weight := n.Args[1].Type.Shape
		w.put(gate(n.Site, rows, weight[0].Coef, weight[1].Coef, calls))
		return
	}
	w.ops[last].Calls += calls
}

// primitives is the ops of an unfused gate: product, softmax, best and its place, numbers of the
// groups and their sum, and the two of a scale.
func primitives(n *ir.Node) int64 {
	if len(n.Args) == 3 {
		return gateCalls
	}
	return gateCalls - 2
}

var collectives = map[ir.Op]Kind{ir.OpAllGather: AllGather, ir.OpReduceScatter: ReduceScatter,
	ir.OpAllReduce: AllReduce}

// collectiveOf takes the larger side: of a gather what comes out, of a sum what goes in.
func (w *walker) collectiveOf(n *ir.Node) {
	v := n.Args[0]
	if n.Op == ir.OpAllGather {
		v = n.Results[0]
	}
	d := v.Type.DType
	if wire, ok := n.Attr("wire"); ok {
		d = wire.DType
	}
	rows, width := w.size(v)
	g := placement.Group{Size: int(n.Int("size")), Stride: int(n.Int("stride"))}
	w.put(collective(collectives[n.Op], n.Site, g, rows, width, d.Bytes(1)))
}

var layerNumber = regexp.MustCompile(`^layers\.(\d+)`)

// collapse makes one op of those that differ in the number of their layer alone.
func collapse(ops []Op) []Op {
	var list []Op
	index := map[Op]int{}
	for _, o := range ops {
		if found := layerNumber.FindStringSubmatch(o.Site); found != nil {
			_, _ = fmt.Sscan(found[1], &o.From)
		}
		o.Site = layerNumber.ReplaceAllString(o.Site, "layers.N")
		key := o
		key.Repeat, key.From = 0, 0
		if i, ok := index[key]; ok {
			list[i].Repeat += o.Repeat
			continue
		}
		index[key] = len(list)
		list = append(list, o)
	}
	return list
}

// ModelOf reads the sizes of a model from its graph after passes, before it is cut for ranks. The error
// is an *UnknownError: an op that only other schemes have.
func ModelOf(g *ir.Graph) (*Model, error) {
	if _, err := Walk(g, placement.Single(), Decode(1, 1)); err != nil {
		return nil, err
	}
	return modelOf(g), nil
}

func modelOf(g *ir.Graph) *Model {
	m := &Model{Name: g.Name, Weights: dtype.F16, Head: dtype.F16}
	meta := func(key string) (n int64) {
		text, _ := g.GetMeta(key)
		_, _ = fmt.Sscan(text, &n)
		return n
	}
	m.Hidden, m.Vocabulary, m.Layers = meta("hidden_size"), meta("vocab_size"), meta("layers")
	m.PerToken, m.Groups = meta("experts_per_token"), meta("groups")
	m.Positions = meta("context")
	constant := g.Constants()
	for _, n := range g.Nodes {
		if !constant[n.Results[0].ID] {
			m.see(n)
		}
	}
	return m
}

// see takes from a node what it knows.
func (m *Model) see(n *ir.Node) {
	depth := func(i int) int64 {
		s := n.Args[i].Type.Shape
		return s[len(s)-1].Coef
	}
	switch {
	case n.Op == ir.OpAttend:
		q, k := n.Args[0].Type.Shape, n.Args[1].Type
		m.Heads, m.KVHeads, m.HeadDim, m.Cached = q[1].Coef, k.Shape[0].Coef, q[2].Coef, k.DType
	case strings.HasSuffix(n.Site, "_norm") && strings.Contains(n.Site, ".self_attn."):
		m.HeadNorm = m.HeadNorm || n.Op == ir.OpRMSNorm
	case strings.HasSuffix(n.Site, ".mlp.router"):
		m.seeRouter(n)
	case n.Op == ir.OpRoute:
		m.Experts = n.Int("experts")
	case n.Op == ir.OpQGroupedLinear && strings.HasSuffix(n.Site, ".experts.down"):
		m.ExpertWidth = depth(3)
	case n.Op == ir.OpGroupedLinear && strings.HasSuffix(n.Site, ".experts.down"):
		m.ExpertWidth = depth(2)
	case n.Op == ir.OpQLinear:
		m.Weights = dtype.I8
		m.seeLinear(n.Site, depth(2), len(n.Args) == 5)
	case n.Op == ir.OpLinear:
		m.seeLinear(n.Site, depth(1), len(n.Args) == 3)
	}
}

func (m *Model) seeLinear(site string, depth int64, bias bool) {
	switch {
	case strings.HasSuffix(site, ".self_attn.q+k+v"):
		m.QKVBias = bias
	case strings.HasSuffix(site, ".self_attn.o"):
		m.OutBias = bias
	case strings.HasSuffix(site, ".shared.down"):
		m.SharedWidth = depth
	case strings.HasSuffix(site, ".mlp.down"):
		m.DenseWidth = depth
		m.DenseLayers++
	}
}

// seeRouter counts the calls of the first layer with experts: the route behind its router gives
// their number.
func (m *Model) seeRouter(n *ir.Node) {
	if free[n.Op] || m.Experts > 0 {
		return
	}
	if n.Op == ir.OpMoEGate {
		m.GateCalls += primitives(n)
		return
	}
	m.GateCalls++
}
