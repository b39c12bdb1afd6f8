package interp

import (
	"fmt"

	"moge/ir"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// machine is what all frames of one run share.
type machine struct {
	weights Weights
	state   *State // this run's copy, published when the run succeeds
	env     *shape.Env
	tap     func(*ir.Node, []*tensor.Tensor)
	rank    *member // nil for a program alone
}

// cell is what a value holds: a tensor, or the rows of a state.
type cell struct {
	tensor *tensor.Tensor
	slot   *slot
}

func (c cell) empty() bool { return c.tensor == nil && c.slot == nil }

// frame executes one graph. A value lives from its definition to its last use; a constant
// is evaluated when it is first needed.
type frame struct {
	m        *machine
	g        *ir.Graph
	cells    []cell // by value ID
	uses     []int  // by value ID, readers still to come
	constant []bool // by value ID
	done     []bool // by ID of a constant node's first result: evaluated, or never needed
	override func(*ir.Node, []*tensor.Tensor) ([]*tensor.Tensor, bool, error)
}

func newFrame(m *machine, g *ir.Graph) *frame {
	f := &frame{m: m, g: g, cells: make([]cell, g.Values()), uses: g.Uses(),
		constant: g.Constants(), done: make([]bool, g.Values())}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		f.abandon(g.Nodes[i])
	}
	return f
}

// keep stores a result that somebody will read.
func (f *frame) keep(v *ir.Value, c cell) {
	if f.uses[v.ID] > 0 {
		f.cells[v.ID] = c
	}
}

// release notes that one reader of v is done.
func (f *frame) release(v *ir.Value) {
	f.uses[v.ID]--
	if f.uses[v.ID] == 0 {
		f.cells[v.ID] = cell{}
		f.abandon(v.Def)
	}
}

// abandon lets a constant that was not evaluated and has no readers release its arguments.
func (f *frame) abandon(n *ir.Node) {
	first := n.Results[0].ID
	if !f.constant[first] || f.done[first] {
		return
	}
	for _, r := range n.Results {
		if f.uses[r.ID] > 0 {
			return
		}
	}
	f.done[first] = true
	for _, a := range n.Args {
		f.release(a)
	}
}

func (f *frame) run() error {
	for _, n := range f.g.Nodes {
		if n.Op == ir.OpInput || f.constant[n.Results[0].ID] {
			continue
		}
		if err := f.step(n); err != nil {
			return err
		}
	}
	return nil
}

// step executes a node and stores its results.
func (f *frame) step(n *ir.Node) error {
	results, err := f.overridden(n)
	if err == nil && results == nil {
		results, err = f.interpret(n)
	}
	if err != nil {
		return place(n, err)
	}
	for i, r := range n.Results {
		f.keep(r, results[i])
	}
	f.done[n.Results[0].ID] = true
	for _, a := range n.Args {
		f.release(a)
	}
	return nil
}

// overridden offers a node to the caller; nil results mean that it is to be interpreted.
func (f *frame) overridden(n *ir.Node) ([]cell, error) {
	if f.override == nil || len(n.Args) == 0 || f.constant[n.Results[0].ID] {
		return nil, nil
	}
	args := make([]*tensor.Tensor, len(n.Args))
	for i, a := range n.Args {
		if !f.constant[a.ID] {
			args[i] = f.cells[a.ID].tensor
		}
	}
	results, ok, err := f.override(n, args)
	if err != nil || !ok {
		return nil, err
	}
	if len(results) != len(n.Results) {
		return nil, fmt.Errorf("the override gave %d results, want %d", len(results),
			len(n.Results))
	}
	cells := make([]cell, len(results))
	for i, t := range results {
		if err := fits(t, n.Results[i].Type, f.m.env); err != nil {
			return nil, fmt.Errorf("result %d of the override %w", i, err)
		}
		cells[i].tensor = t
	}
	f.m.show(n, cells)
	return cells, nil
}

func (f *frame) interpret(n *ir.Node) ([]cell, error) {
	args := make([]cell, len(n.Args))
	for i, a := range n.Args {
		var err error
		if args[i], err = f.value(a); err != nil {
			return nil, err
		}
	}
	return f.m.execute(n, args)
}

// value is what v holds; a constant is evaluated now if it was not before.
func (f *frame) value(v *ir.Value) (cell, error) {
	if f.cells[v.ID].empty() {
		if !f.constant[v.ID] {
			panic("BUG: read of a value that was freed: " + ir.Format(v.Def))
		}
		if err := f.step(v.Def); err != nil {
			return cell{}, err
		}
	}
	return f.cells[v.ID], nil
}

func (f *frame) outputs() (map[string]*tensor.Tensor, error) {
	out := map[string]*tensor.Tensor{}
	for _, o := range f.g.Outputs {
		c, err := f.value(o.Value)
		if err != nil {
			return nil, err
		}
		if c.tensor == nil {
			return nil, fmt.Errorf("output %q is a state, not a tensor", o.Name)
		}
		out[o.Name] = c.tensor
	}
	return out, nil
}

// execute computes the results of a node from its arguments.
func (m *machine) execute(n *ir.Node, args []cell) ([]cell, error) {
	var results []cell
	var err error
	switch {
	case n.Op == ir.OpWeight:
		results = make([]cell, 1)
		results[0].tensor, err = m.weight(n)
	case n.Op == ir.OpState:
		results = make([]cell, 1)
		results[0].slot, err = m.state.slot(n.Str("name"), n.Results[0].Type)
	case n.Op.Fused():
		results, err = m.expand(n, args)
	default:
		results, err = m.apply(n, args)
	}
	if err != nil {
		return nil, err
	}
	m.show(n, results)
	return results, nil
}

// expand runs the definition of a fused op.
func (m *machine) expand(n *ir.Node, args []cell) ([]cell, error) {
	b := ir.NewBuilder(n.Op.String())
	params := make([]*ir.Value, len(args))
	for i, a := range n.Args {
		params[i] = b.Input(fmt.Sprint(i), a.Type)
	}
	results := b.Expand(n, params)
	for i, v := range results {
		b.Output(fmt.Sprint(i), v)
	}
	g, err := b.Finish()
	if err != nil {
		panic("BUG: expansion of " + n.Op.String() + ": " + err.Error())
	}
	f := newFrame(m, g)
	for i, p := range params {
		f.keep(p, args[i])
	}
	if err := f.run(); err != nil {
		return nil, err
	}
	cells := make([]cell, len(results))
	for i, v := range results {
		if cells[i], err = f.value(v); err != nil {
			return nil, err
		}
	}
	return cells, nil
}

func (m *machine) show(n *ir.Node, results []cell) {
	if m.tap == nil {
		return
	}
	tensors := make([]*tensor.Tensor, len(results))
	for i, c := range results {
		tensors[i] = c.tensor
	}
	m.tap(n, tensors)
}

// place adds op and site to an error; those of sources name themselves.
func place(n *ir.Node, err error) error {
	if n.Op == ir.OpWeight || n.Op == ir.OpState {
		return err
	}
	if n.Site == "" {
		return fmt.Errorf("%s: %w", n.Op, err)
	}
	return fmt.Errorf("%s at %q: %w", n.Op, n.Site, err)
}
