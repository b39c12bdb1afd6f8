package interp

import (
	"fmt"
	"slices"

	"moge/ir"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// scalars are the step scalars whose values are known.
type scalars struct {
	env   shape.Env
	known []bool // by shape.Scalar
}

func newScalars() *scalars {
	s := &scalars{}
	s.known = make([]bool, len(s.env))
	s.known[shape.None] = true
	return s
}

func (s *scalars) set(name shape.Scalar, v int64) { s.env[name], s.known[name] = v, true }

// bindInputs finds the graph's inputs, lets their shapes settle the scalars that are not
// known yet, and checks every shape.
func bindInputs(g *ir.Graph, s *scalars, values map[string]*tensor.Tensor) ([]*ir.Node, error) {
	var inputs []*ir.Node
	for _, n := range g.Nodes {
		if n.Op != ir.OpInput {
			continue
		}
		if values[n.Str("name")] == nil {
			return nil, fmt.Errorf("input %q is missing", n.Str("name"))
		}
		inputs = append(inputs, n)
	}
	for _, exact := range []bool{true, false} {
		for _, n := range inputs {
			s.learn(n.Results[0].Type.Shape, values[n.Str("name")].Shape, exact)
		}
	}
	if len(inputs) != len(values) {
		return nil, fmt.Errorf("%d inputs are given, the graph has %d", len(values), len(inputs))
	}
	if err := s.complete(g); err != nil {
		return nil, err
	}
	for _, n := range inputs {
		if err := fits(values[n.Str("name")], n.Results[0].Type, &s.env); err != nil {
			return nil, fmt.Errorf("input %q %w", n.Str("name"), err)
		}
	}
	return inputs, nil
}

// learn settles scalars that appear as c·S or, unless exact, as c·ceil(S/d): then the largest that
// fits. Whether the rest agrees is checked later.
func (s *scalars) learn(dims shape.Shape, sizes []int64, exact bool) {
	for i, d := range dims {
		if i < len(sizes) && !s.known[d.Scalar] && (d.Div == 1 || !exact) && d.Coef > 0 {
			s.set(d.Scalar, sizes[i]/d.Coef*d.Div)
		}
	}
}

// complete checks that every scalar the graph uses is known.
func (s *scalars) complete(g *ir.Graph) error {
	for _, n := range g.Nodes {
		for _, r := range n.Results {
			for _, d := range r.Type.Shape {
				if !s.known[d.Scalar] {
					return fmt.Errorf("no input tells the value of %v", d.Scalar)
				}
			}
		}
	}
	return nil
}

// dims gives every dimension its value, refusing what leaves int64.
func dims(s shape.Shape, env *shape.Env) ([]int64, error) {
	out := make([]int64, len(s))
	for i, d := range s {
		count := int64(1)
		if !d.IsFixed() {
			count = (env[d.Scalar] + d.Div - 1) / d.Div
		}
		if count != 0 && d.Coef > maxDim/count {
			return nil, fmt.Errorf("dimension %v is %d times %d: too large", d, d.Coef, count)
		}
		out[i] = d.Coef * count
	}
	return out, nil
}

const maxDim = 1 << 40

// fits checks a tensor from outside against the type the graph states; the message
// continues the name of the tensor.
func fits(t *tensor.Tensor, want ir.Type, env *shape.Env) error {
	if t == nil {
		return fmt.Errorf("is missing")
	}
	if err := t.Check(); err != nil {
		return fmt.Errorf("is malformed: %w", err)
	}
	size, err := dims(want.Shape, env)
	if err != nil {
		return err
	}
	if want.State || t.DType != want.DType || !slices.Equal(t.Shape, size) {
		return fmt.Errorf("is %v, want %v", t, want)
	}
	return nil
}
