package models

import (
	"fmt"
	"strconv"

	"moge/formats/hf"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// net is a model being built: the graph so far, what every block needs, and how the tensors
// asked for compare with the checkpoint's.
type net struct {
	*ir.Builder
	dims
	family  *family
	cfg     *hf.Config
	tensors Tensors // nil: every tensor is taken to be there

	weights  map[string]*ir.Value // by name; one node however often a tensor is read
	specs    []TensorSpec         // in the order of first reading
	missing  []string
	problems []string
	routed   int64 // elements of all routed experts

	chosen []ir.Output // the expert ids of each layer, [T,K]

	positions, sequences *ir.Value // i32[T]
	cos, sin             *ir.Value // [T,headDim/2]
}

func newNet(f *family, cfg *hf.Config, d dims, t Tensors) *net {
	return &net{Builder: ir.NewBuilder(f.name), dims: d, family: f, cfg: cfg, tensors: t,
		weights: map[string]*ir.Value{}}
}

// tokens is the shape of a matrix with one row a token.
func tokens(inner ...int64) shape.Shape { return shape.Rows(shape.Of(shape.T), inner...) }

// weight is the tensor of that name, which must have that shape.
func (n *net) weight(name string, dims ...int64) *ir.Value {
	if w := n.weights[name]; w != nil {
		return w
	}
	d := n.check(name, dims)
	w := n.Weight(name, d, dims...)
	n.weights[name] = w
	n.specs = append(n.specs, TensorSpec{Name: name, DType: d, Shape: dims})
	return w
}

// check compares a tensor with the checkpoint's and gives the type to build on with.
func (n *net) check(name string, want []int64) dtype.Type {
	if n.tensors == nil {
		return n.dtype
	}
	d, dims, ok := n.tensors.Lookup(name)
	switch {
	case !ok:
		n.missing = append(n.missing, name)
		n.problem("tensor %s is missing", name)
		return n.dtype
	case !d.Float():
		n.problem("%s is of %v, want f32, f16 or bf16", name, d)
		return n.dtype
	case !shape.Make(dims...).Equal(shape.Make(want...)):
		n.problem("%s is %v, want %v", name, shape.Make(dims...), shape.Make(want...))
	}
	return d
}

func (n *net) problem(format string, args ...any) {
	n.problems = append(n.problems, fmt.Sprintf(format, args...))
}

// linear is x [rows,in] times the tensor weight [out,in] of a module, plus its bias if it has one.
func (n *net) linear(site, module string, x *ir.Value, in, out int64, bias bool) *ir.Value {
	args := []*ir.Value{x, n.weight(module+".weight", out, in)}
	if bias {
		args = append(args, n.weight(module+".bias", out))
	}
	return n.Op1(ir.OpLinear, site, args...)
}

// norm is RMSNorm over the last dimension of x, which has width elements.
func (n *net) norm(site, module string, x *ir.Value, width int64) *ir.Value {
	w := n.weight(module+".weight", width)
	return n.Add(ir.OpRMSNorm, site, []*ir.Value{x, w}, ir.Float("eps", n.eps))[0]
}

// definition appends what fused op stands for, so that passes can recognise it.
func (n *net) definition(op ir.Op, site string, args []*ir.Value, attrs ...ir.Attr) []*ir.Value {
	return n.Expand(&ir.Node{Op: op, Site: site, Attrs: attrs}, args)
}

// layerSite names a layer in the graph, layerModule in the checkpoint.
func layerSite(layer int) string { return "layers." + strconv.Itoa(layer) }

func layerModule(layer int) string { return "model.layers." + strconv.Itoa(layer) }
