package interp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// examples are the graphs of ../SPEC.md, each ending in the op it illustrates.
func examples(t *testing.T) []*ir.Graph {
	t.Helper()
	raw, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	var graphs []*ir.Graph
	for k, part := range strings.Split(string(raw), "\n```\n") {
		if !strings.HasPrefix(part, "%0 = ") {
			continue
		}
		g, err := ir.Parse(fmt.Sprint(k), "moge.ir 1\ngraph \"example\"\n"+part+"\n")
		if err != nil {
			t.Fatal(err)
		}
		last := g.Nodes[len(g.Nodes)-1]
		for _, r := range last.Results {
			if !r.Type.State {
				g.Outputs = append(g.Outputs, ir.Output{Name: fmt.Sprint(r.Index), Value: r})
			}
		}
		graphs = append(graphs, g)
	}
	if len(graphs) != len(ir.Ops()) {
		t.Fatalf("%d examples for %d ops", len(graphs), len(ir.Ops()))
	}
	return graphs
}

// anything fills tensors with small integers, and now and then what should not be there.
type anything struct{ r *rand.Rand }

func (a anything) of(d dtype.Type, dims []int64) *tensor.Tensor {
	t := tensor.New(d, dims...)
	wild := []float32{nan, inf, -inf, 0, 1e-40, 3e38}
	for k := range t.F32 {
		if t.F32[k] = float32(a.r.IntN(9) - 4); a.r.IntN(6) == 0 {
			t.F32[k] = tensor.Round(d, wild[a.r.IntN(len(wild))])
		}
	}
	for k := range t.I32 {
		if t.I32[k] = int32(a.r.IntN(2)); a.r.IntN(40) == 0 {
			t.I32[k] = int32(a.r.Uint32())
		}
	}
	for k := range t.I8 {
		t.I8[k] = int8(a.r.Uint32())
	}
	return t
}

type anyWeights struct {
	anything
	g *ir.Graph
}

func (w anyWeights) Weight(name string) (*tensor.Tensor, error) {
	for _, n := range w.g.Nodes {
		if n.Op == ir.OpWeight && n.Str("name") == name {
			return w.of(n.Result().Type.DType, n.Result().Type.Shape.Ints()), nil
		}
	}
	return nil, fmt.Errorf("is unknown")
}

// Whatever the elements, a step gives results of the stated types or an error.
func TestNoInputPanics(t *testing.T) {
	a := anything{rand.New(rand.NewPCG(7, 7))}
	for _, g := range examples(t) {
		last := g.Nodes[len(g.Nodes)-1]
		succeeded := false
		for round := range 60 {
			env := shape.Env{shape.T: int64(round % 4), shape.L: int64(round % 3)}
			values := map[string]*tensor.Tensor{}
			for _, n := range g.Nodes {
				if n.Op == ir.OpInput {
					typ := n.Result().Type
					values[n.Str("name")] = a.of(typ.DType, typ.Shape.Eval(&env))
				}
			}
			if offsets := values["offsets"]; offsets != nil && round%2 == 0 {
				clear(offsets.I32)
				offsets.I32[offsets.Len()-1] = int32(8 * env[shape.T]) // all rows are the last expert's
			}
			out, err := onAllRanks(g, values, anyWeights{a, g})
			succeeded = succeeded || err == nil
			for _, o := range g.Outputs {
				if err == nil && fits(out[o.Name], o.Value.Type, &env) != nil {
					t.Errorf("%v gave %v, want %v", last.Op, out[o.Name], o.Value.Type)
				}
			}
		}
		if !succeeded {
			t.Errorf("%v failed whatever its input", last.Op)
		}
	}
}
