package bundle

import (
	"fmt"

	"moge/formats/bundle/bundlepb"
)

const maxOperands = 1 << 12

func (p *program) plan() error {
	for i, s := range p.Steps {
		if err := p.step(fmt.Sprintf(".steps[%d]", i), s); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) step(at string, s *bundlepb.Step) error {
	_, known := bundlepb.OpCode_name[int32(s.Op)]
	if !known || s.Op == bundlepb.OpCode_OP_UNSPECIFIED {
		return p.fail("%s: unknown op-code %d", at, s.Op)
	}
	if len(s.Site) > maxName || len(s.Variant) > maxName {
		return p.fail("%s: site or variant is longer than %d bytes", at, maxName)
	}
	if g := s.Guard; g != nil && (!knownScalar(g.Scalar) || g.Min < 0 || g.Min > g.Max) {
		return p.fail("%s: guard %d <= scalar %d <= %d", at, g.Min, g.Scalar, g.Max)
	}
	if len(s.Args) > maxOperands || len(s.Results) > maxOperands {
		return p.fail("%s: more than %d operands", at, maxOperands)
	}
	for i, o := range s.Args {
		if err := p.operand(fmt.Sprintf("%s.args[%d]", at, i), o); err != nil {
			return err
		}
	}
	for i, o := range s.Results {
		where := fmt.Sprintf("%s.results[%d]", at, i)
		if _, section := o.Kind.(*bundlepb.Operand_Section); section {
			return p.fail("%s: a section cannot be written", where)
		}
		if err := p.operand(where, o); err != nil {
			return err
		}
	}
	return p.attrs(at, s.Attrs)
}

func (p *program) operand(at string, o *bundlepb.Operand) error {
	kind, index, count := "", int64(0), 0
	switch k := o.Kind.(type) {
	case nil:
		return nil
	case *bundlepb.Operand_Buffer:
		kind, index, count = "buffer", int64(k.Buffer), len(p.Buffers)
	case *bundlepb.Operand_Section:
		kind, index, count = "section", int64(k.Section), p.sections
	case *bundlepb.Operand_State:
		kind, index, count = "state", int64(k.State), len(p.States)
	}
	if index >= int64(count) {
		return p.fail("%s: %s %d of %d", at, kind, index, count)
	}
	return nil
}

func (p *program) attrs(at string, attrs []*bundlepb.Attr) error {
	last := ""
	for i, a := range attrs {
		if a.Name <= last || len(a.Name) > maxName {
			return p.fail("%s.attrs[%d]: names are not sorted, unique and non-empty", at, i)
		}
		if a.Value == nil {
			return p.fail("%s.attrs[%d]: %q has no value", at, i, a.Name)
		}
		last = a.Name
	}
	return nil
}
