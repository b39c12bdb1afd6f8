package gate

import (
	"context"
	"fmt"
	"slices"

	"moge/ascend/emu"
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernel/scalar"
)

// LaunchOptions is how a case is executed.
type LaunchOptions struct {
	Seed     uint64 // of the order that blocks and pipes take turns in; 0 is the program's
	Timeline bool   // predict the time
	Events   bool   // with Timeline: every instruction

	fresh bool // memory of the device is zeros, and need not be written
}

// Result is what the execution of a case gave.
type Result struct {
	Findings []emu.Finding
	Outputs  []Comparison // one for each wanted output, in order
	Timeline *emu.Timeline

	name string // of the case
}

// Failure is why a result is not what it must be: the first finding, or else the first element that
// is wrong; empty if nothing is.
func (r *Result) Failure() string {
	if len(r.Findings) > 0 {
		return r.name + ": " + r.Findings[0].String()
	}
	for _, c := range r.Outputs {
		if c.Wrong != "" {
			return c.Wrong
		}
	}
	return ""
}

// MemoryOf is the bytes of device memory that a case takes, gaps between tensors included. It is an
// error if a parameter of the program has no value or one outside of its range.
func MemoryOf(p *device.Program, c *Case) (int64, error) {
	value, err := values(p, c)
	if err != nil {
		return 0, err
	}
	total := int64(1 << 16)
	for _, g := range p.Globals {
		total += g.Bytes(value) + 8<<10
	}
	return total, nil
}

// Launch executes a case on a device with the compiled program p, whose tensors and parameters are
// those of the kernel that the case is of, and compares the outputs: twice on dirty memory, with
// every check. All memory of the device is taken. An error says that it could not be executed.
func Launch(ctx context.Context, dev *emu.Device, p *device.Program, c *Case, o LaunchOptions) (
	*Result, error) {
	value, err := values(p, c)
	if err != nil {
		return nil, err
	}
	dev.Reset()
	memory := map[string][]byte{}
	l := emu.Launch{Kernel: p.Name, Blocks: c.Blocks, Seed: o.Seed, Twice: true,
		Timeline: o.Timeline, Events: o.Events}
	if l.Blocks == 0 {
		l.Blocks = p.Blocks()
	}
	for _, g := range p.Globals {
		size := g.Bytes(value)
		at, err := dev.Alloc(size)
		if err != nil {
			return nil, fmt.Errorf("kernel %s, %s: %w", p.Name, c.Name, err)
		}
		memory[g.Name] = dev.Bytes(at, size)
		if !o.fresh {
			clear(memory[g.Name])
		}
		l.Args = append(l.Args, emu.Tensor(at, size, roleOf(g), padding(g, size, value)...))
	}
	for _, v := range p.Params {
		l.Args = append(l.Args, emu.Int32(int32(value(v))))
	}
	return execute(ctx, dev, l, p, c, memory)
}

func execute(ctx context.Context, dev *emu.Device, l emu.Launch, p *device.Program, c *Case,
	memory map[string][]byte) (*Result, error) {
	if err := c.fill(p, memory); err != nil {
		return nil, err
	}
	ran, err := dev.Launch(ctx, l)
	if err != nil {
		return nil, err
	}
	r := &Result{name: c.Name, Findings: ran.Findings, Timeline: ran.Timeline}
	if c.Undefined {
		r.Findings = slices.DeleteFunc(r.Findings, func(f emu.Finding) bool {
			return f.Rule == "output-undefined" || f.Rule == "unstable-output"
		})
	}
	for _, w := range c.Want {
		r.Outputs = append(r.Outputs, w.Compare(c.Name, memory[w.Tensor]))
	}
	return r, nil
}

// values gives the value of each parameter of p.
func values(p *device.Program, c *Case) (func(*scalar.Var) int64, error) {
	for _, v := range p.Params {
		x, ok := c.Params[v.Name]
		lo, hi := v.Int().Range()
		if !ok || int64(x) < lo || int64(x) > hi {
			return nil, fmt.Errorf("BUG: kernel %s, %s: %s is %d, must be %d to %d", p.Name, c.Name,
				v.Name, x, lo, hi)
		}
	}
	return func(v *scalar.Var) int64 { return int64(c.Params[v.Name]) }, nil
}

// fill puts the inputs into memory, after checking that they are the kernel's.
func (c *Case) fill(p *device.Program, memory map[string][]byte) error {
	for name, data := range c.Tensors {
		if room, ok := memory[name]; !ok || len(data) > len(room) {
			return fmt.Errorf("BUG: kernel %s, %s: %d bytes for tensor %s, which has %d", p.Name,
				c.Name, len(data), name, len(room))
		}
	}
	for name := range c.Fills {
		if _, ok := memory[name]; !ok {
			return fmt.Errorf("BUG: kernel %s, %s: no tensor %s", p.Name, c.Name, name)
		}
	}
	for name, data := range c.Tensors {
		copy(memory[name], data)
	}
	for name, f := range c.Fills {
		f(memory[name])
	}
	return c.covers(p)
}

// covers reports an output that the case wants nothing of.
func (c *Case) covers(p *device.Program) error {
	for _, g := range p.Globals {
		wanted := slices.ContainsFunc(c.Want, func(o Output) bool { return o.Tensor == g.Name })
		written := g.Role == kernel.Out || g.Role == kernel.InOut && g.Name != lower.SyncArea
		if written && !wanted && !c.Undefined {
			return fmt.Errorf("BUG: kernel %s, %s: nothing is wanted of %s", p.Name, c.Name, g.Name)
		}
	}
	return nil
}

func roleOf(g *kernel.Global) emu.Role {
	if g.Name == lower.SyncArea {
		return emu.Zeroed
	}
	return [...]emu.Role{kernel.In: emu.In, kernel.Out: emu.Out, kernel.InOut: emu.InOut,
		kernel.Scratch: emu.Workspace, kernel.Exchange: emu.Workspace}[g.Role]
}

// padding is the rows of one matrix beyond those that it has: undefined in inputs.
func padding(g *kernel.Global, size int64, value func(*scalar.Var) int64) []emu.Span {
	if !g.Shape.Batch.Is(1) || g.Shape.Layout == kernel.NZ {
		return nil
	}
	used := g.Shape.Rows.Eval(value) * int64(g.Pitch()) * int64(g.Elem.Bits()) / 8
	if used == size {
		return nil
	}
	return []emu.Span{{Off: used, Len: size - used}}
}
