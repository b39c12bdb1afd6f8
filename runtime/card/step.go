package card

import (
	"fmt"
	"math"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// step is a launch, or the table of angles that the host computes.
type step struct {
	site   string
	kernel *bundlepb.Kernel // nil for the table
	each   string           // "decode", "prefill", or empty for one launch a step
	args   []arg
	values []value
	rope   *rope
}

// arg is a tensor of a launch: its operand, and what its address moves with in prefill.
type arg struct {
	operand *bundlepb.Operand
	role    bundlepb.TensorRole
	by      byte // 'r' the first row of the sequence, 't' its row of the page table
}

// value is a scalar of a launch: a number, a multiple of a scalar of the step, or a word.
type value struct {
	c      int64
	scalar bundlepb.Scalar
	word   string
}

// rope is the table of angles: cosines, then sines.
type rope struct {
	buffer    int
	half      int
	theta     float64
	frequency []float32
}

func (l *loader) setSteps() error {
	for i, s := range l.program.Steps {
		var b step
		var err error
		switch {
		case s.Guard != nil:
			err = fmt.Errorf("guards are not known")
		case s.Op == bundlepb.OpCode_LAUNCH:
			b, err = l.launch(s)
		case s.Op == bundlepb.OpCode_ROPE_TABLE:
			b, err = l.angles(s)
		default:
			err = fmt.Errorf("only launches and rope tables run on a card")
		}
		if err != nil {
			return fmt.Errorf("step %d, %v at %s: %w", i, s.Op, s.Site, err)
		}
		b.site = s.Site
		l.steps = append(l.steps, b)
	}
	return nil
}

func (l *loader) launch(s *bundlepb.Step) (step, error) {
	k := l.kernels[s.Variant]
	b := step{kernel: k}
	for i, o := range s.Args {
		a := arg{operand: o, role: k.Tensors[i].Role}
		written := a.role != bundlepb.TensorRole_ROLE_IN
		if _, section := o.Kind.(*bundlepb.Operand_Section); o.Kind == nil || section && written {
			return b, fmt.Errorf(
				"tensor %s of kernel %s has no memory that it may write",
				k.Tensors[i].Name,
				k.Name,
			)
		}
		b.args = append(b.args, a)
	}
	attrs := map[string]*bundlepb.Attr{}
	for _, a := range s.Attrs {
		attrs[a.Name] = a
	}
	for _, name := range k.Scalars {
		v, err := l.scalar(name, attrs[name])
		if err != nil {
			return b, err
		}
		b.values = append(b.values, v)
	}
	return b, l.repeated(&b, attrs)
}

// words are the scalars that only the runner knows.
var words = map[string]bool{"pages": true, "sequences": true, "count": true, "start": true}

func (l *loader) scalar(name string, a *bundlepb.Attr) (value, error) {
	switch v := a.GetValue().(type) {
	case *bundlepb.Attr_I:
		if v.I >= math.MinInt32 && v.I <= math.MaxInt32 {
			return value{c: v.I}, nil
		}
	case *bundlepb.Attr_Ints:
		n := v.Ints.GetValues()
		if len(n) == 2 && n[0] >= 1 && n[0] <= limit &&
			(n[1] == int64(bundlepb.Scalar_T) || n[1] == int64(bundlepb.Scalar_L)) &&
			n[0]*int64(max(l.limits.BatchTokens, l.limits.LogitsRows)) <= math.MaxInt32 {
			return value{c: n[0], scalar: bundlepb.Scalar(n[1])}, nil
		}
	case *bundlepb.Attr_S:
		if words[v.S] {
			return value{word: v.S}, nil
		}
	}
	return value{}, fmt.Errorf("scalar %s has no value that a step gives", name)
}

// repeated reads how attention is launched over the sequences of a step.
func (l *loader) repeated(b *step, attrs map[string]*bundlepb.Attr) error {
	b.each = attrs["each"].GetS()
	if b.each != "" && b.each != "decode" && b.each != "prefill" {
		return fmt.Errorf("each is %q", b.each)
	}
	if b.each == "" {
		for _, v := range b.values {
			if v.word != "" && v.word != "pages" {
				return fmt.Errorf("%s is a number of attention alone", v.word)
			}
		}
	}
	for name, by := range map[string]byte{"each_rows": 'r', "each_tables": 't'} {
		for _, i := range attrs[name].GetInts().GetValues() {
			if i < 0 || i >= int64(len(b.args)) || b.each != "prefill" {
				return fmt.Errorf("%s names tensor %d of %d", name, i, len(b.args))
			}
			o, ok := b.args[i].operand.Kind.(*bundlepb.Operand_Buffer)
			if !ok {
				return fmt.Errorf("%s names tensor %d, which is no buffer", name, i)
			}
			rows := l.buffers[o.Buffer].rows
			if by == 'r' && (rows.Scalar != bundlepb.Scalar_T || !wholeRows(rows)) ||
				by == 't' && (rows.Scalar != bundlepb.Scalar_FIXED || rows.Coef < int64(l.limits.Seqs)) {
				return fmt.Errorf("%s names tensor %d, which has no row for each", name, i)
			}
			b.args[i].by = by
		}
	}
	return nil
}

func (l *loader) angles(s *bundlepb.Step) (step, error) {
	r := &rope{}
	for _, a := range s.Attrs {
		switch a.Name {
		case "dim":
			r.half = int(min(max(a.GetI(), 0), 1<<20) / 2)
		case "theta":
			r.theta = a.GetF()
		}
	}
	if len(s.Results) != 1 || r.half < 1 || !(r.theta >= 1e-30 && r.theta <= math.MaxFloat32) {
		return step{}, fmt.Errorf("dim %d, theta %v, %d results", 2*r.half, r.theta, len(s.Results))
	}
	o, ok := s.Results[0].Kind.(*bundlepb.Operand_Buffer)
	if !ok {
		return step{}, fmt.Errorf("the table is no buffer")
	}
	r.buffer = int(o.Buffer)
	b := l.buffers[r.buffer]
	if b.dtype != dtype.F32 || b.cols != int64(2*r.half) || b.rows.Scalar != bundlepb.Scalar_T ||
		!wholeRows(b.rows) {
		return step{}, fmt.Errorf("the table is not f32[T,%d]", 2*r.half)
	}
	return step{rope: r}, nil
}
