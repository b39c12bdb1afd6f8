package model

import (
	"fmt"
	"sort"

	"moge/ascend/kernel"
	"moge/ascend/kernels"
	"moge/ascend/soc"
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

// Select gives the kernels of a graph for a chip, sorted by name. The graph has LegalizeTypes
// behind it; ops that only view, slice or round are part of the kernels around them.
func Select(g *ir.Graph, chip *soc.Chip, l Limits) ([]*kernel.Kernel, error) {
	s := &selection{
		chip:     chip,
		limits:   l,
		users:    g.Users(),
		constant: g.Constants(),
		byName:   map[string]*kernel.Kernel{},
	}
	for _, n := range g.Nodes {
		if s.constant[n.Results[0].ID] {
			continue
		}
		if err := s.node(n); err != nil {
			return nil, err
		}
	}
	return s.kernels(), nil
}

type selection struct {
	chip     *soc.Chip
	limits   Limits
	users    [][]*ir.Node // by value ID
	constant []bool       // by value ID
	byName   map[string]*kernel.Kernel
}

func (s *selection) kernels() []*kernel.Kernel {
	list := make([]*kernel.Kernel, 0, len(s.byName))
	for _, k := range s.byName {
		list = append(list, k)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// want adds a kernel under its name, which says everything that it depends on.
func (s *selection) want(name string, build func() (*kernel.Kernel, error)) error {
	if s.byName[name] != nil {
		return nil
	}
	k, err := build()
	if err != nil {
		return err
	}
	s.byName[name] = k
	return nil
}

// chooser gives an op its kernel.
type chooser func(s *selection, n *ir.Node) error

// choosers are the ops with kernels; absorbed ones are part of a neighbour's.
var choosers = map[ir.Op]chooser{
	ir.OpEmbed: (*selection).embed, ir.OpRMSNorm: (*selection).norm, ir.OpAddRMSNorm: (*selection).norm,
	ir.OpQLinear: (*selection).linear, ir.OpRotary: (*selection).rotary, ir.OpAttend: (*selection).attend,
	ir.OpMoEGate: (*selection).gate, ir.OpQGroupedLinear: (*selection).grouped,
	ir.OpRoute: (*selection).route, ir.OpPermute: (*selection).dispatch, ir.OpCombine: (*selection).combine,
	ir.OpAdd: (*selection).add, ir.OpTakeRows: (*selection).takeRows, ir.OpLinear: (*selection).head,
}

// absorbed says whose kernel computes ops that have none of their own.
var absorbed = map[ir.Op]string{
	ir.OpInput: "the host", ir.OpState: "the host", ir.OpRopeTable: "the host",
	ir.OpReshape: "a view", ir.OpSlice: "a view", ir.OpCast: "the kernel before",
	ir.OpQuantize: "the kernel before or after", ir.OpQuantizeStatic: "the kernel before or after",
	ir.OpKVWrite: "rotary", ir.OpSwiGLU: "the linear before",
}

func (s *selection) node(n *ir.Node) error {
	if choose := choosers[n.Op]; choose != nil {
		return choose(s, n)
	}
	if absorbed[n.Op] != "" {
		return nil
	}
	return &UnsupportedError{
		n.Site,
		n.Op.String(),
		"only models with grouped experts, quantized, have all of theirs",
	}
}

// width is the fixed last dimension of argument i.
func width(n *ir.Node, i int) int {
	s := n.Args[i].Type.Shape
	return int(s[len(s)-1].Coef)
}

// readBy reports whether an op reads v, views and roundings looked through.
func (s *selection) readBy(v *ir.Value, op ir.Op) bool {
	for _, n := range s.users[v.ID] {
		if n.Op == op {
			return true
		}
		if (n.Op == ir.OpCast || n.Op == ir.OpReshape) && s.readBy(n.Result(), op) {
			return true
		}
	}
	return false
}

func (s *selection) embed(n *ir.Node) error {
	spec := kernels.EmbedSpec{
		Width:     width(n, 1),
		TableRows: int(n.Args[1].Type.Shape[0].Coef),
		MaxTokens: s.limits.Tokens,
	}
	spec.Name = fmt.Sprintf("embed_%dx%d", spec.TableRows, spec.Width)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Embed(spec) })
}

// norm: rows that a quantize reads are stored in int8, those that anything else reads in half.
// The norm before the head is the head's.
func (s *selection) norm(n *ir.Node) error {
	y := n.Results[len(n.Results)-1]
	if s.readBy(y, ir.OpLinear) {
		return nil
	}
	spec := kernels.NormSpec{
		Width:   width(n, 0),
		MaxRows: s.limits.Tokens,
		Eps:     n.Float("eps"),
		Add:     n.Op == ir.OpAddRMSNorm,
	}
	for _, user := range s.users[y.ID] {
		if user.Op == ir.OpQuantize {
			spec.Int8 = true
		} else {
			spec.Half = true
		}
	}
	spec.Name = fmt.Sprintf("norm_%d", spec.Width)
	for _, part := range []struct {
		on             bool
		before, behind string
	}{{spec.Add, "add_", ""}, {spec.Half, "", "_half"}, {spec.Int8, "", "_int8"}} {
		if part.on {
			spec.Name = part.before + spec.Name + part.behind
		}
	}
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Norm(spec) })
}

// linear: rows come in int8 from a norm, in half from anything else.
func (s *selection) linear(n *ir.Node) error {
	w := n.Args[2].Type.Shape
	spec := kernels.LinearSpec{
		N:        int(w[0].Coef),
		K:        int(w[1].Coef),
		MaxRows:  s.limits.Tokens,
		Bias:     len(n.Args) == 5,
		Quantize: !fromNorm(n.Args[0].Def),
		SwiGLU:   s.readBy(n.Result(), ir.OpSwiGLU),
	}
	spec.Name = fmt.Sprintf("linear_%dx%d", spec.N, spec.K)
	for _, part := range []struct {
		on   bool
		name string
	}{{spec.Bias, "_bias"}, {spec.Quantize, "_quantize"}, {spec.SwiGLU, "_swiglu"}} {
		if part.on {
			spec.Name += part.name
		}
	}
	return s.want(spec.Name, func() (k *kernel.Kernel, err error) {
		if spec.Tiling, err = spec.Choose(s.chip); err != nil {
			return nil, err
		}
		return kernels.Linear(spec)
	})
}

// fromNorm reports whether the rows that a quantize gives come straight from a norm.
func fromNorm(quantize *ir.Node) bool {
	from := quantize.Args[0].Def.Op
	return from == ir.OpRMSNorm || from == ir.OpAddRMSNorm
}

// route: ids of grouped gating ascend for every token.
func (s *selection) route(n *ir.Node) error {
	spec := kernels.RouteSpec{
		Experts:   int(n.Int("experts")),
		PerToken:  width(n, 0),
		MaxTokens: s.limits.Tokens,
		Ascending: true,
	}
	if n.Args[0].Def.Op != ir.OpMoEGate {
		return &UnsupportedError{n.Site, n.Op.String(), "only grouped gating has a kernel"}
	}
	spec.Name = fmt.Sprintf("route_%dof%d", spec.PerToken, spec.Experts)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Route(spec) })
}

// dispatch moves rows and scales together: both are permuted in the graph, one kernel does it.
func (s *selection) dispatch(n *ir.Node) error {
	if len(n.Args[0].Type.Shape) == 1 {
		return nil
	}
	slots, tokens := n.Args[1].Type.Shape[0], n.Args[0].Type.Shape[0]
	spec := kernels.DispatchSpec{
		Width:     width(n, 0),
		PerToken:  int(slots.Coef / tokens.Coef),
		MaxTokens: s.limits.Tokens,
	}
	spec.Name = fmt.Sprintf("dispatch_%d_%d", spec.PerToken, spec.Width)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Dispatch(spec) })
}

// combine adds the shared expert's rows where the graph does so next.
func (s *selection) combine(n *ir.Node) error {
	spec := kernels.CombineSpec{
		Width:     width(n, 0),
		PerToken:  width(n, 2),
		MaxTokens: s.limits.Tokens,
		Ascending: true,
		Shared:    s.readBy(n.Result(), ir.OpAdd),
	}
	spec.Name = fmt.Sprintf(
		"combine_%d_%d%s",
		spec.PerToken,
		spec.Width,
		map[bool]string{true: "_shared"}[spec.Shared],
	)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Combine(spec) })
}

// add is the sum of a norm, unless combine does it.
func (s *selection) add(n *ir.Node) error {
	for _, a := range n.Args {
		if a.Def.Op == ir.OpCombine {
			return nil
		}
	}
	spec := kernels.NormSpec{Width: width(n, 0), MaxRows: s.limits.Tokens, Add: true, Half: true}
	spec.Name = fmt.Sprintf("add_%d", spec.Width)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Norm(spec) })
}

func (s *selection) takeRows(n *ir.Node) error {
	spec := kernels.EmbedSpec{
		Width:     width(n, 0),
		TableRows: s.limits.Tokens,
		MaxTokens: s.limits.Rows,
		Step:      true,
	}
	spec.Name = fmt.Sprintf("take_rows_%d", spec.Width)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Embed(spec) })
}

// head is the last norm and the product with the vocabulary, and what sampling needs of the logits.
func (s *selection) head(n *ir.Node) error {
	norm := n.Args[0].Def
	if norm.Op != ir.OpRMSNorm || n.Site != "lm_head" {
		return &UnsupportedError{
			n.Site,
			n.Op.String(),
			"float linears have a kernel as the head alone: choose a scheme for it",
		}
	}
	w := n.Args[1].Type.Shape
	spec := kernels.HeadSpec{
		Vocab:   int(w[0].Coef),
		Width:   int(w[1].Coef),
		MaxRows: s.limits.Rows,
		Eps:     norm.Float("eps"),
	}
	spec.Name = fmt.Sprintf("head_%dx%d", spec.Vocab, spec.Width)
	err := s.want(spec.Name, func() (k *kernel.Kernel, err error) {
		if spec.Tiling, err = spec.Choose(s.chip); err != nil {
			return nil, err
		}
		return kernels.Head(spec)
	})
	if err != nil {
		return err
	}
	scan := kernels.TopSpec{
		Name:       fmt.Sprintf("top_scan_%d", spec.Vocab),
		Vocabulary: spec.Vocab,
		Count:      64,
		MaxRows:    s.limits.Rows,
	}
	pick := scan
	pick.Name = fmt.Sprintf("top_pick_64of%d", spec.Vocab)
	if err := s.want(scan.Name, func() (*kernel.Kernel, error) { return kernels.TopScan(scan) }); err != nil {
		return err
	}
	return s.want(pick.Name, func() (*kernel.Kernel, error) { return kernels.TopPick(pick) })
}

// rotary is asked for by the queries and by the keys: one kernel does both.
func (s *selection) rotary(n *ir.Node) error { return nil }

// attend brings the kernels of attention: rotation with the write to the cache, and decode.
func (s *selection) attend(n *ir.Node) error {
	q, kv := n.Args[0].Type.Shape, n.Args[1].Type.Shape
	heads, kvHeads, dim := int(q[1].Coef), int(kv[0].Coef), int(q[2].Coef)
	perSequence := (s.limits.Context + kernels.PageRows - 1) / kernels.PageRows
	pool := min(perSequence*s.limits.Sequences, kernels.MaxPages(kvHeads, dim))
	rotary := kernels.RotarySpec{
		Name:      fmt.Sprintf("rotary_%dq_%dkv_%d", heads, kvHeads, dim),
		Heads:     heads,
		KVHeads:   kvHeads,
		Dim:       dim,
		MaxTokens: s.limits.Tokens,
		MaxPages:  pool,
	}
	if err := s.want(rotary.Name, func() (*kernel.Kernel, error) { return kernels.Rotary(rotary) }); err != nil {
		return err
	}
	prefill := kernels.AttentionPrefillSpec{
		Name:      fmt.Sprintf("attention_prefill_%dq_%dkv_%d", heads, kvHeads, dim),
		Heads:     heads,
		KVHeads:   kvHeads,
		Dim:       dim,
		Scale:     n.Float("scale"),
		MaxTokens: s.limits.Tokens,
		MaxPages:  perSequence,
		PoolPages: pool,
	}
	err := s.want(
		prefill.Name,
		func() (*kernel.Kernel, error) { return kernels.AttentionPrefill(prefill) },
	)
	if err != nil {
		return err
	}
	decode := kernels.AttentionDecodeSpec{
		Name:         fmt.Sprintf("attention_decode_%dq_%dkv_%d", heads, kvHeads, dim),
		Heads:        heads,
		KVHeads:      kvHeads,
		Dim:          dim,
		Scale:        n.Float("scale"),
		MaxSequences: s.limits.Sequences,
		MaxPages:     perSequence,
		PoolPages:    pool,
		HeadsPerUnit: 1,
		Parts:        1,
	}
	return s.want(decode.Name, func() (*kernel.Kernel, error) { return kernels.AttentionDecode(decode) })
}

func (s *selection) gate(n *ir.Node) error {
	spec := kernels.GateSpec{
		Width:     width(n, 0),
		Experts:   int(n.Args[1].Type.Shape[0].Coef),
		Groups:    int(n.Int("groups")),
		MaxTokens: s.limits.Tokens,
		Scale:     len(n.Args) == 3,
	}
	spec.LocalGroups = spec.Groups
	spec.Name = fmt.Sprintf("gate_%d_%dof%d", spec.Width, spec.Groups, spec.Experts)
	return s.want(spec.Name, func() (*kernel.Kernel, error) { return kernels.Gate(spec) })
}

// grouped is gate and up when SwiGLU reads it, down otherwise.
func (s *selection) grouped(n *ir.Node) error {
	w := n.Args[3].Type.Shape
	if len(w) != 3 {
		return &UnsupportedError{
			n.Site,
			n.Op.String(),
			"the weights of its experts are not stacked: leave GroupExperts on",
		}
	}
	rows, k := int(w[1].Coef), int(w[2].Coef)
	slots := int(n.Args[0].Type.Shape[0].Coef) // experts a token
	spec := kernels.GroupedSpec{Experts: int(w[0].Coef), MaxRows: slots * s.limits.Tokens}
	if s.readBy(n.Result(), ir.OpSwiGLU) {
		spec.Hidden, spec.Width = k, rows/2
		spec.Name = fmt.Sprintf("experts_%d_gate_up_%dx%d", spec.Experts, spec.Width, spec.Hidden)
		return s.want(spec.Name, func() (k *kernel.Kernel, err error) {
			if spec.Tiling, err = spec.ChooseGateUp(s.chip); err != nil {
				return nil, err
			}
			return kernels.GroupedGateUp(spec)
		})
	}
	spec.Hidden, spec.Width = rows, k
	spec.Name = fmt.Sprintf("experts_%d_down_%dx%d", spec.Experts, spec.Hidden, spec.Width)
	return s.want(spec.Name, func() (k *kernel.Kernel, err error) {
		if spec.Tiling, err = spec.ChooseDown(s.chip); err != nil {
			return nil, err
		}
		return kernels.GroupedDown(spec)
	})
}
