package gate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"moge/ascend/kernels"
)

// linear is the IR's qlinear, with quantize before it or SwiGLU behind it.
func linear(s kernels.LinearSpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		r := random(seed, 0)
		l := newInt8Linear(r, 1, s.N, s.K)
		if s.Bias {
			l.bias = make([]float32, s.N)
			for i := range l.bias {
				l.bias[i] = float32(r.NormFloat64())
			}
		}
		for _, rows := range linearRows(s, shapes) {
			if !yield(linearCase(s, *l, rows, random(seed, uint64(rows)))) {
				return
			}
		}
	}
}

// quickProduct is so few products that a case of them takes no time.
const quickProduct = 1 << 28

// linearRows is few, and with All the most rows where they are quick.
func linearRows(s kernels.LinearSpec, shapes Shapes) []int {
	out := shapes.few(s.MaxRows)
	if shapes == All && s.MaxRows*s.N*s.K <= quickProduct && !slices.Contains(out, s.MaxRows) {
		out = append(out, s.MaxRows)
	}
	return out
}

func linearCase(s kernels.LinearSpec, l int8Linear, rows int, r *rand.Rand) *Case {
	l.rows(newInt8Rows(r, rows, s.K, s.Static))
	c := &Case{Name: fmt.Sprintf("%d rows", rows), Params: map[string]int{"rows": rows},
		Tensors: map[string][]byte{"weightScale": floats(l.scale)},
		Fills: map[string]func([]byte){
			"weight": func(to []byte) { l.weights.write(to, 0, s.N, s.N) },
		}}
	if s.Bias {
		c.Tensors["bias"] = floats(l.bias)
	}
	if rows%8 == 7 {
		c.Name, c.Blocks = c.Name+" on 3 cores", 3
	}
	l.in.into(c, s.Quantize)
	if s.SwiGLU {
		gate, up := alternating(s.N, kernels.GateUpRow)
		c.Want = []Output{l.swiglu("y", gate, up)}
	} else {
		c.Want = []Output{l.output("y")}
	}
	return c
}
