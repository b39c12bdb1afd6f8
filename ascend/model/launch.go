package model

import (
	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
)

// args are the tensors of a launch by the kernel's names.
type args map[string]*bundlepb.Operand

// scalars are the run-time numbers of a launch by the kernel's names.
type scalars map[string]*bundlepb.Attr

// launch is one step before its kernel is lowered, when the order of arguments is not yet known.
type launch struct {
	site    string
	kernel  string // its name; empty for what the host does itself
	args    args
	scalars scalars
	// each, rows and tables say how attention is launched over the sequences of a step, see
	// runtime/card: rows and tables are names of tensors.
	each         string
	rows, tables []string
	host         *bundlepb.Step // of a step without a kernel
}

// of is c times a scalar of the step.
func of(c int64, s bundlepb.Scalar) *bundlepb.Attr {
	return &bundlepb.Attr{Value: &bundlepb.Attr_Ints{Ints: &bundlepb.Ints{Values: []int64{c, int64(s)}}}}
}

// tokens is T of the step.
func tokens() *bundlepb.Attr { return of(1, bundlepb.Scalar_T) }

// logitsRows is L of the step.
func logitsRows() *bundlepb.Attr { return of(1, bundlepb.Scalar_L) }

// word is a number that only the runner knows.
func word(w string) *bundlepb.Attr { return &bundlepb.Attr{Value: &bundlepb.Attr_S{S: w}} }

// launch adds a step that runs the kernel of a spec.
func (b *builder) launch(site string, spec kernels.Spec, a args, s scalars) *launch {
	l := &launch{site: site, kernel: spec.KernelName(), args: a, scalars: s}
	b.specs[l.kernel] = spec
	for _, o := range a {
		b.touch(o)
	}
	b.launches = append(b.launches, l)
	return l
}

// touch keeps the buffer of an operand live to the step about to be added.
func (b *builder) touch(o *bundlepb.Operand) {
	if buf, ok := o.Kind.(*bundlepb.Operand_Buffer); ok {
		b.live[buf.Buffer].Last = max(b.live[buf.Buffer].Last, len(b.launches))
	}
}
