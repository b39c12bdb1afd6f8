package model

import (
	"os"
	"slices"
	"testing"

	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

// legal is the graph of a config as the card computes it.
func legal(t *testing.T, config string) *ir.Graph {
	t.Helper()
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := hf.ParseConfig(config, data)
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := models.Build(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := quant.ParseScheme("w8a8-dynamic")
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := passes.Compile(
		g,
		passes.Options{Scheme: scheme, KV: dtype.F16, Float: dtype.F16, Activations: dtype.F16},
	)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	tiny      = "../../tests/testdata/tiny-moge/config.json"
	published = "../../formats/models/testdata/pangu_published.json"
)

func selected(t *testing.T, config string) []kernels.Spec {
	t.Helper()
	chip, err := soc.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Select(
		legal(t, config),
		chip,
		Limits{Tokens: 512, Sequences: 16, Rows: 64, Context: 1024},
	)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func names(list []kernels.Spec) []string {
	var out []string
	for _, k := range list {
		out = append(out, k.KernelName())
	}
	return out
}

func TestKernelsOfTheSmallModel(t *testing.T) {
	want := []string{
		"add_128",
		"add_norm_128_half_int8",
		"add_norm_128_int8",
		"attention_decode_8q_4kv_16",
		"attention_prefill_8q_4kv_16",
		"combine_8_128_shared",
		"dispatch_8_128",
		"embed_4096x128",
		"experts_64_down_128x64",
		"experts_64_gate_up_64x128",
		"gate_128_8of64",
		"head_4096x128",
		"linear_128x128_bias_quantize",
		"linear_128x256_quantize",
		"linear_256x128_bias",
		"linear_512x128_swiglu",
		"norm_128_int8",
		"rotary_8q_4kv_16",
		"route_8of64",
		"take_rows_128",
		"top_pick_64of4096",
		"top_scan_4096",
	}
	if got := names(selected(t, tiny)); !slices.Equal(got, want) {
		t.Errorf("kernels are %q, want %q", got, want)
	}
}

// The published shapes have as many kernels, with legal tilings: Select fails without one.
func TestKernelsOfThePublishedModel(t *testing.T) {
	small, large := selected(t, tiny), selected(t, published)
	if len(large) != len(small) {
		t.Errorf("%d kernels %q, the small model has %d", len(large), names(large), len(small))
	}
}

func TestSelectNamesWhatHasNoKernel(t *testing.T) {
	chip, err := soc.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	g := legal(t, "../../tests/testdata/families/qwen3_moe/config.json")
	_, err = Select(g, chip, Limits{Tokens: 64, Sequences: 4, Rows: 4, Context: 256})
	want := "layers.0.self_attn: no kernel for attend: queries, keys and values must come from one projection, " +
		"in this order, the first two rotated: leave FuseQKV and FuseRotary on"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
