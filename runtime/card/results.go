package card

import (
	"encoding/binary"
	"fmt"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// Floats is an f32 output of the last step; see device.Runner.
func (r *runner) Floats(name string) ([]float32, error) {
	data, err := r.output(name, dtype.F32)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(data)/4)
	dtype.Decode(dtype.F32, out, data)
	return out, nil
}

// Ints is an i32 output of the last step; see device.Runner.
func (r *runner) Ints(name string) ([]int32, error) {
	data, err := r.output(name, dtype.I32)
	if err != nil {
		return nil, err
	}
	return int32s(data), nil
}

func int32s(data []byte) []int32 {
	out := make([]int32, len(data)/4)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}

// output reads the rows of an output in the caller's order, without padding.
func (r *runner) output(name string, want dtype.Type) ([]byte, error) {
	i, ok := r.outputs[name]
	if !ok {
		return nil, fmt.Errorf("the program has no output %q", name)
	}
	b := r.buffers[i]
	switch {
	case b.dtype != want:
		return nil, fmt.Errorf("output %q has elements of %v, not of %v", name, b.dtype, want)
	case !r.ran:
		return nil, fmt.Errorf("output %q: no step has succeeded", name)
	}
	raw := make([]byte, r.outputRows(b, int(r.scalar(b.rows.Scalar)))*b.pitch())
	if len(raw) == 0 {
		return nil, nil
	}
	if err := r.card.Read(r.at[i], raw); err != nil {
		return nil, fmt.Errorf("output %q: %w", name, err)
	}
	return r.unpadded(b, 4*r.width(name, b), raw), nil
}

// outputRows is how many rows of an output mean something in a step with so many of what they count. Of
// several ranks those of tokens are in the card's order, padding included.
func (l *loader) outputRows(b buffer, count int) int64 {
	switch {
	case l.ranks == 1 || b.rows.Scalar != bundlepb.Scalar_T:
		return int64(count)
	case l.worldRows(b):
		return int64(l.groups.World(count))
	}
	return int64(l.groups.Rows(count))
}

// unpadded is the first width bytes of each row, rows of tokens in the caller's order.
func (r *runner) unpadded(b buffer, width int64, raw []byte) []byte {
	count := int64(len(raw)) / b.pitch()
	out := make([]byte, 0, count*width)
	for row := range count {
		at := row
		if b.rows.Scalar == bundlepb.Scalar_T && r.ranks == 1 {
			at = int64(r.order.At[row])
		}
		out = append(out, raw[at*b.pitch():][:width]...)
	}
	return out
}

// tap hands what a launch wrote to the tap, see Device.Load.
func (r *runner) tap(s *step) error {
	var results []any
	for _, a := range s.args {
		if a.role != bundlepb.TensorRole_ROLE_OUT && a.role != bundlepb.TensorRole_ROLE_IN_OUT {
			continue
		}
		o, ok := a.operand.Kind.(*bundlepb.Operand_Buffer)
		if !ok {
			results = append(results, nil)
			continue
		}
		b := r.buffers[o.Buffer]
		raw := make([]byte, r.bytes(b))
		if err := r.card.Read(r.at[o.Buffer], raw); err != nil {
			return fmt.Errorf("read tensor %s: %w", a.name, err)
		}
		results = append(results, decoded(b.dtype, raw))
	}
	r.opt.Tap(s.site, s.kernel.Name, results)
	return nil
}

// decoded is a tensor as taps see it.
func decoded(d dtype.Type, raw []byte) any {
	switch d {
	case dtype.I32:
		return int32s(raw)
	case dtype.I8:
		out := make([]int8, len(raw))
		for i, b := range raw {
			out[i] = int8(b)
		}
		return out
	}
	out := make([]float32, int64(len(raw))/d.Bytes(1))
	dtype.Decode(d, out, raw)
	return out
}
