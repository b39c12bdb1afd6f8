package cost

import (
	"testing"

	"moge/ascend/fit"
	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/codegen"
	"moge/ir/placement"
	"moge/tests/fixture"
)

// TestMemoryOfOneChipIsThatOfTheBundle compares with what the kernels of a card are planned with. The
// weights differ by the head alone, which is stored in whole blocks; activations by expert ids, scales
// and tables of positions, which count for most in a small model.
func TestMemoryOfOneChipIsThatOfTheBundle(t *testing.T) {
	product, err := soc.FindProduct("300i-duo")
	if err != nil {
		t.Fatal(err)
	}
	one := placement.Single()
	limits := codegen.Limits{BatchTokens: 512, Seqs: 16, Context: 2048, LogitsRows: 16}
	for _, c := range []struct {
		config string
		head   int64
		arena  float64
	}{{tinyConfig, 0, 0.08}, {publishedConfig, 3*51136*5120*2 - 153376*5120*2, 0.02}} {
		g := compiled(t, fixture.Graph(t, c.config))
		a, err := fit.Assess(g, fit.Request{Product: product, Limits: limits, Reserve: fit.Reserve})
		if err != nil {
			t.Fatal(err)
		}
		m, err := ModelOf(g)
		if err != nil {
			t.Fatal(err)
		}
		got := machine(t, "300i-duo").Memory(m, one, Step{16, 32, 2048})
		if got.Weights+c.head != a.WeightBytes() {
			t.Errorf("%s: weights take %d, planned are %d", c.config, got.Weights, a.WeightBytes())
		}
		if pages := 16 * int64(2048/kernels.PageRows) * a.Cache.Page; got.Cache != pages {
			t.Errorf("%s: the cache takes %d, planned are %d", c.config, got.Cache, pages)
		}
		if ratio := float64(got.Arena) / float64(a.Arena); ratio > 1 || ratio < 1-c.arena {
			t.Errorf("%s: activations take %d, planned are %d", c.config, got.Arena, a.Arena)
		}
		if got.Reserve != fit.Reserve || got.Chip != product.MemoryBytes.Value ||
			got.Total() != got.Weights+got.Cache+got.Arena+got.Reserve {
			t.Errorf("%s: %+v", c.config, got)
		}
	}
}

// TestMemoryUnderH2PByHand: reference values of the published model on 8 chips.
func TestMemoryUnderH2PByHand(t *testing.T) {
	m, p := PanguProMoE(), placement.H2P(8)
	routed := int64(48 * 16 * (3*672*5120 + 4*(2*672+5120)))
	shared := int64(48 * (3*672*5120 + 4*(2*672+5120)))
	attn := int64(48 * (5120*(1792+1280) + 4*(1792+5120)*2))
	rest := int64(48*(2*2*5120+2*64*5120+4*64) + 2*5120)
	tables := int64(2 * 5120 * (153376 + 19184))
	if got, want := m.WeightBytes(p), routed+shared+attn+rest+tables; got != want {
		t.Errorf("weights take %d, want %d", got, want)
	}
	if got := m.PositionBytes(p); got != 49152 { // 2 heads of keys, 2 of values, 128 halves, 48 layers
		t.Errorf("a position takes %d bytes", got)
	}
	if got, want := m.CacheBytes(p, Decode(81, 2049)), int64(41*9*256*49152); got != want { // pages of 256
		t.Errorf("the cache takes %d, want %d", got, want)
	}
}
