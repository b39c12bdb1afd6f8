package kernels_test

import (
	"testing"

	"moge/ascend/gate"
	"moge/ascend/kernels"
)

// trueStatic are kernels of Pangu Pro MoE with a fixed scale, each as it quantizes or is given
// integers.
func trueStatic(t *testing.T) []kernels.Spec {
	qkv := kernels.LinearSpec{Name: "qkv", N: 1792, K: 5120, MaxRows: 17, Bias: true, Static: true}
	shared := kernels.LinearSpec{Name: "shared", N: 5120, K: 1344, MaxRows: 17, Quantize: true,
		Static: true}
	qkv.Tiling, shared.Tiling = chosen(t, qkv.Choose), chosen(t, shared.Choose)
	up := kernels.GroupedSpec{Name: "gate_up", Experts: 3, Hidden: 5120, Width: 672, MaxRows: 64,
		Rows: 20, Static: true}
	down := up
	down.Name, down.Width = "down", 1344
	up, down = chosen(t, up.ChooseGateUp), chosen(t, down.ChooseDown)
	return []kernels.Spec{qkv, shared, kernels.GroupedGateUpSpec{GroupedSpec: up},
		kernels.GroupedDownSpec{GroupedSpec: down},
		kernels.NormSpec{Name: "norm", Width: 5120, MaxRows: 1025, Eps: 1e-5, Add: true, Half: true,
			Int8: true, Static: true},
		kernels.QuantizeSpec{Name: "quantize", Width: 5120, MaxRows: 1025, Static: true},
		kernels.DispatchSpec{Name: "dispatch", Width: 5120, PerToken: 8, MaxTokens: 64, Static: true}}
}

func TestTrueFixedScales(t *testing.T) {
	gated(t, gate.Options{Seed: 4}, trueStatic(t)...)
}

// Only what quantizes, or stores int8, can do so by a fixed scale.
func TestFixedScaleNeedsInt8(t *testing.T) {
	for _, c := range []struct {
		spec kernels.Spec
		want string
	}{
		{kernels.NormSpec{Name: "a", Width: 32, MaxRows: 1, Half: true, Static: true},
			"kernel a: Static is 1, must be 0 without Int8"},
		{kernels.HeadSpec{Name: "b", Vocab: 32, Width: 32, MaxRows: 1, Static: true},
			"kernel b: Static is 1, must be 0 without Int8"},
	} {
		if _, err := c.spec.Kernel(); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
