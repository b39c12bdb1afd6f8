package fit

import (
	"fmt"
	"slices"
	"testing"

	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/formats/bundle"
)

// Sizes of the small model: hidden 128, 4 layers, 8 + 2·4 heads of 16, 64 experts of width 64, a
// shared expert of 256, vocabulary 4096. Nothing of it needs padding.
func TestWeightsOfTheSmallModelByHand(t *testing.T) {
	want := []string{
		"experts i8 6291456+0",    // 4 · 64 · 3 · 64·128
		"linears i8 589824+0",     // 4 · 128 · (256 + 128 + 3·256)
		"scales f32 278528+0",     // 4 · 4 · (64·(2·64 + 128) + 256 + 128 + 2·256 + 128)
		"biases f32 6144+0",       // 4 · 4 · (256 + 128)
		"embedding f16 1048576+0", // 2 · 4096·128
		"head f16 1048576+0",
		"router f16 65536+0", // 4 · 2 · 64·128
		"router f32 1024+0",  // 4 · 4 · 64
		"norms f16 2304+0",   // 2 · 128 · (4·2 + 1)
	}
	if got := texts(parts(graph(t, tiny, "w8a8-dynamic"))); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Of the published model, the vocabulary of 153376 is stored in 3 blocks of 51136 rows: 32 more.
func TestWeightsOfThePublishedModelByHand(t *testing.T) {
	got := texts(parts(graph(t, published, "w8a8-dynamic")))
	for _, want := range []string{
		"experts i8 63417876480+0",   // 48 · 64 · 3 · 1344·5120
		"linears i8 6983516160+0",    // 48 · 5120 · (7168 + 5120 + 3·5376)
		"embedding f16 1570570240+0", // 2 · 153376·5120
		"head f16 1570897920+327680", // 2 · 3·51136·5120
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

// A depth of 48 is stored as 64, and 40 experts of the router as 48.
func TestPaddingByHand(t *testing.T) {
	g := graph(t, family+"pangu_pro_moe/config.json", "w8a8-dynamic", `"moe_intermediate_size": 32`,
		`"moe_intermediate_size": 48`, `"num_experts": 64`, `"num_experts": 40`)
	got := texts(parts(g))
	for _, want := range []string{
		"experts i8 819200+81920", // 2 layers · 40 · (2·48·64 + 64·64), of which 64·16 are padding
		"router f16 12288+2048",   // 2 · 2 · 48·64, of which 8·64 are padding
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func texts(parts []Part) []string {
	var list []string
	for _, p := range parts {
		list = append(list, fmt.Sprintf("%s %s %d+%d", p.Kind, p.DType, p.Bytes, p.Padding))
	}
	return list
}

// What is counted here is what a bundle for the card stores, but for the end of the last section.
func TestWeightsAreThoseOfThePlan(t *testing.T) {
	chip, err := soc.Find("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []string{tiny, published, family + "llama/config.json"} {
		for _, scheme := range []string{"w8a8-dynamic", "w8a8"} {
			g := graph(t, config, scheme)
			m, err := model.New(g, chip, model.Limits{Tokens: 64, Sequences: 4, Rows: 16, Context: 512})
			if err != nil {
				t.Fatal(err)
			}
			list, refusals := build(m)
			if len(refusals) > 0 {
				t.Fatal(refusals)
			}
			p, err := m.Plan(programs(chip, list), func(kernel string) string { return kernel })
			if err != nil {
				t.Fatal(err)
			}
			if got, want := total(parts(g)), roundUp(p.Manifest.Ranks[0].Size, bundle.Align); got != want {
				t.Errorf("%s, %s: %d bytes, the plan has %d", config, scheme, got, want)
			}
		}
	}
}

// Keys and values of the published model: 48 layers · 2 · 8 heads · 128 · 2 bytes.
func TestCacheByHand(t *testing.T) {
	got := cacheOf(graph(t, published, "w8a8-dynamic"))
	if want := (Cache{Position: 196608, Page: 50331648, Pages: 8191}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestContexts(t *testing.T) {
	for _, c := range []struct {
		free    int64
		cache   Cache
		context int64
		want    []Context
	}{
		{0, Cache{4, 1024, 100}, 4096, []Context{{1, 0}, {4, 0}, {16, 0}, {64, 0}}},
		{10*1024 + 1023, Cache{4, 1024, 100}, 4096, []Context{{1, 2560}, {4, 512}, {16, 0}, {64, 0}}},
		{1 << 30, Cache{4, 1024, 100}, 4096, []Context{{1, 4096}, {4, 4096}, {16, 1536}, {64, 256}}},
		{1 << 30, Cache{4, 1024, 1 << 30}, 100, []Context{{1, 100}, {4, 100}, {16, 100}, {64, 100}}},
	} {
		if got := contexts(c.free, c.cache, c.context); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestChips(t *testing.T) {
	parts := []Part{{Kind: Experts, Bytes: 1000, Sharded: true}, {Kind: Norms, Bytes: 10}}
	for _, c := range []struct {
		memory, unit int64
		want         int
	}{
		{1010, 8, 1}, {1009, 8, 2}, {510, 8, 2}, {509, 8, 4}, {509, 3, 3}, {135, 8, 8}, {134, 8, 9},
		{1010, 0, 1}, {509, 0, 3}, {10, 8, 0},
	} {
		if got := chips(parts, c.memory, c.unit); got != c.want {
			t.Errorf("memory %d, unit %d: %d chips, want %d", c.memory, c.unit, got, c.want)
		}
	}
}

// 40 heads and 8 groups of experts.
func TestDivisible(t *testing.T) {
	if got := divisible(graph(t, published, "w8a8-dynamic")); got != 8 {
		t.Errorf("got %d, want 8", got)
	}
}
