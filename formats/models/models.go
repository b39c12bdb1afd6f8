package models

import (
	"moge/formats/hf"
	"moge/ir"
	"moge/ir/dtype"
)

// Tensors is what a family needs to know of a checkpoint: names, element types and shapes,
// never data.
type Tensors interface {
	// Names lists all tensors.
	Names() []string
	// Lookup finds a tensor; ok is false if the checkpoint has none of this name.
	Lookup(name string) (d dtype.Type, shape []int64, ok bool)
}

// TensorSpec is a tensor that the checkpoint of a config must hold.
type TensorSpec struct {
	Name  string
	DType dtype.Type
	Shape []int64 // row-major, as in the file: a linear is [out,in]
}

// Elements is the product of the shape.
func (s TensorSpec) Elements() int64 {
	n := int64(1)
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// Build makes the graph of one step of the model that cfg describes over the tensors of its
// checkpoint. Inputs, outputs, states, sites and meta keys are those that package ir's users
// agree on; weights keep the element types of the checkpoint, which may be mixed. The report
// is never nil, and complete even when tensors do not fit; all that is wrong is reported at
// once, as *Error.
func Build(cfg *hf.Config, t Tensors) (*ir.Graph, *Report, error) {
	report := &Report{}
	n, err := describe(cfg, t)
	if err != nil {
		return nil, report, err
	}
	n.classify(report)
	if len(n.problems) > 0 {
		return nil, report, &Error{cfg.Architecture, n.problems, hintTensors}
	}
	g, err := n.Finish()
	return g, report, err
}

// Declared lists what the checkpoint of this config must hold, in the order in which the
// model reads it, all in the element type that the config names (bf16 if it names none).
func Declared(cfg *hf.Config) ([]TensorSpec, error) {
	n, err := describe(cfg, nil)
	if err != nil {
		return nil, err
	}
	return n.specs, nil
}

// describe checks the config and builds the graph; t may be nil, then every tensor is taken
// to be there. Tensors that do not fit are left in the problems of the result.
func describe(cfg *hf.Config, t Tensors) (*net, error) {
	f, err := find(cfg)
	if err != nil {
		return nil, err
	}
	d, problems := measure(f, cfg)
	if len(problems) > 0 {
		return nil, &Error{cfg.Architecture, problems, hintConfig}
	}
	n := newNet(f, cfg, d, t)
	n.decoder()
	n.facts()
	return n, n.Err()
}
