package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"moge/ir/dtype"
	"moge/passes"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

var checkpoints = []string{"tiny-moge", "families/pangu_pro_moe", "families/qwen3_moe",
	"families/mixtral", "families/llama", "families/qwen3"}

// floatBound is what the product promises of float logits against PyTorch in float32.
const floatBound = 5e-4

func TestFloatLogitsAgreeWithGolden(t *testing.T) {
	for _, name := range checkpoints {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(testdata, name)
			g := openGolden(t, filepath.Join(dir, "golden/golden.safetensors"))
			e := open(t, choice{dir: dir, scheme: "none", kv: dtype.F32})
			got, err := eval.Logits(context.Background(), e, g.ids("input_ids"))
			if err != nil {
				t.Fatal(err)
			}
			largest, mean := distance(t, got, g.floats("logits"))
			t.Logf("largest difference %.2e, mean %.2e", largest, mean)
			if largest > floatBound {
				t.Errorf("logits differ by %g, the bound is %g", largest, floatBound)
			}
			if _, ok := g.c.Tensor("expert_ids"); ok {
				if got := choices(t, e, g.ids("input_ids")); !slices.Equal(got, g.ints("expert_ids")) {
					t.Errorf(
						"only %.4f of the expert choices are the golden ones",
						sameShare(got, g.ints("expert_ids")),
					)
				}
			}
			if _, ok := g.c.Tensor("greedy"); ok {
				wantGreedy(t, e, g.ids("greedy")[0][:8], g.ids("greedy")[0][8:])
			}
		})
	}
}

func wantGreedy(t *testing.T, e *engine.Engine, prompt, want []int32) {
	t.Helper()
	r, err := e.Generate(
		context.Background(),
		prompt,
		engine.GenerateOptions{MaxTokens: len(want), IgnoreEOS: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Tokens, want) {
		t.Errorf("greedy continuation of %v is\n%v, want\n%v", prompt, r.Tokens, want)
	}
}

func TestGreedyTextsOfTinyModel(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(tiny, "golden/golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Greedy []struct {
			PromptIDs       []int32 `json:"prompt_ids"`
			ContinuationIDs []int32 `json:"continuation_ids"`
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	e := open(t, choice{dir: tiny, scheme: "none", kv: dtype.F32})
	for _, g := range want.Greedy {
		wantGreedy(t, e, g.PromptIDs, g.ContinuationIDs)
	}
	if len(want.Greedy) == 0 {
		t.Error("no golden continuations")
	}
}

// TestEveryPassCanBeLeftOut: results may move by the rounding of float sums only. The bound
// is that of the engine against the golden logits, met from both sides.
func TestEveryPassCanBeLeftOut(t *testing.T) {
	for _, name := range []string{"families/pangu_pro_moe", "families/qwen3_moe", "families/llama"} {
		dir := filepath.Join(testdata, name)
		ids := openGolden(t, filepath.Join(dir, "golden/golden.safetensors")).ids("input_ids")
		logits := func(off string) []float32 {
			out, err := eval.Logits(context.Background(), open(t, choice{dir, "none", dtype.F32, off}), ids)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		all := logits("")
		for _, p := range passes.List() {
			if p.Required {
				continue
			}
			if largest, _ := distance(t, logits(p.Name), all); largest > 2*floatBound {
				t.Errorf("%s without %s: logits differ by %g", name, p.Name, largest)
			}
		}
	}
}
