package report

import (
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// naive is the schedule that the passes start from, in closed form from the placement: an all-reduce
// after attention, its rows gathered from all groups, an all-reduce after routed and one after shared
// experts (paper §4.2.1). It is nil where experts have not all rows, and for a program without
// collectives in its layers.
func (w *walk) naive(own *Schedule) []Schedule {
	p := w.placed
	if len(own.Layer) == 0 || w.manifest.Model.Experts > 0 && p.Experts.DP > 1 || p.Shared.DP > 1 {
		return nil
	}
	local := times(w.scalars[bundlepb.Scalar_T_PAD], w.manifest.Model.HiddenSize)
	world := times(local, int64(p.Attn.DP))
	layer := []Collective{}
	add := func(op bundlepb.OpCode, size, stride int, elements int64) {
		if size < 2 {
			return
		}
		c := Collective{Kind: op.String(), Size: int64(size), Stride: int64(stride), Wire: own.Layer[0].Wire}
		c.Elements = RingElements(c.Kind, c.Size, elements)
		c.Bytes = tensorBytes(wireType(c.Wire), c.Elements)
		layer = append(layer, c)
	}
	add(bundlepb.OpCode_ALL_REDUCE, p.Attn.TP, 1, local)
	add(bundlepb.OpCode_ALL_GATHER, p.Attn.DP, p.Attn.TP, local)
	if w.manifest.Model.Experts > 0 {
		add(bundlepb.OpCode_ALL_REDUCE, p.Experts.EP*p.Experts.TP, 1, world)
	}
	add(bundlepb.OpCode_ALL_REDUCE, p.Shared.TP, 1, world)
	return []Schedule{NewSchedule("naive, in closed form", layer, int(w.manifest.Model.Layers), nil)}
}

// wireType reads the name of the type that collectives send; what is no name counts as f32.
func wireType(name string) dtype.Type {
	t, err := dtype.Parse(name)
	if err != nil {
		return dtype.F32
	}
	return t
}
