package kernels_test

import (
	"testing"

	"moge/ascend/gate"
	"moge/ascend/kernels"
)

// smallSpecs have tilings of their own where they have any, so that small shapes have several
// chunks, steps and passes.
func smallSpecs() []kernels.Spec {
	tiling := func(rows, cols, step int, staged bool) kernels.Tiling {
		return kernels.Tiling{Parts: 8, Rows: rows, Cols: cols, Step: step, Staged: staged}
	}
	experts := func(name string, t kernels.Tiling) kernels.GroupedSpec {
		return kernels.GroupedSpec{Name: name, Experts: 6, Hidden: 96, Width: 80, MaxRows: 64, Tiling: t}
	}
	two := func(name string, few, many kernels.Tiling) kernels.GroupedSpec {
		s := experts(name, many)
		s.Few = few
		return s
	}
	tops := func(name string, vocabulary, count int) kernels.TopSpec {
		return kernels.TopSpec{Name: name, Vocabulary: vocabulary, Count: count, MaxRows: 64}
	}
	return []kernels.Spec{
		kernels.EmbedSpec{Name: "embed", Width: 48, TableRows: 99, MaxTokens: 64},
		kernels.EmbedSpec{Name: "take_rows", Width: 48, TableRows: 300, MaxTokens: 64, Step: true},
		kernels.NormSpec{Name: "norm", Width: 144, MaxRows: 64, Eps: 1e-5, Half: true},
		kernels.NormSpec{Name: "norm_add", Width: 144, MaxRows: 64, Eps: 1e-5, Add: true, Half: true},
		kernels.NormSpec{Name: "norm_int8", Width: 192, MaxRows: 64, Eps: 1e-5, Add: true, Int8: true},
		kernels.NormSpec{Name: "norm_both", Width: 192, MaxRows: 64, Eps: 1e-5, Add: true, Half: true,
			Int8: true},
		kernels.QuantizeSpec{Name: "quantize", Width: 192, MaxRows: 64},
		kernels.LinearSpec{Name: "linear", N: 80, K: 96, MaxRows: 64, Bias: true,
			Tiling: tiling(32, 32, 16, true)},
		kernels.LinearSpec{Name: "linear_direct", N: 720, K: 64, MaxRows: 64,
			Tiling: tiling(16, 48, 48, false)},
		kernels.LinearSpec{Name: "linear_quantize", N: 112, K: 80, MaxRows: 64, Quantize: true,
			Bias: true, Tiling: tiling(16, 64, 32, true)},
		kernels.LinearSpec{Name: "linear_swiglu", N: 160, K: 128, MaxRows: 64, SwiGLU: true,
			Tiling: tiling(32, 128, 64, true)},
		kernels.GroupedGateUpSpec{GroupedSpec: experts("gate_up", tiling(16, 64, 32, true))},
		kernels.GroupedDownSpec{GroupedSpec: experts("down", tiling(32, 48, 48, true))},
		kernels.GroupedGateUpSpec{GroupedSpec: two("gate_up_two", tiling(16, 64, 32, true),
			tiling(32, 96, 96, false))},
		kernels.GroupedDownSpec{GroupedSpec: two("down_two", tiling(16, 48, 16, true),
			tiling(48, 32, 32, false))},
		kernels.HeadSpec{Name: "head", Vocab: 200, Width: 96, MaxRows: 64, Eps: 1e-5,
			Tiling: tiling(16, 32, 16, true)},
		kernels.HeadSpec{Name: "head_odd", Vocab: 77, Width: 80, MaxRows: 64, Eps: 1e-5,
			Tiling: tiling(32, 48, 48, false)},
		kernels.HeadSpec{Name: "head_int8", Vocab: 200, Width: 96, MaxRows: 64, Eps: 1e-5, Int8: true,
			Tiling: tiling(16, 64, 32, true)},
		// two blocks of the vocabulary, and channel scales that come with each chunk
		kernels.HeadSpec{Name: "head_blocks", Vocab: 65600, Width: 32, MaxRows: 17, Eps: 1e-5,
			Int8: true, Tiling: tiling(16, 2048, 256, true)},
		kernels.TopScanSpec{TopSpec: tops("scan_tiny", 67, 64)},
		kernels.TopPickSpec{TopSpec: tops("pick_tiny", 67, 64)},
		kernels.TopScanSpec{TopSpec: tops("scan_even", 16384, 16)},
		kernels.TopPickSpec{TopSpec: tops("pick_even", 16384, 16)},
		kernels.TopScanSpec{TopSpec: tops("scan_shard", 19172, 64)},
		kernels.TopPickSpec{TopSpec: tops("pick_shard", 19172, 64)},
	}
}

// staticSpecs are those of smallSpecs that can have a fixed scale, with it.
func staticSpecs() []kernels.Spec {
	var out []kernels.Spec
	for _, s := range smallSpecs() {
		switch s := s.(type) {
		case kernels.NormSpec:
			if s.Static = s.Int8; s.Static {
				out = append(out, s)
			}
		case kernels.QuantizeSpec:
			s.Static = true
			out = append(out, s)
		case kernels.LinearSpec:
			s.Static = true
			out = append(out, s)
		case kernels.GroupedGateUpSpec:
			s.Static = true
			out = append(out, s)
		case kernels.GroupedDownSpec:
			s.Static = true
			out = append(out, s)
		case kernels.HeadSpec:
			if s.Static = s.Int8; s.Static {
				out = append(out, s)
			}
		}
	}
	return out
}

func TestSmallShapes(t *testing.T) {
	gated(t, gate.Options{Shapes: gate.All, Seed: 1}, smallSpecs()...)
}

func TestFixedScales(t *testing.T) {
	gated(t, gate.Options{Shapes: gate.All, Seed: 2}, staticSpecs()...)
}

// trueSpecs are kernels of Pangu Pro MoE: linears of one chip of four, experts whole and halved, a
// part of the vocabulary.
func trueSpecs(t *testing.T) []kernels.Spec {
	specs := []kernels.Spec{
		kernels.EmbedSpec{Name: "embed", Width: 5120, TableRows: 153376, MaxTokens: 1025},
		kernels.NormSpec{Name: "norm", Width: 5120, MaxRows: 1025, Eps: 1e-5, Add: true, Half: true,
			Int8: true},
		kernels.TopScanSpec{TopSpec: kernels.TopSpec{Name: "scan", Vocabulary: 153376, Count: 64,
			MaxRows: 128}},
		kernels.TopPickSpec{TopSpec: kernels.TopSpec{Name: "pick", Vocabulary: 153376, Count: 64,
			MaxRows: 128}},
	}
	qkv := kernels.LinearSpec{Name: "qkv", N: 1792, K: 5120, MaxRows: 64, Bias: true}
	shared := kernels.LinearSpec{Name: "shared", N: 5120, K: 5376, MaxRows: 32, Quantize: true}
	qkv.Tiling, shared.Tiling = chosen(t, qkv.Choose), chosen(t, shared.Choose)
	for _, width := range []int{672, 1344} {
		up := kernels.GroupedSpec{Name: "gate_up", Experts: 3, Hidden: 5120, Width: width, MaxRows: 192}
		if width == 1344 { // one tiling
			up.Name, up.Rows = "gate_up_whole", 20
		}
		down := up
		down.Name = "down" + up.Name[len("gate_up"):]
		up, down = chosen(t, up.ChooseGateUp), chosen(t, down.ChooseDown)
		specs = append(specs, kernels.GroupedGateUpSpec{GroupedSpec: up},
			kernels.GroupedDownSpec{GroupedSpec: down})
	}
	head := kernels.HeadSpec{Name: "head", Vocab: 2400, Width: 5120, MaxRows: 16, Eps: 1e-5}
	head.Tiling = chosen(t, head.Choose)
	return append(specs, qkv, shared, head)
}

func TestTrueShapes(t *testing.T) {
	gated(t, gate.Options{Seed: 3}, trueSpecs(t)...)
}
