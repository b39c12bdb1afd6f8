package interp

import (
	"fmt"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// Weights supplies the tensors of a checkpoint by name. The interpreter does not keep or
// change what it is given.
type Weights interface {
	Weight(name string) (*tensor.Tensor, error)
}

// Inputs is one step: T tokens with their places, and the L rows whose logits are wanted.
type Inputs struct {
	Tokens    []int32 // [T] vocabulary ids
	Positions []int32 // [T] place of each token in its sequence, from 0
	Sequences []int32 // [T] number of each token's sequence
	Rows      []int32 // [L] indices into the T tokens
}

// Options lets a caller watch or take over the execution of nodes.
type Options struct {
	// Tap is called after every executed node, those inside expansions included (their
	// site is the fused node's), but not for the arguments an expansion receives. A
	// result that is a state is nil. The tensors must not be changed.
	Tap func(n *ir.Node, results []*tensor.Tensor)
	// Override may compute a node of the graph by other means. An argument that is a
	// constant or a state is nil: Constant evaluates the former if it is wanted at all.
	// With ok false the node is interpreted. Constants, sources and the nodes inside
	// expansions are not offered.
	Override func(n *ir.Node, args []*tensor.Tensor) (results []*tensor.Tensor, ok bool, err error)

	rank *member // of several; see RunRanks
}

// Run executes one step of a model and returns the graph's outputs by name. On success
// the rows the step wrote are in st; on failure st is unchanged. A nil st starts empty and
// is dropped. Errors name the op and the site: ids, positions or experts out of range,
// weights that are missing or of another type than the graph states.
func Run(g *ir.Graph, in Inputs, st *State, w Weights, opt Options) (
	map[string]*tensor.Tensor, error) {
	all := map[string][]int32{
		"tokens": in.Tokens, "positions": in.Positions, "sequences": in.Sequences, "rows": in.Rows,
	}
	values := map[string]*tensor.Tensor{}
	for _, n := range g.Nodes {
		if ids, ok := all[n.Str("name")]; ok && n.Op == ir.OpInput {
			values[n.Str("name")] = tensor.FromI32(ids, int64(len(ids)))
		}
	}
	s := newScalars()
	s.set(shape.T, int64(len(in.Tokens)))
	s.set(shape.L, int64(len(in.Rows)))
	return run(g, s, values, st, w, opt)
}

// RunValues is Run for a graph with any inputs; the step scalars follow from the shapes
// of the values.
func RunValues(g *ir.Graph, values map[string]*tensor.Tensor, st *State, w Weights,
	opt Options) (map[string]*tensor.Tensor, error) {
	return run(g, newScalars(), values, st, w, opt)
}

func run(g *ir.Graph, s *scalars, values map[string]*tensor.Tensor, st *State, w Weights,
	opt Options) (map[string]*tensor.Tensor, error) {
	if err := ir.Verify(g); err != nil {
		return nil, err
	}
	inputs, err := bindInputs(g, s, values)
	if err != nil {
		return nil, err
	}
	if st == nil {
		st = NewState()
	}
	m := &machine{weights: w, state: st.Clone(), env: &s.env, tap: opt.Tap, rank: opt.rank}
	f := newFrame(m, g)
	f.override = opt.Override
	for _, n := range inputs {
		f.keep(n.Results[0], cell{tensor: values[n.Str("name")]})
	}
	if err := f.run(); err != nil {
		return nil, err
	}
	outputs, err := f.outputs()
	if err != nil {
		return nil, err
	}
	*st = *m.state
	return outputs, nil
}

// Eval executes one op on given tensors. declared states the result types of ops that do
// not infer them (reshape); ops over states need a graph.
func Eval(op ir.Op, args []*tensor.Tensor, attrs []ir.Attr, declared []ir.Type) (
	[]*tensor.Tensor, error) {
	b := ir.NewBuilder("eval")
	values := map[string]*tensor.Tensor{}
	operands := make([]*ir.Value, len(args))
	for i, t := range args {
		name := fmt.Sprint(i)
		values[name] = t
		operands[i] = b.Input(name, ir.Tensor(t.DType, shape.Make(t.Shape...)))
	}
	results := b.AddTyped(op, "", declared, operands, attrs...)
	for i, v := range results {
		b.Output(fmt.Sprint(i), v)
	}
	g, err := b.Finish()
	if err != nil {
		return nil, err
	}
	outputs, err := RunValues(g, values, nil, nil, Options{})
	if err != nil {
		return nil, err
	}
	out := make([]*tensor.Tensor, len(results))
	for i := range out {
		out[i] = outputs[fmt.Sprint(i)]
	}
	return out, nil
}

// Constant evaluates a value that is computed from weights alone.
func Constant(v *ir.Value, w Weights) (*tensor.Tensor, error) {
	m := &machine{weights: w, env: &shape.Env{}}
	c, err := m.constant(v, map[*ir.Node][]cell{})
	return c.tensor, err
}

func (m *machine) constant(v *ir.Value, done map[*ir.Node][]cell) (cell, error) {
	if results := done[v.Def]; results != nil {
		return results[v.Index], nil
	}
	if v.Def.Op != ir.OpWeight && (!v.Def.Op.OnWeights() || len(v.Def.Args) == 0) {
		return cell{}, fmt.Errorf("%s at %q is not computed from weights alone", v.Def.Op,
			v.Def.Site)
	}
	args := make([]cell, len(v.Def.Args))
	for i, a := range v.Def.Args {
		var err error
		if args[i], err = m.constant(a, done); err != nil {
			return cell{}, err
		}
	}
	results, err := m.execute(v.Def, args)
	if err != nil {
		return cell{}, place(v.Def, err)
	}
	done[v.Def] = results
	return results[v.Index], nil
}

// weight fetches a tensor of the checkpoint and checks that it is what the graph states.
func (m *machine) weight(n *ir.Node) (*tensor.Tensor, error) {
	name := n.Str("name")
	if m.weights == nil {
		return nil, fmt.Errorf("weight %q is wanted but no weights were given", name)
	}
	t, err := m.weights.Weight(name)
	if err != nil {
		return nil, fmt.Errorf("weight %q: %w", name, err)
	}
	if err := fits(t, n.Results[0].Type, m.env); err != nil {
		return nil, fmt.Errorf("weight %q %w", name, err)
	}
	return t, nil
}

// held reports whether a tensor can hold elements of d.
func held(d dtype.Type) bool { return d.Float() || d == dtype.I32 || d == dtype.I8 }
