package golden

import (
	"fmt"
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// tied gives the experts of each pair the same row of the gate, so that they tie on every token.
type tied struct{ weights }

func (w tied) Weight(name string) (*tensor.Tensor, error) {
	t, err := w.weights.Weight(name)
	if err != nil || !strings.HasSuffix(name, "mlp.gate.weight") {
		return t, err
	}
	t = t.Clone()
	for pair := 0; pair < t.Len(); pair += 2 * t.Last() {
		t.Copy(pair+t.Last(), t, pair, t.Last())
	}
	return t, nil
}

// TestTiesGoToTheLowestIndex ties experts 2i and 2i+1: the even one must win everywhere. A gate
// that takes the last of equals must be seen to differ.
func TestTiesGoToTheLowestIndex(t *testing.T) {
	f := open(t, pangu)
	w := tied{f.weights}
	if odd := oddChoices(f.run(t, f.graph, w)); odd != 0 {
		t.Errorf("%d of the chosen experts are the second of a tied pair", odd)
	}
	if odd := oddChoices(f.run(t, mutate(t, f.graph, lastOfEquals), w)); odd == 0 {
		t.Error("a gate that takes the last of equals is not noticed")
	}
}

func oddChoices(out map[string]*tensor.Tensor) int {
	odd := 0
	for layer := range len(out) - 1 {
		for _, id := range out[fmt.Sprintf("experts.%d", layer)].I32 {
			odd += int(id % 2)
		}
	}
	return odd
}

// lastOfEquals takes the largest from a reversed group and counts back: P-1 - argmax.
func lastOfEquals(r *ir.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.OpArgMaxLast {
		return nil
	}
	p := r.Value(n.Args[0])
	size := p.Type.Shape[2].Coef
	var reversed []*ir.Value
	for i := size; i > 0; i-- {
		reversed = append(reversed, r.Slice(n.Site, p, 2, i-1, i))
	}
	p = r.Add(ir.OpConcat, n.Site, reversed, ir.Int("axis", 2))[0]
	// An iota of two gives P-1 as its second element.
	last := r.Add(ir.OpIota, n.Site, nil, ir.Int("count", 2), ir.Int("step", size-1))[0]
	last = r.Reshape(n.Site, r.Slice(n.Site, last, 0, 1, 2), shape.Make(1, 1))
	return []*ir.Value{r.Op1(ir.OpSub, n.Site, last, r.Op1(n.Op, n.Site, p))}
}
