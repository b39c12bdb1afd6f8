package card

import (
	"fmt"

	"moge/formats/bundle/bundlepb"
)

// step is a launch, the table of angles that the host computes, or an exchange with other ranks.
type step struct {
	site   string
	kernel *bundlepb.Kernel // nil if it is no launch
	each   string           // how it is repeated, see repeats
	args   []arg
	values []value
	rope   *rope
	pad    int // tensor whose rows beyond the rank's tokens are cleared before it is launched; -1 is none

	collective *collective
}

// arg is a tensor of a launch: its operand, and what its address moves with.
type arg struct {
	name    string
	operand *bundlepb.Operand
	role    bundlepb.TensorRole
	by      movement
}

// movement is where the tensor of a launch for one sequence begins.
type movement uint8

const (
	whole    movement = iota
	byRow             // at the sequence's first row
	byTables          // at the sequence's row of the page table
)

// written reports whether a kernel leaves its own bytes in a tensor.
func (a arg) written() bool { return a.role != bundlepb.TensorRole_ROLE_IN }

func (l *loader) setSteps() error {
	for i, s := range l.program.Steps {
		b, err := l.step(s)
		if err != nil {
			name := s.Op.String()
			if s.Variant != "" {
				name += " " + s.Variant
			}
			return fmt.Errorf("step %d, %s at %s: %w", i, name, s.Site, err)
		}
		b.site = s.Site
		l.steps = append(l.steps, b)
	}
	return nil
}

func (l *loader) step(s *bundlepb.Step) (step, error) {
	_, exchanges := collectives[s.Op]
	switch {
	case s.Guard != nil:
		return step{}, fmt.Errorf("a guard, which this device does not know; a newer version may")
	case s.Op == bundlepb.OpCode_LAUNCH:
		return l.launch(s)
	case s.Op == bundlepb.OpCode_ROPE_TABLE:
		return l.angles(s)
	case exchanges:
		return l.exchange(s)
	}
	return step{}, fmt.Errorf("this device has no such operation; a newer version may")
}

// launch checks a launch; the manifest's own checks hold that its kernel exists and takes as many
// tensors.
func (l *loader) launch(s *bundlepb.Step) (step, error) {
	b := step{kernel: l.kernels[s.Variant]}
	for i, o := range s.Args {
		k := b.kernel.Tensors[i]
		a := arg{name: k.Name, operand: o, role: k.Role}
		if err := l.checkRole(a); err != nil {
			return b, err
		}
		b.args = append(b.args, a)
	}
	if err := l.checkOverlaps(b.args); err != nil {
		return b, err
	}
	attrs := attributes{step: s}
	if err := l.repeated(&b, &attrs); err != nil {
		return b, err
	}
	for _, name := range b.kernel.Scalars {
		v, err := l.value(b.each, name, attrs.take(name))
		if err != nil {
			return b, err
		}
		b.values = append(b.values, v)
	}
	return b, attrs.all()
}

// checkRole holds that a kernel may do with an operand what it does with the tensor.
func (l *loader) checkRole(a arg) error {
	switch a.operand.Kind.(type) {
	case *bundlepb.Operand_Buffer:
		return nil
	case *bundlepb.Operand_Section:
		if !a.written() {
			return nil
		}
		return fmt.Errorf("tensor %s is a section, which the kernel would write", a.name)
	case *bundlepb.Operand_State:
		if a.role == bundlepb.TensorRole_ROLE_IN || a.role == bundlepb.TensorRole_ROLE_IN_OUT {
			return nil
		}
		return fmt.Errorf("tensor %s is a state, which the kernel would not keep", a.name)
	}
	return fmt.Errorf("tensor %s has no memory", a.name)
}

// checkOverlaps holds that no tensor that is written shares memory with another.
func (l *loader) checkOverlaps(args []arg) error {
	for i, a := range args {
		for _, b := range args[:i] {
			if (a.written() || b.written()) && l.overlap(a.operand, b.operand) {
				return fmt.Errorf("tensors %s and %s share memory", b.name, a.name)
			}
		}
	}
	return nil
}

// overlap reports whether two operands, at their largest, share memory.
func (l *loader) overlap(a, b *bundlepb.Operand) bool {
	switch a := a.Kind.(type) {
	case *bundlepb.Operand_Buffer:
		b, ok := b.Kind.(*bundlepb.Operand_Buffer)
		if !ok {
			return false
		}
		x, y := l.buffers[a.Buffer], l.buffers[b.Buffer]
		return x.offset < y.offset+l.largest(y) && y.offset < x.offset+l.largest(x)
	case *bundlepb.Operand_State:
		b, ok := b.Kind.(*bundlepb.Operand_State)
		return ok && a.State == b.State
	}
	return false
}
