package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

// against measures a scheme beside the float model, once for all tests.
func against(t *testing.T, scheme string) *eval.Comparison {
	t.Helper()
	if c := compared[scheme]; c != nil {
		return c
	}
	base := open(t, choice{dir: tiny, scheme: "none", kv: dtype.F32})
	e := open(t, choice{dir: tiny, scheme: scheme, kv: dtype.F32})
	c, err := eval.Compare(context.Background(), base, e, windows(t, e), nil)
	if err != nil {
		t.Fatal(err)
	}
	compared[scheme] = c
	return c
}

var compared = map[string]*eval.Comparison{}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestFloatPerplexityIsTheGoldenOne(t *testing.T) {
	var want struct {
		Perplexity struct {
			Float32 float64 `json:"float32"`
			Scored  int     `json:"scored_tokens"`
		}
	}
	readJSON(t, filepath.Join(tiny, "golden/golden.json"), &want)
	got := against(t, "w8a8-dynamic").Base
	t.Logf("perplexity %.6f over %d tokens, golden %.6f", got.Perplexity, got.Tokens, want.Perplexity.Float32)
	if got.Tokens != want.Perplexity.Scored {
		t.Errorf("%d tokens scored, want %d", got.Tokens, want.Perplexity.Scored)
	}
	if d := got.Perplexity/want.Perplexity.Float32 - 1; d > 1e-5 || d < -1e-5 {
		t.Errorf("perplexity is %g, golden is %g", got.Perplexity, want.Perplexity.Float32)
	}
}

func TestQuantizedPerplexity(t *testing.T) {
	for _, scheme := range []string{"w8a8-dynamic", "w8a8"} {
		t.Run(scheme, func(t *testing.T) {
			wantInt8Sections(t, open(t, choice{dir: tiny, scheme: scheme, kv: dtype.F32}))
			c := against(t, scheme)
			t.Logf(
				"perplexity %.4f against %.4f (%+.3f %%), KL %.2e, same top-1 %.4f, same experts %.4f",
				c.Model.Perplexity,
				c.Base.Perplexity,
				100*(c.Model.Perplexity/c.Base.Perplexity-1),
				c.KL,
				c.SameTop1,
				*c.SameExperts,
			)
			if c.Model.Perplexity > 1.01*c.Base.Perplexity {
				t.Errorf("perplexity %g is more than 1 %% above %g", c.Model.Perplexity, c.Base.Perplexity)
			}
			if c.KL <= 0 || c.KL > 0.01 {
				t.Errorf("KL is %g: nothing was quantized, or too much was lost", c.KL)
			}
		})
	}
}

// wantInt8Sections: every linear but router, embedding and head is stored as int8.
func wantInt8Sections(t *testing.T, e *engine.Engine) {
	t.Helper()
	all := sections(e)
	for l := range int(e.Model().Layers) {
		for _, site := range []string{"self_attn.q+k+v", "self_attn.o", "mlp.experts.gate+up", "mlp.experts.down",
			"mlp.shared.gate+up", "mlp.shared.down"} {
			name := fmt.Sprintf("layers.%d.%s.weight", l, site)
			if s := all[name]; s == nil || s.Dtype != bundlepb.DType_I8 {
				t.Errorf("section %s is %v, want int8", name, s)
			}
		}
	}
	for name, s := range all {
		kept := strings.HasSuffix(name, ".router.weight") || name == "embed.weight" || name == "lm_head.weight"
		if kept && s.Dtype == bundlepb.DType_I8 {
			t.Errorf("section %s is int8, want float", name)
		}
	}
}

func TestDynamicAgreesWithGolden(t *testing.T) {
	var want struct {
		Perplexity float64
		KL         float64 `json:"kl_to_float"`
	}
	readJSON(t, filepath.Join(tiny, "golden/golden_w8a8_dynamic.json"), &want)
	e := open(t, choice{dir: tiny, scheme: "w8a8-dynamic", kv: dtype.F32})
	g := openGolden(t, filepath.Join(tiny, "golden/golden_w8a8_dynamic.safetensors"))
	ids := openGolden(t, filepath.Join(tiny, "golden/golden.safetensors")).ids("input_ids")
	got, err := eval.Logits(context.Background(), e, ids)
	if err != nil {
		t.Fatal(err)
	}
	_, mean := distance(t, got, g.floats("logits"))
	same := sameShare(choices(t, e, ids), g.ints("expert_ids"))
	p := against(t, "w8a8-dynamic").Model
	t.Logf("perplexity %.4f, golden %.4f (%+.4f %%); mean logit difference %.5f; same experts %.5f",
		p.Perplexity, want.Perplexity, 100*(p.Perplexity/want.Perplexity-1), mean, same)
	if d := p.Perplexity/want.Perplexity - 1; d > 1e-3 || d < -1e-3 {
		t.Errorf("perplexity %g is not within 0.1 %% of %g", p.Perplexity, want.Perplexity)
	}
	if mean >= 0.02 {
		t.Errorf("mean absolute logit difference is %g, want below 0.02", mean)
	}
	if same < 0.995 {
		t.Errorf("%g of the expert choices are the golden ones, want 0.995", same)
	}
}
