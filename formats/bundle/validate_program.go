package bundle

import (
	"fmt"

	"moge/formats/bundle/bundlepb"
)

// StepProgram is the name of the program that every bundle has.
const StepProgram = "step"

// program is what the checks of one program share.
type program struct {
	*bundlepb.Program
	where    string
	sections int // of each rank
	limits   [6]int64
}

func validatePrograms(m *bundlepb.Manifest) error {
	names := map[string]bool{}
	for i, p := range m.Programs {
		where := fmt.Sprintf("programs[%d]", i)
		if err := validateName(where, p.Name, names); err != nil {
			return err
		}
		c := program{Program: p, where: where, sections: len(m.Ranks[0].Sections)}
		if err := c.validate(); err != nil {
			return err
		}
	}
	if !names[StepProgram] {
		return invalid("", -1, "no program is named %q", StepProgram)
	}
	return nil
}

func (p *program) fail(format string, args ...any) error {
	return invalid("", -1, "%s%s", p.where, fmt.Sprintf(format, args...))
}

func (p *program) validate() error {
	for _, check := range []func() error{p.bounds, p.arena, p.slots, p.ports, p.plan} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// bounds reads the limits: the maximum of each step scalar.
func (p *program) bounds() error {
	l := p.Limits
	if l == nil {
		return p.fail(": no limits")
	}
	logits, pad := orElse(l.MaxLogitsRows, l.MaxSeqs), orElse(l.MaxPadTokens, l.MaxBatchTokens)
	p.limits = [6]int64{
		bundlepb.Scalar_T:       l.MaxBatchTokens,
		bundlepb.Scalar_L:       logits,
		bundlepb.Scalar_T_DP:    l.MaxBatchTokens,
		bundlepb.Scalar_T_PAD:   pad,
		bundlepb.Scalar_T_WORLD: orElse(l.MaxWorldTokens, pad),
	}
	for s := bundlepb.Scalar_T; s <= bundlepb.Scalar_T_WORLD; s++ {
		if p.limits[s] < 1 || p.limits[s] > maxDimension {
			return p.fail(": the limit of %v is %d", s, p.limits[s])
		}
	}
	if l.MaxSeqs < 1 || l.MaxSeqs > maxDimension || l.Context < 1 || l.Context > maxDimension {
		return p.fail(": limits of %d sequences and %d positions", l.MaxSeqs, l.Context)
	}
	return nil
}

func orElse(n, otherwise int64) int64 {
	if n == 0 {
		return otherwise
	}
	return n
}

// arena checks that every buffer lies inside the arena when all scalars are at their limits.
func (p *program) arena() error {
	if p.ArenaBytes > maxBytes {
		return p.fail(": arena of %d bytes", p.ArenaBytes)
	}
	for i, b := range p.Buffers {
		size, err := p.bufferSize(b)
		if err != nil {
			return p.fail(".buffers[%d]: %v", i, err)
		}
		if b.Offset%Align != 0 || b.Offset > p.ArenaBytes || uint64(size) > p.ArenaBytes-b.Offset {
			return p.fail(".buffers[%d]: %d bytes at %d are misaligned or outside the arena of %d bytes",
				i, size, b.Offset, p.ArenaBytes)
		}
	}
	return nil
}

func (p *program) bufferSize(b *bundlepb.Buffer) (int64, error) {
	t := DType(b.Dtype)
	if !t.Valid() || len(b.Shape) > maxRank {
		return 0, fmt.Errorf("element type %d with %d dimensions", b.Dtype, len(b.Shape))
	}
	elements := int64(1)
	for i, d := range b.Shape {
		n, err := p.largest(d)
		if err != nil {
			return 0, fmt.Errorf("dimension %d: %w", i, err)
		}
		if elements, err = product(elements, n); err != nil {
			return 0, err
		}
	}
	return t.Bytes(elements), nil
}

// largest is the value of a dimension at the limits.
func (p *program) largest(d *bundlepb.Dim) (int64, error) {
	if d.Coef < 0 || d.Coef > maxDimension || d.Div < 0 || d.Div > maxDimension {
		return 0, fmt.Errorf("coefficient %d, divisor %d", d.Coef, d.Div)
	}
	if d.Scalar == bundlepb.Scalar_FIXED {
		return d.Coef, nil
	}
	if !knownScalar(d.Scalar) {
		return 0, fmt.Errorf("unknown scalar %d", d.Scalar)
	}
	div := max(d.Div, 1)
	return product(d.Coef, (p.limits[d.Scalar]+div-1)/div)
}

func knownScalar(s bundlepb.Scalar) bool {
	return s >= bundlepb.Scalar_T && s <= bundlepb.Scalar_T_WORLD
}

func (p *program) slots() error {
	names := map[string]bool{}
	for i, s := range p.States {
		if err := validateName(fmt.Sprintf("%s.states[%d]", p.where, i), s.Name, names); err != nil {
			return err
		}
		if !DType(s.Dtype).Valid() || !inRange(s.Heads) || !inRange(s.Width) {
			return p.fail(".states[%d]: %q has element type %d, %d heads of width %d",
				i, s.Name, s.Dtype, s.Heads, s.Width)
		}
	}
	return nil
}

// inRange bounds heads and widths so that products of a few of them fit in an int64.
func inRange(n int64) bool { return n >= 1 && n <= 1<<20 }

func (p *program) ports() error {
	lists := []struct {
		name  string
		ports []*bundlepb.Port
	}{{"inputs", p.Inputs}, {"outputs", p.Outputs}}
	for _, list := range lists {
		names := map[string]bool{}
		for i, port := range list.ports {
			at := fmt.Sprintf(".%s[%d]", list.name, i)
			if err := validateName(p.where+at, port.Name, names); err != nil {
				return err
			}
			if int64(port.Buffer) >= int64(len(p.Buffers)) {
				return p.fail("%s: buffer %d of %d", at, port.Buffer, len(p.Buffers))
			}
		}
	}
	return nil
}
