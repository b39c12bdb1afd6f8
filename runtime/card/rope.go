package card

import (
	"fmt"
	"math"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/device"
)

// rope is the table of angles, f32 [T, 2·half]: the cosines of a token's position, then the sines.
type rope struct {
	buffer    int
	half      int
	frequency []float32
}

// angles checks a step that makes the table.
func (l *loader) angles(s *bundlepb.Step) (step, error) {
	attrs := attributes{step: s}
	dim, theta := attrs.take("dim").GetI(), attrs.take("theta").GetF()
	if dim < 2 || dim > 1<<20 || dim%2 != 0 || !(theta >= 1e-30 && theta <= math.MaxFloat32) {
		return step{}, fmt.Errorf("dim %d with theta %v", dim, theta)
	}
	if len(s.Args) != 0 || len(s.Results) != 1 {
		return step{}, fmt.Errorf("%d arguments and %d results", len(s.Args), len(s.Results))
	}
	o, ok := s.Results[0].Kind.(*bundlepb.Operand_Buffer)
	if !ok {
		return step{}, fmt.Errorf("result 0 is not a buffer")
	}
	if b := l.buffers[o.Buffer]; b.dtype != dtype.F32 || b.cols != dim ||
		!b.hasRowFor(bundlepb.Scalar_T) {
		return step{}, fmt.Errorf("result 0 is not f32 with a row of %d for each token", dim)
	}
	half := int(dim / 2)
	return step{rope: &rope{buffer: int(o.Buffer), half: half,
		frequency: device.RopeFrequencies(half, theta)}}, attrs.all()
}

// writeAngles computes the table for the tokens of the step.
func (r *runner) writeAngles(p *rope) error {
	b := r.buffers[p.buffer]
	values := make([]float32, r.bytes(b)/4)
	for row, t := range r.order.Tokens {
		line := values[int64(row)*b.cols:][:b.cols]
		device.RopeRow(line[:p.half], line[p.half:], r.batch.Positions[t], p.frequency)
	}
	data := make([]byte, 4*len(values))
	dtype.Encode(dtype.F32, data, values)
	return r.card.Write(r.at[p.buffer], data)
}
