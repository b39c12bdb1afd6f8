package cpu

import (
	"fmt"

	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/device"
)

// role says how a step reads an argument of a node.
type role uint8

const (
	buffer role = iota + 1 // a tensor of the step; a constant becomes an f32 row section
	vector                 // a constant as f32, row-major
	rows                   // a constant in its own type, row-major
	tiles                  // a float weight as tiles
	state                  // a slot of the cache
)

// lowering is how a node becomes a step when nothing but its arguments matters. The last
// role stands for all further arguments.
type lowering struct {
	op    bundlepb.OpCode
	roles []role
	names []string // of sections, by argument; empty for buffers
}

// simple lists the ops whose steps have the arguments, results and attributes of the node.
var simple = map[ir.Op]lowering{
	ir.OpIota:       {op: bundlepb.OpCode_IOTA},
	ir.OpSlice:      {op: bundlepb.OpCode_SLICE, roles: []role{buffer}},
	ir.OpConcat:     {op: bundlepb.OpCode_CONCAT, roles: []role{buffer}},
	ir.OpAdd:        {op: bundlepb.OpCode_ADD, roles: []role{buffer}},
	ir.OpSub:        {op: bundlepb.OpCode_SUB, roles: []role{buffer}},
	ir.OpMul:        {op: bundlepb.OpCode_MUL, roles: []role{buffer}},
	ir.OpDiv:        {op: bundlepb.OpCode_DIV, roles: []role{buffer}},
	ir.OpSiLU:       {op: bundlepb.OpCode_SILU, roles: []role{buffer}},
	ir.OpSoftmax:    {op: bundlepb.OpCode_SOFTMAX, roles: []role{buffer}},
	ir.OpMaxLast:    {op: bundlepb.OpCode_MAX_LAST, roles: []role{buffer}},
	ir.OpArgMaxLast: {op: bundlepb.OpCode_ARGMAX_LAST, roles: []role{buffer}},
	ir.OpSumLast:    {op: bundlepb.OpCode_SUM_LAST, roles: []role{buffer}},
	ir.OpTopK:       {op: bundlepb.OpCode_TOP_K, roles: []role{buffer}},
	ir.OpShard:      {op: bundlepb.OpCode_SHARD, roles: []role{buffer}},
	ir.OpRebase:     {op: bundlepb.OpCode_REBASE, roles: []role{buffer}},

	ir.OpAllGather:     {op: bundlepb.OpCode_ALL_GATHER, roles: []role{buffer}},
	ir.OpReduceScatter: {op: bundlepb.OpCode_REDUCE_SCATTER, roles: []role{buffer}},
	ir.OpAllReduce:     {op: bundlepb.OpCode_ALL_REDUCE, roles: []role{buffer}},

	ir.OpEmbed:     {bundlepb.OpCode_EMBED, []role{buffer, rows}, []string{"", "weight"}},
	ir.OpTakeRows:  {op: bundlepb.OpCode_GATHER_ROWS, roles: []role{buffer}},
	ir.OpGather:    {bundlepb.OpCode_GATHER, []role{vector, buffer}, []string{"scale", ""}},
	ir.OpLinear:    {bundlepb.OpCode_LINEAR, []role{buffer, tiles, vector}, []string{"", "weight", "bias"}},
	ir.OpRMSNorm:   {bundlepb.OpCode_RMS_NORM, []role{buffer, vector}, []string{"", "weight"}},
	ir.OpRopeTable: {op: bundlepb.OpCode_ROPE_TABLE, roles: []role{buffer}},
	ir.OpKVWrite:   {op: bundlepb.OpCode_KV_WRITE, roles: []role{state, buffer}},
	ir.OpAttend:    {op: bundlepb.OpCode_ATTEND, roles: []role{buffer, state, state, buffer}},
	ir.OpRoute:     {op: bundlepb.OpCode_ROUTE, roles: []role{buffer}},
	ir.OpPermute:   {op: bundlepb.OpCode_PERMUTE, roles: []role{buffer}},
	ir.OpCombine:   {op: bundlepb.OpCode_COMBINE, roles: []role{buffer}},

	ir.OpQuantize:       {op: bundlepb.OpCode_QUANTIZE_DYNAMIC, roles: []role{buffer}},
	ir.OpQuantizeStatic: {op: bundlepb.OpCode_QUANTIZE_STATIC, roles: []role{buffer}},
	ir.OpAddRMSNorm:     {bundlepb.OpCode_ADD_RMS_NORM, []role{buffer, buffer, vector}, []string{"", "", "weight"}},
	ir.OpRotary:         {op: bundlepb.OpCode_ROTARY, roles: []role{buffer}},
	ir.OpSwiGLU:         {op: bundlepb.OpCode_SWIGLU, roles: []role{buffer}},
	ir.OpMoEGate:        {bundlepb.OpCode_MOE_GATE, []role{buffer, tiles, vector}, []string{"", "weight", "scale"}},
}

func (b *builder) node(n *ir.Node) error {
	if b.constant[n.Results[0].ID] {
		return nil
	}
	if err := b.wantSize(n); err != nil {
		return err
	}
	switch n.Op {
	case ir.OpInput:
		b.input(n)
		return nil
	case ir.OpState:
		b.newState(n)
		return nil
	case ir.OpReshape, ir.OpObserve:
		return b.view(n)
	case ir.OpGroupedLinear:
		return b.grouped(n, bundlepb.OpCode_GROUPED_LINEAR)
	case ir.OpQLinear, ir.OpQGroupedLinear, ir.OpW8Linear, ir.OpW8GroupedLinear:
		return b.quantized(n)
	}
	low, ok := simple[n.Op]
	if !ok {
		return fmt.Errorf("the CPU engine has no kernel for %s", n.Op)
	}
	var args []*bundlepb.Operand
	for i, a := range n.Args {
		operand, err := b.argument(n, a, low, i)
		if err != nil {
			return err
		}
		args = append(args, operand)
	}
	return b.step(n, low.op, args)
}

func (b *builder) argument(n *ir.Node, a *ir.Value, low lowering, i int) (*bundlepb.Operand, error) {
	r, name := low.roles[min(i, len(low.roles)-1)], "constant"
	if i < len(low.names) && low.names[i] != "" {
		name = low.names[i]
	}
	switch r {
	case state:
		return &bundlepb.Operand{Kind: &bundlepb.Operand_State{State: uint32(b.state[a.ID])}}, nil
	case tiles:
		return b.floatTiles(n.Site+"."+name, []*ir.Value{a})
	case rows:
		return b.rows(n.Site+"."+name, a, a.Type.DType)
	case vector:
		return b.rows(n.Site+"."+name, a, dtype.F32)
	}
	return b.tensor(n.Site+"."+name, a)
}

// tensor is the operand of a value that a step reads: its buffer, or a section when it is
// constant.
func (b *builder) tensor(name string, v *ir.Value) (*bundlepb.Operand, error) {
	if b.constant[v.ID] {
		return b.rows(name, v, dtype.F32)
	}
	return b.read(v), nil
}

// tensors are the operands of the first arguments of a node.
func (b *builder) tensors(n *ir.Node, count int) ([]*bundlepb.Operand, error) {
	var args []*bundlepb.Operand
	for _, a := range n.Args[:count] {
		operand, err := b.tensor(n.Site+".constant", a)
		if err != nil {
			return nil, err
		}
		args = append(args, operand)
	}
	return args, nil
}

// input makes a buffer that is written before the first step, wherever its node stands.
func (b *builder) input(n *ir.Node) {
	i := b.newBuffer(n.Result(), -1)
	b.live[i].First = 0
	b.port(&b.program.Inputs, n.Str("name"), i)
}

// view gives the result of a node the memory of its argument.
func (b *builder) view(n *ir.Node) error {
	from, to := n.Args[0].Type, n.Result().Type
	if b.constant[n.Args[0].ID] {
		return fmt.Errorf("the CPU engine has no kernel for %s of a constant", n.Op)
	}
	if padded := device.RowPitch(from.DType, 1) > 1; padded && lastDim(from) != lastDim(to) {
		return fmt.Errorf("the CPU engine cannot view %v as %v: its rows are padded", from, to)
	}
	b.newBuffer(n.Result(), b.buffer[n.Args[0].ID])
	return nil
}

func lastDim(t ir.Type) shape.Dim {
	if len(t.Shape) == 0 {
		return shape.Fixed(1)
	}
	return t.Shape[len(t.Shape)-1]
}

// read is the operand of a buffer, which stays live to the step about to be added.
func (b *builder) read(v *ir.Value) *bundlepb.Operand {
	i := b.buffer[v.ID]
	b.live[b.root[i]].Last = max(b.live[b.root[i]].Last, len(b.program.Steps))
	return bufferOperand(i)
}

func bufferOperand(i int) *bundlepb.Operand {
	return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: uint32(i)}}
}

// step appends the call; its results become buffers, or the state that it wrote.
func (b *builder) step(n *ir.Node, op bundlepb.OpCode, args []*bundlepb.Operand) error {
	s := &bundlepb.Step{Op: op, Site: n.Site, Args: args, Attrs: attrs(n)}
	for _, r := range n.Results {
		if r.Type.State {
			b.state[r.ID] = b.state[n.Args[0].ID]
			continue
		}
		s.Results = append(s.Results, bufferOperand(b.newBuffer(r, -1)))
	}
	b.program.Steps = append(b.program.Steps, s)
	return nil
}

// grouped lowers a float linear of experts.
func (b *builder) grouped(n *ir.Node, op bundlepb.OpCode) error {
	w, err := b.floatTiles(n.Site+".weight", n.Args[2:])
	if err != nil {
		return err
	}
	args, err := b.tensors(n, 2)
	if err != nil {
		return err
	}
	return b.step(n, op, append(args, w))
}

// quantizedForms tell, for ops on int8 weights, how many arguments come before the weights,
// and whether there is one weight for each expert.
var quantizedForms = map[ir.Op]struct {
	op      bundlepb.OpCode
	before  int
	experts bool
}{
	ir.OpQLinear:         {bundlepb.OpCode_QLINEAR, 2, false},
	ir.OpQGroupedLinear:  {bundlepb.OpCode_QGROUPED_LINEAR, 3, true},
	ir.OpW8Linear:        {bundlepb.OpCode_W8LINEAR, 1, false},
	ir.OpW8GroupedLinear: {bundlepb.OpCode_W8GROUPED_LINEAR, 2, true},
}

// quantized lowers a linear on int8 weights: its operands are the arguments before the
// weight, then weight, scales, row sums, and the bias if there is one.
func (b *builder) quantized(n *ir.Node) error {
	form := quantizedForms[n.Op]
	count := 1
	if form.experts {
		count = (len(n.Args) - form.before) / 2
	}
	args, err := b.tensors(n, form.before)
	if err != nil {
		return err
	}
	after := form.before + 2*count
	weight, err := b.int8Tiles(n.Site, n.Args[form.before:form.before+count], n.Args[form.before+count:after])
	if err != nil {
		return err
	}
	args = append(args, weight...)
	for _, bias := range n.Args[after:] {
		operand, err := b.rows(n.Site+".bias", bias, dtype.F32)
		if err != nil {
			return err
		}
		args = append(args, operand)
	}
	return b.step(n, form.op, args)
}

func (b *builder) newState(n *ir.Node) {
	t := n.Result().Type
	b.state[n.Result().ID] = len(b.program.States)
	b.program.States = append(b.program.States, &bundlepb.State{Name: n.Str("name"), Dtype: protoDType(t.DType),
		Heads: t.Shape[0].Coef, Width: t.Shape[1].Coef})
}

func (b *builder) port(ports *[]*bundlepb.Port, name string, buffer int) {
	*ports = append(*ports, &bundlepb.Port{Name: name, Buffer: uint32(buffer)})
}

func (b *builder) outputs() error {
	for _, o := range b.graph.Outputs {
		if b.constant[o.Value.ID] || o.Value.Type.State {
			return fmt.Errorf("output %s is not a tensor of the step", o.Name)
		}
		b.read(o.Value)
		b.port(&b.program.Outputs, o.Name, b.buffer[o.Value.ID])
	}
	return nil
}

func protoDType(t dtype.Type) bundlepb.DType { return bundlepb.DType(t) }

func protoDims(s shape.Shape) []*bundlepb.Dim {
	out := make([]*bundlepb.Dim, len(s))
	for i, d := range s {
		out[i] = &bundlepb.Dim{Coef: d.Coef, Scalar: bundlepb.Scalar(d.Scalar), Div: d.Div}
	}
	return out
}

// attrs are those of the node, by name; the scheme is the compiler's own business.
func attrs(n *ir.Node) []*bundlepb.Attr {
	var out []*bundlepb.Attr
	for _, a := range n.Attrs {
		p := &bundlepb.Attr{Name: a.Name}
		switch {
		case a.Name == "scheme":
			continue
		case a.Kind == ir.IntAttr:
			p.Value = &bundlepb.Attr_I{I: a.Int}
		case a.Kind == ir.FloatAttr:
			p.Value = &bundlepb.Attr_F{F: float64(a.Float)}
		case a.Kind == ir.DTypeAttr:
			p.Value = &bundlepb.Attr_S{S: a.DType.String()}
		default:
			p.Value = &bundlepb.Attr_S{S: a.Str}
		}
		out = append(out, p)
	}
	sortAttrs(out)
	return out
}
