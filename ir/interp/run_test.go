package interp

import (
	"fmt"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// reads records the weights that were asked for.
type reads struct {
	checkpoint
	names []string
}

func (r *reads) Weight(name string) (*tensor.Tensor, error) {
	r.names = append(r.names, name)
	return r.checkpoint.Weight(name)
}

// quantized is x[T,2] → quantize → qlinear with a weight quantized by the graph, then a
// linear of its own weight.
func quantized(t *testing.T) (*ir.Graph, *reads) {
	t.Helper()
	b := ir.NewBuilder("quantized")
	x := b.Input("x", ir.Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), 2)))
	cast := []*ir.Value{b.Weight("a", dtype.BF16, 2, 2)}
	w := b.Add(ir.OpCast, "a", cast, ir.DType("to", dtype.F32))[0]
	wq := b.Add(ir.OpQuantizeWeight, "a", []*ir.Value{w})
	xq := b.Add(ir.OpQuantize, "a", []*ir.Value{x})
	y := b.Op1(ir.OpQLinear, "a", xq[0], xq[1], wq[0], wq[1])
	b.Output("y", b.Op1(ir.OpLinear, "b", y, b.Weight("b", dtype.F32, 1, 2)))
	b.Output("c", b.Weight("c", dtype.F32, 1))
	b.Weight("unused", dtype.F32, 1)
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g, &reads{checkpoint: checkpoint{
		"a": typed(f(d(2, 2), 127, 0, 0, 127), dtype.BF16), "b": f(d(1, 2), 1, 2), "c": f(d(1), 9),
	}}
}

func TestTapSeesIntegersInsideExpansions(t *testing.T) {
	g, w := quantized(t)
	seen := map[string]*tensor.Tensor{}
	var order []string
	tap := func(n *ir.Node, results []*tensor.Tensor) {
		order = append(order, n.Op.String())
		seen[n.Op.String()+"@"+n.Site] = results[0]
	}
	x := map[string]*tensor.Tensor{"x": f(d(1, 2), 127, -2)}
	out, err := RunValues(g, x, nil, w, Options{Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]*tensor.Tensor{
		"quantize@a": b(d(1, 2), 127, -2),
		"dot_i8@a":   i(d(1, 2), 127*127, -2*127),
		"qlinear@a":  f(d(1, 2), 127*127, -2*127),
	} {
		if seen[at] == nil {
			t.Errorf("%s was not shown", at)
		} else if diff := tensor.Diff(seen[at], want); diff != "" {
			t.Errorf("%s: %s", at, diff)
		}
	}
	want := []string{"quantize", "weight", "cast", "quantize_weight",
		"dot_i8", "cast", "reshape", "mul", "reshape", "mul", "qlinear", "weight", "linear",
		"weight"}
	if !slices.Equal(order, want) {
		t.Errorf("executed %v, want %v", order, want)
	}
	if out["y"].F32[0] != 127*127-4*127 || out["c"].F32[0] != 9 {
		t.Errorf("outputs are %v and %v", out["y"].F32, out["c"].F32)
	}
	if !slices.Equal(w.names, []string{"a", "b", "c"}) {
		t.Errorf("weights read: %v", w.names)
	}
}

func TestOverrideReplacesANodeWithoutItsWeights(t *testing.T) {
	g, w := quantized(t)
	var offered []string
	replace := func(n *ir.Node, args []*tensor.Tensor) ([]*tensor.Tensor, bool, error) {
		offered = append(offered, n.Op.String())
		if n.Op != ir.OpQLinear {
			return nil, false, nil
		}
		if args[0] == nil || args[1] == nil || args[2] != nil || args[3] != nil {
			return nil, false, fmt.Errorf("arguments are %v", args)
		}
		return list{f(d(1, 2), 3, 4)}, true, nil
	}
	x := map[string]*tensor.Tensor{"x": f(d(1, 2), 1, 1)}
	out, err := RunValues(g, x, nil, w, Options{Override: replace})
	if err != nil {
		t.Fatal(err)
	}
	if out["y"].F32[0] != 11 {
		t.Errorf("y is %v, want 3 + 2·4", out["y"].F32)
	}
	if !slices.Equal(w.names, []string{"b", "c"}) {
		t.Errorf("weights read: %v", w.names)
	}
	if !slices.Equal(offered, []string{"quantize", "qlinear", "linear"}) {
		t.Errorf("offered %v", offered)
	}
}

func TestOverrideErrors(t *testing.T) {
	x := map[string]*tensor.Tensor{"x": f(d(1, 2), 1, 1)}
	for _, c := range []struct {
		results list
		err     error
		want    string
	}{
		{nil, fmt.Errorf("disk full"), `linear at "b": disk full`},
		{nil, nil, `linear at "b": the override gave 0 results, want 1`},
		{list{f(d(1, 2), 1, 1)}, nil, `linear at "b": result 0 of the override is f32[1,2], want f32[T,1]`},
		{list{nil}, nil, `linear at "b": result 0 of the override is missing`},
		{list{{DType: dtype.F32, Shape: d(1, 1)}}, nil,
			`linear at "b": result 0 of the override is malformed: f32[1,1] holds 0 elements`},
	} {
		g, w := quantized(t)
		replace := func(n *ir.Node, _ []*tensor.Tensor) ([]*tensor.Tensor, bool, error) {
			return c.results, n.Op == ir.OpLinear, onlyAt(n, c.err)
		}
		if _, err := RunValues(g, x, nil, w,
			Options{Override: replace}); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func onlyAt(n *ir.Node, err error) error {
	if n.Op == ir.OpLinear {
		return err
	}
	return nil
}

func TestRunValuesErrors(t *testing.T) {
	x := f(d(1, 2), 1, 1)
	for _, c := range []struct {
		in   map[string]*tensor.Tensor
		w    Weights
		want string
	}{
		{nil, nil, `input "x" is missing`},
		{map[string]*tensor.Tensor{"x": x, "y": x}, nil, `2 inputs are given, the graph has 1`},
		{map[string]*tensor.Tensor{"x": f(d(2), 1, 1)}, nil, `input "x" is f32[2], want f32[T,2]`},
		{map[string]*tensor.Tensor{"x": i(d(1, 2), 1, 1)}, nil,
			`input "x" is i32[1,2], want f32[T,2]`},
		{map[string]*tensor.Tensor{"x": x}, nil,
			`qlinear at "a": quantize_weight at "a": cast at "a": ` +
				`weight "a" is wanted but no weights were given`},
		{map[string]*tensor.Tensor{"x": x}, checkpoint{},
			`qlinear at "a": quantize_weight at "a": cast at "a": ` +
				`weight "a": is not in the checkpoint`},
		{map[string]*tensor.Tensor{"x": x}, checkpoint{"a": f(d(2, 2), 1, 2, 3, 4)},
			`qlinear at "a": quantize_weight at "a": cast at "a": weight "a" is f32[2,2], want bf16[2,2]`},
	} {
		g, _ := quantized(t)
		if _, err := RunValues(g, c.in, nil, c.w, Options{}); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestScalarsFollowFromShapes(t *testing.T) {
	b := ir.NewBuilder("scalars")
	x := b.Input("x", ir.Tensor(dtype.F32, shape.Shape{{Coef: 4, Scalar: shape.T, Div: 1}}))
	y := b.Input("y", ir.Tensor(dtype.F32, shape.Shape{{Coef: 2, Scalar: shape.T, Div: 3}}))
	b.Output("x", x)
	b.Output("y", y)
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	zeros := func(n int64) *tensor.Tensor { return tensor.New(dtype.F32, n) }
	for _, c := range []struct {
		x, y int64
		want string
	}{
		{16, 4, "<nil>"}, {0, 0, "<nil>"},
		{15, 4, `input "x" is f32[15], want f32[4*T]`},
		{16, 2, `input "y" is f32[2], want f32[2*ceil(T/3)]`},
	} {
		_, err := RunValues(g, map[string]*tensor.Tensor{"x": zeros(c.x), "y": zeros(c.y)}, nil,
			nil, Options{})
		if fmt.Sprint(err) != c.want {
			t.Errorf("%d and %d: %v, want %s", c.x, c.y, err, c.want)
		}
	}
}

func TestUnknownScalarIsRefused(t *testing.T) {
	text := "moge.ir 1\ngraph \"g\"\n%0 = input() {name=\"y\"} : f32[0*T]\noutput \"y\" = %0\n"
	g, err := ir.Parse("g", text)
	if err != nil {
		t.Fatal(err)
	}
	_, err = RunValues(g, map[string]*tensor.Tensor{"y": tensor.New(dtype.F32, 0)}, nil, nil,
		Options{})
	if want := "no input tells the value of T"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestConstant(t *testing.T) {
	g, w := quantized(t)
	for _, n := range g.Nodes {
		switch n.Op {
		case ir.OpQuantizeWeight:
			for at, want := range (list{b(d(2, 2), 127, 0, 0, 127), f(d(2), 1, 1)}) {
				got, err := Constant(n.Results[at], w)
				if err != nil {
					t.Fatal(err)
				}
				if diff := tensor.Diff(got, want); diff != "" {
					t.Error(diff)
				}
			}
		case ir.OpQLinear:
			_, err := Constant(n.Result(), w)
			if want := `qlinear at "a" is not computed from weights alone`; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

// A value dies with its last use, and a constant nobody needs lets go of its sources.
func TestValuesAreFreed(t *testing.T) {
	g, w := quantized(t)
	m := &machine{weights: w, state: NewState(), env: &shape.Env{shape.T: 1}}
	fr := newFrame(m, g)
	fr.keep(g.Nodes[0].Result(), cell{tensor: f(d(1, 2), 1, 1)})
	if err := fr.run(); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		for _, r := range n.Results {
			output := slices.ContainsFunc(g.Outputs, func(o ir.Output) bool { return o.Value == r })
			if !output && (fr.uses[r.ID] != 0 || !fr.cells[r.ID].empty()) {
				t.Errorf("%s is kept after its %d remaining uses", ir.Format(n), fr.uses[r.ID])
			}
		}
	}
}

func TestOutputsMustBeTensors(t *testing.T) {
	b := ir.NewBuilder("state")
	b.Output("s", b.State("s", dtype.F32, 1, 1))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, err = RunValues(g, nil, nil, nil, Options{})
	if want := `output "s" is a state, not a tensor`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestHostileDimensionsAreRefused(t *testing.T) {
	text := "moge.ir 1\ngraph \"g\"\n%0 = input() {name=\"x\"} : f32[T,0]\n" +
		"%1 = weight() {name=\"w\"} : f32[4611686018427387904,0]\n" +
		"%2 = linear(%0, %1) : f32[T,4611686018427387904]\noutput \"y\" = %2\n"
	g, err := ir.Parse("g", text)
	if err != nil {
		t.Fatal(err)
	}
	huge := checkpoint{"w": {DType: dtype.F32, Shape: d(1<<62, 0)}}
	_, err = RunValues(g, map[string]*tensor.Tensor{"x": tensor.New(dtype.F32, 3, 0)}, nil, huge,
		Options{})
	if err == nil {
		t.Fatal("a result of 2^62 columns was allocated")
	}
	want := `linear: weight "w" is malformed: shape [4611686018427387904 0] has more than 2^40 elements`
	if err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
