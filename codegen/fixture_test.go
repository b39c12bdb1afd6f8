package codegen_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"moge/codegen"
	"moge/codegen/cpu"
	"moge/codegen/weights"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable/faultfs"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// memory is a checkpoint in memory, row-major bytes by name.
type memory map[string][]byte

func (m memory) ReadAt(name string, dst []byte, off int64) error {
	if m[name] == nil {
		return fmt.Errorf("there is no tensor %s", name)
	}
	copy(dst, m[name][off:])
	return nil
}

// interpreted is a checkpoint as the interpreter reads it, with the types of a graph.
type interpreted struct {
	memory
	graph *ir.Graph
}

func (i interpreted) Weight(name string) (*tensor.Tensor, error) {
	for _, n := range i.graph.Nodes {
		if n.Op == ir.OpWeight && n.Str("name") == name {
			return tensor.FromBytes(n.Result().Type.DType, n.Result().Type.Shape.Ints(), i.memory[name])
		}
	}
	return nil, fmt.Errorf("there is no tensor %s", name)
}

// randomWeights fills every weight of a graph.
func randomWeights(g *ir.Graph) memory {
	r := rand.New(rand.NewPCG(9, 9))
	m := memory{}
	for _, n := range g.Nodes {
		if n.Op != ir.OpWeight {
			continue
		}
		t := tensor.New(n.Result().Type.DType, n.Result().Type.Shape.Ints()...)
		for i := range t.F32 {
			t.F32[i] = tensor.Round(t.DType, float32(r.NormFloat64()))
		}
		m[n.Str("name")] = append([]byte{}, t.Bytes()...)
	}
	return m
}

// smallGraph has weights of every layout, some larger than a unit of work.
func smallGraph(t testing.TB) *ir.Graph {
	t.Helper()
	b := ir.NewBuilder("small")
	tokens := b.Input("tokens", ir.Tensor(dtype.I32, shape.Shape{shape.Of(shape.T)}))
	x := b.Op1(ir.OpEmbed, "embed", tokens, b.Weight("table", dtype.BF16, 70_000, 40))
	x = b.Op1(ir.OpLinear, "a", x, b.Weight("a", dtype.F32, 37, 40), b.Weight("a.bias", dtype.BF16, 37))
	x = b.Add(ir.OpRMSNorm, "n", []*ir.Value{x, b.Weight("norm", dtype.BF16, 37)}, ir.Float("eps", 1e-5))[0]
	q := b.Add(ir.OpQuantizeWeight, "b", []*ir.Value{b.Weight("b", dtype.BF16, 150_000, 37)})
	x = b.Op1(ir.OpW8Linear, "b", x, q[0], q[1])
	b.Output("logits", x)
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func planOf(t testing.TB, g *ir.Graph) *codegen.Plan {
	t.Helper()
	p, err := cpu.Build(g, codegen.Limits{BatchTokens: 4, Seqs: 2, Context: 16, LogitsRows: 2})
	if err != nil {
		t.Fatal(err)
	}
	m := p.Manifest
	m.FormatVersion, m.WriterVersion = bundle.FormatVersion, "test"
	m.Model, m.Provenance = &bundlepb.Model{Name: g.Name}, &bundlepb.Provenance{}
	return p
}

// disk is an empty file system with a folder out.
func disk(t testing.TB) *faultfs.FS {
	t.Helper()
	fs := faultfs.New()
	if err := fs.Mkdir("out"); err != nil {
		t.Fatal(err)
	}
	return fs
}

func create(t testing.TB, fs *faultfs.FS, p *codegen.Plan, resume bool) *bundle.Writer {
	t.Helper()
	w, err := bundle.Create(context.Background(), fs, bundle.Job{Out: "out/m.moge", Manifest: p.Manifest},
		bundle.Options{Resume: resume})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// wrapped is an evaluator that something happens in front of.
type wrapped struct {
	codegen.Evaluator
	before func() error
}

func (w wrapped) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	if err := w.before(); err != nil {
		return err
	}
	return w.Evaluator.Eval(src, lo, hi, out)
}

func wrap(p *codegen.Plan, before func() error) {
	for i := range p.Units {
		p.Units[i].Eval = wrapped{p.Units[i].Eval, before}
	}
}
