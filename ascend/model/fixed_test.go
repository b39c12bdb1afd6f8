package model

import (
	"bytes"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/tests/fixture"
)

func TestFixedScaleSection(t *testing.T) {
	for _, c := range []struct {
		amax float32
		want [2]float32
	}{
		{63.5, [2]float32{2, 0.5}},
		{127, [2]float32{1, 1}},
		{0, [2]float32{}},
		{1e-38, [2]float32{}}, // 127/amax is infinite: the IR has zeros
	} {
		g := ir.NewBuilder("w")
		x := g.Input("x", ir.Type{DType: dtype.F32, Shape: shape.Make(4, 32)})
		n := g.Add(ir.OpQuantizeStatic, "layers.0.self_attn.o", []*ir.Value{x}, ir.Float("amax", c.amax))[0].Def
		b := newBuilder(g.Graph, nil, Limits{})
		if again := b.fixedScale(n); again.String() != b.fixedScale(n).String() {
			t.Errorf("%v: two sections, %v too", c.amax, again)
		}
		want := make([]byte, 32)
		dtype.Encode(dtype.F32, want[:8], c.want[:])
		got := filled(t, b, fixture.Memory{}, 1)
		if len(got) != 1 || !bytes.Equal(got[0], want) {
			t.Errorf("%v: sections are %v, want %v", c.amax, got, want)
		}
		if name := b.sections[0].Name; name != "layers.0.self_attn.o.fixed_scale" {
			t.Errorf("%v: the section is %s", c.amax, name)
		}
	}
}
