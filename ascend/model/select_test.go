package model

import (
	"slices"
	"strings"
	"testing"

	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/ir"
	"moge/passes"
	"moge/quant"
	"moge/tests/fixture"
)

// legal is the graph of a config as the card computes it, with overrides as on the command line, and
// head=SCHEME.
func legal(t *testing.T, config, scheme string, overrides ...string) *ir.Graph {
	t.Helper()
	g := fixture.Graph(t, config)
	opt := passes.Options{Scheme: fixture.Scheme(t, scheme), MinExpertTokens: 1}
	for _, text := range overrides {
		if head, ok := strings.CutPrefix(text, "head="); ok {
			opt.Head = fixture.Scheme(t, head)
			continue
		}
		o, err := quant.ParseOverride(text)
		if err != nil {
			t.Fatal(err)
		}
		opt.Overrides = append(opt.Overrides, o)
	}
	opt.Stats = measured(t, g, opt)
	return fixture.ForCard(t, g, opt)
}

// measured is statistics for every site, with ranges that differ.
func measured(t *testing.T, g *ir.Graph, opt passes.Options) *quant.Stats {
	t.Helper()
	observing, err := passes.ForCalibration(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	place, _ := g.GetMeta("gate_weight")
	stats := &quant.Stats{GateWeight: quant.GateWeight(place), Tokens: 8}
	for i, n := range observing.Nodes {
		if n.Op != ir.OpObserve {
			continue
		}
		site := quant.Site{Range: quant.Range{AMax: 1 + float32(i)/64, Tokens: 8}}
		if len(n.Args) == 2 { // experts and their offsets
			site.Experts = slices.Repeat([]quant.Range{site.Range}, int(n.Args[1].Type.Shape[0].Coef)-1)
			site.Tokens = 8 * int64(len(site.Experts))
		}
		for _, member := range ir.SiteMembers(n.Site) {
			site.Name = member
			if err := stats.Add(site); err != nil {
				t.Fatal(err)
			}
		}
	}
	return stats
}

const (
	tiny      = "../../tests/testdata/tiny-moge/config.json"
	published = "../../formats/models/testdata/pangu_published.json"
)

func selected(t *testing.T, config, scheme string, overrides ...string) []kernels.Spec {
	t.Helper()
	chip, err := soc.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Select(
		legal(t, config, scheme, overrides...),
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

// smallKernels are those of the small model, with STATIC where a kernel with a fixed scale says so.
const smallKernels = "add_128 add_norm_128_half_int8STATIC add_norm_128_int8STATIC " +
	"attention_decode_8q_4kv_16 attention_prefill_8q_4kv_16 combine_8_128_shared dispatch_8_128STATIC " +
	"embed_4096x128 experts_64_down_128x64STATIC experts_64_gate_up_64x128STATIC gate_128_8of64 " +
	"head_4096x128 linear_128x128_bias_quantizeSTATIC linear_128x256_quantizeSTATIC " +
	"linear_256x128_biasSTATIC linear_512x128_swigluSTATIC norm_128_int8STATIC rotary_8q_4kv_16 " +
	"route_8of64 take_rows_128 top_pick_64of4096 top_scan_4096"

func TestKernelsOfTheSmallModel(t *testing.T) {
	for scheme, static := range map[string]string{"w8a8-dynamic": "", "w8a8": "_static"} {
		want := strings.Fields(strings.ReplaceAll(smallKernels, "STATIC", static))
		if got := names(selected(t, tiny, scheme)); !slices.Equal(got, want) {
			t.Errorf("%s: kernels are %q, want %q", scheme, got, want)
		}
	}
}

// Where the shared expert has another scheme than the routed ones, the norm stores int8 for these.
func TestKernelsOfTwoSchemes(t *testing.T) {
	for _, c := range []struct{ scheme, other, routed, shared string }{
		{"w8a8", "w8a8-dynamic", "_static", ""}, {"w8a8-dynamic", "w8a8", "", "_static"},
	} {
		got := names(selected(t, tiny, c.scheme, "layers.*.mlp.shared.*="+c.other))
		for _, want := range []string{"add_norm_128_half_int8" + c.routed, "dispatch_8_128" + c.routed,
			"linear_512x128_quantize_swiglu" + c.shared, "linear_128x256_quantize" + c.shared} {
			if !slices.Contains(got, want) {
				t.Errorf("%+v: kernels are %q, without %s", c, got, want)
			}
		}
	}
}

// A quantized head is one kernel with its norm, as that of halves is.
func TestKernelsOfQuantizedHeads(t *testing.T) {
	for _, c := range []struct{ scheme, want string }{
		{"w8a8-dynamic", "head_4096x128_int8"}, {"w8a8", "head_4096x128_int8_static"},
	} {
		got := names(selected(t, tiny, "w8a8-dynamic", "head="+c.scheme))
		want := slices.Sorted(slices.Values(strings.Fields(strings.ReplaceAll(
			strings.ReplaceAll(smallKernels, "STATIC", ""), "head_4096x128", c.want))))
		if !slices.Equal(got, want) {
			t.Errorf("%s: kernels are %q, want %q", c.scheme, got, want)
		}
	}
}

// The published shapes have as many kernels, with legal tilings: Select fails without one.
func TestKernelsOfThePublishedModel(t *testing.T) {
	for _, scheme := range []string{"w8a8-dynamic", "w8a8"} {
		small, large := selected(t, tiny, scheme), selected(t, published, scheme)
		if len(large) != len(small) {
			t.Errorf(
				"%s: %d kernels %q, the small model has %d",
				scheme,
				len(large),
				names(large),
				len(small),
			)
		}
	}
}

func TestSelectNamesWhatHasNoKernel(t *testing.T) {
	chip, err := soc.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	g := legal(t, "../../tests/testdata/families/qwen3_moe/config.json", "w8a8-dynamic")
	_, err = Select(g, chip, Limits{Tokens: 64, Sequences: 4, Rows: 4, Context: 256})
	want := "layers.0.self_attn: no kernel for attend: queries, keys and values must come from one " +
		"projection, in this order, the first two rotated, without norms of heads: leave FuseQKV and " +
		"FuseRotary on"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Few sequences share the cores by parts of their contexts.
func TestContextsAreSplitForFewSequences(t *testing.T) {
	chip, err := soc.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	for sequences, want := range map[int]int{1: 2, 2: 1, 16: 1} { // 4 heads of keys, 8 cores
		list, err := Select(legal(t, tiny, "w8a8-dynamic"), chip,
			Limits{Tokens: 64, Sequences: sequences, Rows: 4, Context: 1024})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if d, ok := s.(kernels.AttentionDecodeSpec); ok && d.Parts != want {
				t.Errorf("%d sequences: %d parts, want %d", sequences, d.Parts, want)
			}
		}
	}
}
