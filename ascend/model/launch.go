package model

import (
	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/ir/shape"
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
	pad          string         // of these, the tensor whose rows that belong to no sequence are cleared
	host         *bundlepb.Step // of a step without a kernel
}

// count is a number of rows: c times a scalar of the step, or of its part by a divisor.
func count(d shape.Dim) *bundlepb.Attr {
	values := []int64{d.Coef, int64(d.Scalar)}
	if d.Div > 1 {
		values = append(values, d.Div)
	}
	return ints(values...)
}

func ints(values ...int64) *bundlepb.Attr {
	return &bundlepb.Attr{Value: &bundlepb.Attr_Ints{Ints: &bundlepb.Ints{Values: values}}}
}

// ownTokens is how many tokens the rank's group of attention has, without padding.
func ownTokens() *bundlepb.Attr { return ints(1, int64(bundlepb.Scalar_T_DP)) }

// rankIndex is c times the rank's number in a group of ranks.
func rankIndex(c, size, stride int64) *bundlepb.Attr {
	return ints(c, int64(bundlepb.Scalar_FIXED), size, stride)
}

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
