package card

import (
	"fmt"
	"math"
	"slices"

	"moge/formats/bundle/bundlepb"
	"moge/runtime/comm"
)

// attributes are those of a step; what nobody takes is not known.
type attributes struct {
	step  *bundlepb.Step
	taken []*bundlepb.Attr
}

// take is the attribute of a name, nil if there is none.
func (a *attributes) take(name string) *bundlepb.Attr {
	for _, at := range a.step.Attrs {
		if at.Name == name {
			a.taken = append(a.taken, at)
			return at
		}
	}
	return nil
}

// all is an error if an attribute was not taken.
func (a *attributes) all() error {
	for _, at := range a.step.Attrs {
		if !slices.Contains(a.taken, at) {
			return fmt.Errorf("attribute %s is not known", at.Name)
		}
	}
	return nil
}

// How launches are repeated over the sequences of a step.
const (
	decode  = "decode"  // one launch for all sequences with one token, if there are any
	prefill = "prefill" // one launch for each other sequence
)

// words are the scalars that only the runner knows, by how the launch is repeated.
var words = map[string][]string{
	"":      {"pages"},
	decode:  {"pages", "sequences"},
	prefill: {"pages", "count", "start"},
}

// value is a scalar of a launch: a number, a multiple of a scalar of the step or of its part by a
// divisor, or a word.
type value struct {
	c      int64
	scalar bundlepb.Scalar // FIXED if it is a number
	div    int64
	word   string
}

// at is a value that is no word.
func (v value) at(scalar func(bundlepb.Scalar) int64) int64 {
	if v.scalar == bundlepb.Scalar_FIXED {
		return v.c
	}
	div := max(1, v.div)
	return v.c * ((scalar(v.scalar) + div - 1) / div)
}

// value reads the scalar of a kernel from its attribute.
func (l *loader) value(each, name string, a *bundlepb.Attr) (value, error) {
	switch v := a.GetValue().(type) {
	case *bundlepb.Attr_I:
		if v.I >= math.MinInt32 && v.I <= math.MaxInt32 {
			return value{c: v.I}, nil
		}
	case *bundlepb.Attr_Ints:
		if known, ok := l.computed(v.Ints.GetValues()); ok {
			return known, nil
		}
	case *bundlepb.Attr_S:
		if slices.Contains(words[each], v.S) {
			return value{word: v.S}, nil
		}
	}
	return value{}, fmt.Errorf("scalar %s has no value that a step gives", name)
}

// computed reads integers that stand for a value: c, s is c times scalar s of the step, c, s, d c times
// its part by d, rounded up; c, FIXED, size, stride is c times the rank's number in its group.
func (l *loader) computed(n []int64) (value, bool) {
	if len(n) < 2 || len(n) > 4 || n[0] < 1 || n[0] > math.MaxInt32 {
		return value{}, false
	}
	s := bundlepb.Scalar(n[1])
	if len(n) == 4 {
		g := comm.Group{Size: int(n[2]), Stride: int(n[3])}
		if s != bundlepb.Scalar_FIXED || g.Check(l.ranks) != nil || n[0] > math.MaxInt32/n[2] {
			return value{}, false
		}
		return value{c: n[0] * int64(g.Index(l.opt.Rank))}, true
	}
	v := value{c: n[0], scalar: s, div: 1}
	if len(n) == 3 {
		v.div = n[2]
	}
	known := n[1] == int64(s) && (s == bundlepb.Scalar_T || s == bundlepb.Scalar_L || s == bundlepb.Scalar_T_DP)
	return v, known && v.div >= 1 && v.div <= math.MaxInt32 && v.c <= math.MaxInt32/int64(l.limit(s))
}

// repeated reads how a launch is repeated over the sequences of a step.
func (l *loader) repeated(b *step, attrs *attributes) error {
	if a := attrs.take("each"); a != nil {
		b.each = a.GetS()
		if b.each != decode && b.each != prefill {
			return fmt.Errorf("attribute each is neither %s nor %s", decode, prefill)
		}
	}
	if err := l.padded(b, attrs); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		by   movement
	}{{"each_rows", byRow}, {"each_tables", byTables}} {
		a := attrs.take(m.name)
		if a == nil {
			continue
		}
		if list := a.GetInts(); list == nil || b.each != prefill {
			return fmt.Errorf("attribute %s is no list of tensors of a launch for each sequence", m.name)
		}
		for _, i := range a.GetInts().Values {
			if err := l.move(b.args, i, m.by); err != nil {
				return fmt.Errorf("attribute %s: %w", m.name, err)
			}
		}
	}
	return nil
}

// padded reads which tensor of a launch for each sequence has rows that belong to none: they are cleared.
func (l *loader) padded(b *step, attrs *attributes) error {
	b.pad = -1
	a := attrs.take("each_pad")
	if a == nil {
		return nil
	}
	v, ok := a.Value.(*bundlepb.Attr_I)
	if !ok || b.each != prefill || v.I < 0 || v.I >= int64(len(b.args)) ||
		b.args[v.I].role != bundlepb.TensorRole_ROLE_OUT {
		return fmt.Errorf("attribute each_pad is no result of a launch for each sequence")
	}
	o, ok := b.args[v.I].operand.Kind.(*bundlepb.Operand_Buffer)
	if !ok || !l.buffers[o.Buffer].hasRowFor(bundlepb.Scalar_T) {
		return fmt.Errorf("attribute each_pad: tensor %d has no row for each token", v.I)
	}
	b.pad = int(v.I)
	return nil
}

// move lets argument i move with the sequence.
func (l *loader) move(args []arg, i int64, by movement) error {
	if i < 0 || i >= int64(len(args)) {
		return fmt.Errorf("tensor %d of %d", i, len(args))
	}
	a := &args[i]
	o, ok := a.operand.Kind.(*bundlepb.Operand_Buffer)
	if !ok || a.by != whole {
		return fmt.Errorf("tensor %s is no buffer, or listed twice", a.name)
	}
	b := l.buffers[o.Buffer]
	if by == byRow && !b.hasRowFor(bundlepb.Scalar_T) {
		return fmt.Errorf("tensor %s has no row for each token", a.name)
	}
	if by == byTables && (!b.hasRowFor(bundlepb.Scalar_FIXED) || b.rows.Coef < int64(l.limits.Seqs)) {
		return fmt.Errorf("tensor %s has no row for each sequence", a.name)
	}
	a.by = by
	return nil
}
