package ir

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"moge/ir/dtype"
	"moge/ir/shape"
)

var dimPool = []shape.Dim{shape.Fixed(0), shape.Fixed(1), shape.Fixed(2), shape.Fixed(3),
	shape.Fixed(4),
	shape.Fixed(1 << 62), shape.Of(shape.T), shape.Of(shape.L), {Coef: 2, Scalar: shape.T, Div: 1},
	{Coef: 2, Scalar: shape.T, Div: 2}, {Coef: 0, Scalar: shape.T, Div: 1}}

func randomType(r *rand.Rand) Type {
	types := []dtype.Type{dtype.F32, dtype.F32, dtype.I32, dtype.I8, dtype.BF16, dtype.I4}
	t := Type{DType: types[r.IntN(len(types))]}
	if r.IntN(8) == 0 { // as state_c3 and state_c4 have it
		return Type{DType: dtype.F16, Shape: shape.Make(r.Int64N(3), r.Int64N(3)), State: true}
	}
	for range r.IntN(4) {
		t.Shape = append(t.Shape, dimPool[r.IntN(len(dimPool))])
	}
	return t
}

// disturbed copies arguments, changing a dimension here and there.
func disturbed(r *rand.Rand, args []*Value) []*Value {
	out := make([]*Value, len(args))
	for i, a := range args {
		typ := a.Type
		typ.Shape = append(shape.Shape{}, typ.Shape...)
		for d := range typ.Shape {
			if !typ.State && r.IntN(8) == 0 {
				typ.Shape[d] = dimPool[r.IntN(len(dimPool))]
			}
		}
		out[i] = &Value{ID: i, Type: typ}
	}
	return out
}

func randomAttrs(r *rand.Rand, row *opRow) []Attr {
	var attrs []Attr
	for _, spec := range row.attrs {
		if spec.optional && r.IntN(2) == 0 {
			continue
		}
		attrs = append(attrs, Attr{Name: spec.name, Kind: spec.kind, Int: int64(r.IntN(5) - 1),
			Float: float32(r.IntN(3)) / 2, Str: "x", DType: dtype.F32})
	}
	return attrs
}

// Type rules answer any arguments without a panic, types they give are valid, and what
// they accept of a fused op expands.
func TestTypeRulesOnRandomNodes(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	examples := map[Op]*Node{}
	spec, _ := readSpec(t)
	for i, op := range Ops() {
		g, err := Parse(spec[i].name, exampleGraph(spec[i]))
		if err != nil {
			t.Fatal(err)
		}
		examples[op] = g.Nodes[len(g.Nodes)-1]
	}
	accepted := map[Op]int{}
	for range 100000 {
		op := Ops()[r.IntN(len(Ops()))]
		row, b := op.row(), NewBuilder("random")
		args := make([]*Value, row.minArgs+r.IntN(2))
		for i := range args {
			args[i] = &Value{ID: i, Type: randomType(r)}
		}
		if r.IntN(2) == 0 {
			args = disturbed(r, examples[op].Args)
		}
		declared := make([]Type, row.results)
		for i := range declared {
			declared[i] = randomType(r)
		}
		node := &Node{Op: op, Args: args, Attrs: randomAttrs(r, row)}
		if checkForm(node, len(declared)) != nil {
			continue
		}
		types, err := row.infer(node, declared)
		if err != nil {
			continue
		}
		accepted[op]++
		checkAccepted(t, b, node, types)
	}
	for _, op := range Ops() {
		if accepted[op] == 0 {
			t.Errorf("no random %v was accepted: the test is blind to it", op)
		}
	}
}

func checkAccepted(t *testing.T, b *Builder, n *Node, types []Type) {
	t.Helper()
	for i, typ := range types {
		if len(typ.Shape) > 0 {
			if again, err := ParseType(typ.String()); err != nil || !again.Equal(typ) {
				t.Errorf("result %d of %s is %v: %v", i, Format(n), typ, err)
			}
		}
	}
	if !n.Op.Fused() {
		return
	}
	params := make([]*Value, len(n.Args))
	for i, a := range n.Args {
		params[i] = b.Input(fmt.Sprint(i), a.Type)
	}
	if b.Err() != nil {
		return // a type that no source can have
	}
	results := b.Expand(n, params)
	if err := b.Err(); err != nil {
		t.Errorf("%s of %v: %v", Format(n), params, err)
		return
	}
	for i, typ := range types {
		if !results[i].Type.Equal(typ) {
			t.Errorf("%s expands to %v, want %v", Format(n), results[i].Type, typ)
		}
	}
}
