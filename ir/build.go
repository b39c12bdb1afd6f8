package ir

import (
	"fmt"

	"moge/ir/dtype"
	"moge/ir/shape"
)

// Builder appends nodes to a graph. It keeps the first error and goes on, so that code
// which builds a model stays readable; Err tells at the end.
type Builder struct {
	Graph *Graph
	err   error
}

// NewBuilder starts an empty graph.
func NewBuilder(name string) *Builder { return &Builder{Graph: &Graph{Name: name}} }

// Err is the first error met.
func (b *Builder) Err() error { return b.err }

// Fail records an error of the caller, to be reported by Err.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Add appends a node whose result types are inferred.
func (b *Builder) Add(op Op, site string, args []*Value, attrs ...Attr) []*Value {
	return b.AddTyped(op, site, nil, args, attrs...)
}

// AddTyped appends a node; declared gives the result types of ops that state them.
func (b *Builder) AddTyped(op Op, site string, declared []Type, args []*Value, attrs ...Attr) []*Value {
	n := &Node{Op: op, Args: args, Site: site}
	for _, a := range attrs {
		n.SetAttr(a)
	}
	types, err := b.infer(n, declared)
	if err != nil {
		b.Fail(fmt.Errorf("%s at %q: %w", op, site, err))
		types = fallbackTypes(op.row().results)
	}
	for i, t := range types {
		n.Results = append(n.Results, &Value{ID: b.Graph.nextID, Type: t, Def: n, Index: i})
		b.Graph.nextID++
	}
	b.Graph.Nodes = append(b.Graph.Nodes, n)
	return n.Results
}

func (b *Builder) infer(n *Node, declared []Type) ([]Type, error) {
	if b.err != nil {
		return nil, b.err
	}
	if err := checkForm(n, len(declared)); err != nil {
		return nil, err
	}
	return n.Op.row().infer(n, declared)
}

// fallbackTypes lets building go on after an error; the graph is never used.
func fallbackTypes(count int) []Type {
	types := make([]Type, count)
	for i := range types {
		types[i] = Tensor(dtype.F32, shape.Make(1))
	}
	return types
}

// Output names a result of the graph.
func (b *Builder) Output(name string, v *Value) {
	b.Graph.Outputs = append(b.Graph.Outputs, Output{name, v})
}

// Finish verifies the graph and returns it.
func (b *Builder) Finish() (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	if err := Verify(b.Graph); err != nil {
		return nil, err
	}
	return b.Graph, nil
}

// Input declares a tensor the runtime supplies.
func (b *Builder) Input(name string, t Type) *Value {
	return b.AddTyped(OpInput, "", []Type{t}, nil, Str("name", name))[0]
}

// Weight declares a tensor of the checkpoint.
func (b *Builder) Weight(name string, d dtype.Type, dims ...int64) *Value {
	return b.AddTyped(OpWeight, "", []Type{Tensor(d, shape.Make(dims...))}, nil, Str("name", name))[0]
}

// State declares a slot of the KV cache with rows [heads,width].
func (b *Builder) State(name string, d dtype.Type, heads, width int64) *Value {
	t := Tensor(d, shape.Make(heads, width))
	t.State = true
	return b.AddTyped(OpState, "", []Type{t}, nil, Str("name", name))[0]
}

// Reshape views x, row-major, under another shape.
func (b *Builder) Reshape(site string, x *Value, s shape.Shape) *Value {
	return b.AddTyped(OpReshape, site, []Type{Tensor(x.Type.DType, s)}, []*Value{x})[0]
}

// Slice takes indices lo ≤ i < hi of one axis.
func (b *Builder) Slice(site string, x *Value, axis int, lo, hi int64) *Value {
	return b.Add(OpSlice, site, []*Value{x}, Int("axis", int64(axis)), Int("lo", lo), Int("hi", hi))[0]
}

// Op1 appends a node with one result and returns it.
func (b *Builder) Op1(op Op, site string, args ...*Value) *Value {
	return b.Add(op, site, args)[0]
}
