package emu

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Role says what a kernel does with a tensor.
type Role uint8

// The roles.
const (
	In        Role = iota // read only
	Out                   // written completely; undefined before
	InOut                 // defined before, read and written
	Workspace             // undefined before, dirtied before every run
	Zeroed                // a workspace that the host clears before every run
)

// Span is a range of bytes of a tensor.
type Span struct{ Off, Len int64 }

// Arg is one argument of a launch: a tensor or a number. Make it with Tensor, Int32 and their like.
type Arg struct {
	tensor    bool
	at        Addr
	bytes     int64
	role      Role
	undefined []Span
	bits      uint64
	size      int
}

// Tensor passes memory of a declared size. The spans are padding: undefined in an input, and not
// part of the result in an output.
func Tensor(at Addr, bytes int64, role Role, padding ...Span) Arg {
	spans := slices.Clone(padding)
	slices.SortFunc(spans, func(a, b Span) int { return int(a.Off - b.Off) })
	return Arg{tensor: true, at: at, bytes: bytes, role: role, undefined: spans, size: 8}
}

// Int32 passes a number of 32 bits, signed or not.
func Int32(v int32) Arg { return Arg{bits: uint64(uint32(v)), size: 4} }

// Int64 passes a number of 64 bits.
func Int64(v int64) Arg { return Arg{bits: uint64(v), size: 8} }

// Float32 passes a float.
func Float32(v float32) Arg { return Arg{bits: uint64(math.Float32bits(v)), size: 4} }

// Launch is one kernel call. The zero options mean: every check, program order, no timeline.
type Launch struct {
	Kernel   string
	Blocks   int // cores of a vector or cube kernel, groups of a mixed one
	Args     []Arg
	Seed     uint64 // other than 0: pipes and blocks take turns in a random legal order
	Fast     bool   // no races, no taint, no dirty memory: values and bounds only
	Twice    bool   // run again, with other dirt and another order, and compare the outputs
	Timeline bool
	Events   bool // with Timeline: every instruction, for a trace
}

// Result is what a launch found.
type Result struct {
	Findings []Finding
	Timeline *Timeline // nil unless asked for
}

// Launch runs a kernel to its end. Broken rules are findings, not errors; an error means that the
// launch could not be made, or that the process crashed or ran out of time.
func (d *Device) Launch(ctx context.Context, l Launch) (*Result, error) {
	if d.closed {
		return nil, ErrClosed
	}
	if d.child == nil {
		if err := d.restart(ctx); err != nil {
			return nil, err
		}
	}
	if err := d.check(l); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", l.Kernel, err)
	}
	r, err := d.ask(ctx, d.request(l))
	if err != nil {
		return nil, fmt.Errorf("kernel %s: %w", l.Kernel, err)
	}
	return decodeResult(r, l, d.lib)
}

func (d *Device) check(l Launch) error {
	s, ok := d.kernels[l.Kernel]
	if !ok {
		return fmt.Errorf("not in the library")
	}
	if l.Blocks < 1 || l.Blocks > 65535 {
		return fmt.Errorf("%d blocks are not in 1 to 65535", l.Blocks)
	}
	if len(l.Args) != len(s.args) {
		return fmt.Errorf("takes %d arguments, got %d", len(s.args), len(l.Args))
	}
	for i, a := range l.Args {
		p := s.args[i]
		if a.tensor != p.pointer || a.size != p.bytes {
			return fmt.Errorf("argument %d: %s where the kernel takes %s", i, kindOf(a.tensor, a.size),
				kindOf(p.pointer, p.bytes))
		}
		if a.tensor {
			if err := d.checkTensor(a); err != nil {
				return fmt.Errorf("argument %d: %w", i, err)
			}
		}
	}
	return overlaps(l.Args)
}

func kindOf(pointer bool, bytes int) string {
	if pointer {
		return "a tensor"
	}
	return fmt.Sprintf("a number of %d bytes", bytes)
}

func (d *Device) checkTensor(a Arg) error {
	if a.bytes <= 0 || a.at > Addr(len(d.memory)) || Addr(a.bytes) > Addr(len(d.memory))-a.at {
		return fmt.Errorf("bytes %d to %d are not in the device's memory", a.at, int64(a.at)+a.bytes)
	}
	end := int64(0)
	for _, s := range a.undefined {
		if s.Off < end || s.Len < 0 || s.Len > a.bytes-s.Off {
			return fmt.Errorf("padding of %d bytes at %d overlaps or leaves the tensor", s.Len, s.Off)
		}
		end = s.Off + s.Len
	}
	return nil
}

// overlaps refuses tensors that share bytes: a kernel cannot tell which of them it would reach.
func overlaps(args []Arg) error {
	for i, a := range args {
		for j, b := range args[:i] {
			if a.tensor && b.tensor && a.at < b.at+Addr(b.bytes) && b.at < a.at+Addr(a.bytes) {
				return fmt.Errorf("arguments %d and %d share memory", j, i)
			}
		}
	}
	return nil
}

func (d *Device) request(l Launch) *writer {
	w := &writer{}
	w.text(l.Kernel)
	w.u32(uint32(l.Blocks))
	w.u8(uint8(d.lib.kinds[l.Kernel]))
	w.u64(l.Seed)
	options := uint8(0)
	for i, on := range []bool{!l.Fast, l.Seed != 0, l.Timeline, l.Events && l.Timeline} {
		if on {
			options |= 1 << i
		}
	}
	w.u8(options)
	w.u32(uint32(len(l.Args)))
	for _, a := range l.Args {
		w.arg(a)
	}
	w.flag(l.Twice)
	return w
}

func (w *writer) arg(a Arg) {
	w.flag(a.tensor)
	if !a.tensor {
		w.u64(a.bits)
		return
	}
	w.u64(uint64(a.at))
	w.u64(uint64(a.bytes))
	w.u8(uint8(a.role))
	w.u32(uint32(len(a.undefined)))
	for _, s := range a.undefined {
		w.u64(uint64(s.Off))
		w.u64(uint64(s.Len))
	}
}

var pipes = [...]string{"S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX"}

func pipeName(p uint8) string {
	if int(p) < len(pipes) {
		return pipes[p]
	}
	return "ALL"
}

func decodeResult(r *reader, l Launch, lib *Library) (*Result, error) {
	if r.u8() != 0 {
		return nil, fmt.Errorf("kernel %s: BUG: the process does not know it", l.Kernel)
	}
	out := &Result{}
	for range r.count(21) {
		f := Finding{Kernel: l.Kernel, Rule: r.text(), Text: r.text(), Block: r.i32(),
			Line: r.i32(), Other: r.i32()}
		f.Pipe, f.Op = pipeName(r.u8()), r.text()
		out.Findings = append(out.Findings, f)
	}
	if r.u8() != 0 {
		out.Timeline = decodeTimeline(r, lib)
	}
	if r.err != nil {
		return nil, fmt.Errorf("kernel %s: answer of the device: %w", l.Kernel, r.err)
	}
	return out, nil
}
