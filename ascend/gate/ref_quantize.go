package gate

import (
	"fmt"
	"iter"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// quantize is rows of halves to int8, bit for bit.
func quantize(s kernels.QuantizeSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for _, rows := range shapes.counts(s.MaxRows) {
			in := newInt8Rows(random(seed, uint64(rows)), rows, s.Width, s.Static)
			c := &Case{Name: fmt.Sprintf("%d rows", rows), Params: map[string]int{"rows": rows},
				Tensors: map[string][]byte{}, Want: []Output{equal("q", dtype.I8, in.q, s.Width)}}
			in.into(c, true)
			if !s.Static {
				c.Want = append(c.Want, equal("scale", dtype.F32, repeated(in.scale, lanes), lanes))
			}
			if !yield(c) {
				return
			}
		}
	}
}
