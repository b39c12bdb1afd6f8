package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"moge/codegen"
	"moge/codegen/driver"
	"moge/ir/tensor"
	"moge/passes"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/eval"
	"moge/runtime/sample"
)

// logitsTolerance bounds the difference of two f32 computations of the same logits, which are
// sums of up to 2^7 products of values that a few dozen roundings of 2^-24 came before; logits
// stay below 2^5: 2^5 · 2^-24 · 2^5 = 2^-14.
const logitsTolerance = 1e-4

var families = []string{"tiny-moge", "families/llama", "families/mixtral", "families/pangu_pro_moe",
	"families/qwen3", "families/qwen3_moe"}

func TestGoldenFloatModels(t *testing.T) {
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			dir := checkpoint(family)
			want := golden(t, dir, "golden.safetensors")
			rows := int64(len(want["input_ids"].I32))
			out := compile(t, dir, driver.Settings{Limits: codegen.Limits{BatchTokens: rows, LogitsRows: rows}})
			r := load(t, open(t, out), device.Options{Threads: 2})
			logits := run(t, r, batchOf(rowsOf(want["input_ids"])))
			got := tensor.FromF32(logits, want["logits"].Shape...)
			if diff, err := tensor.MaxAbsDiff(got, want["logits"]); err != nil || !(diff <= logitsTolerance) {
				t.Errorf("logits are off by %v (%v), %v allowed", diff, err, logitsTolerance)
			}
			if experts := want["expert_ids"]; experts != nil {
				compareExperts(t, r, experts)
			}
		})
	}
}

// compareExperts compares the outputs experts.N with ids [layers,B,T,K].
func compareExperts(t *testing.T, r device.Runner, want *tensor.Tensor) {
	t.Helper()
	size := want.Len() / int(want.Shape[0])
	for layer := range int(want.Shape[0]) {
		got, err := r.Ints(fmt.Sprintf("experts.%d", layer))
		if err != nil || !slices.Equal(got, want.I32[layer*size:(layer+1)*size]) {
			t.Errorf("experts of layer %d differ (%v)", layer, err)
		}
	}
}

// openModel compiles tiny-moge under a scheme and opens the engine.
func openModel(t *testing.T, name string, l codegen.Limits, opt engine.Options) *engine.Engine {
	t.Helper()
	s := driver.Settings{Limits: l, Passes: passes.Options{Scheme: scheme(t, name)}}
	return openEngine(t, compile(t, checkpoint("tiny-moge"), s), opt)
}

func openEngine(t *testing.T, dir string, opt engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(context.Background(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// The golden quantized run and ours differ where a value lies at the edge of an int8 step: a
// float64 run of the golden model moves its logits by 0.0065 on average and 0.41 at most.
// We allow the mean twice that, and a KL of a tenth of what quantization itself costs.
func TestGoldenW8A8(t *testing.T) {
	want := golden(t, checkpoint("tiny-moge"), "golden_w8a8_dynamic.safetensors")
	ids := golden(t, checkpoint("tiny-moge"), "golden.safetensors")["input_ids"]
	e := openModel(t, "w8a8-dynamic", codegen.Limits{}, engine.Options{})
	got, err := eval.Logits(context.Background(), e, rowsOf(ids))
	if err != nil {
		t.Fatal(err)
	}
	mean, kl, vocab := 0.0, 0.0, want["logits"].Last()
	for i, v := range want["logits"].F32 {
		mean += math.Abs(float64(got[i])-float64(v)) / float64(len(got))
	}
	for at := 0; at < len(got); at += vocab {
		kl += sample.KL(want["logits"].F32[at:at+vocab], got[at:at+vocab]) / float64(len(got)/vocab)
	}
	t.Logf("mean difference %.5f, KL %.3g", mean, kl)
	if !(mean < 0.013) || !(kl < 5e-5) {
		t.Errorf("mean difference %v, want below 0.013; KL %v, want below 5e-5", mean, kl)
	}
}

// goldenText is what golden.json says of decoding and perplexity.
type goldenText struct {
	Greedy []struct {
		Prompt []int32 `json:"prompt_ids"`
		IDs    []int32 `json:"continuation_ids"`
		Text   string  `json:"text"`
	} `json:"greedy"`
	Perplexity struct {
		Value  float64 `json:"float32"`
		Tokens int     `json:"scored_tokens"`
		Window int     `json:"window"`
	} `json:"perplexity"`
}

func readGolden(t *testing.T) (g goldenText) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(checkpoint("tiny-moge"), "golden", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGoldenGreedy(t *testing.T) {
	e := openModel(t, "none", codegen.Limits{}, engine.Options{})
	for _, g := range readGolden(t).Greedy {
		var text string
		got, err := e.Generate(context.Background(), g.Prompt, engine.GenerateOptions{MaxTokens: len(g.IDs),
			IgnoreEOS: true, OnText: func(s string) { text += s }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Tokens, g.IDs) || got.Reason != engine.ReasonLength || got.Text != text {
			t.Errorf("%v (%s), want %v", got.Tokens, got.Reason, g.IDs)
		}
	}
}

// The sum of 36626 losses, each from logits within the tolerance above, is off by no more
// than their mean; in perplexity that is 48 · 1e-4.
func TestGoldenPerplexity(t *testing.T) {
	if testing.Short() {
		t.Skip("scores 36626 tokens")
	}
	want := readGolden(t).Perplexity
	e := openModel(t, "none", codegen.Limits{}, engine.Options{})
	windows := textWindows(t, e, want.Window)
	calls := 0
	got, err := eval.MeasurePerplexity(context.Background(), e, windows, func(done, total int) { calls++ })
	if err != nil {
		t.Fatal(err)
	}
	if got.Tokens != want.Tokens || !(math.Abs(got.Perplexity-want.Value) < 48*logitsTolerance) || calls == 0 {
		t.Errorf("%v over %d tokens, want %v over %d", got.Perplexity, got.Tokens, want.Value, want.Tokens)
	}
}

func textWindows(t *testing.T, e *engine.Engine, size int) [][]int32 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkpoint("tiny-moge"), "eval.txt"))
	if err != nil {
		t.Fatal(err)
	}
	windows, err := eval.TextWindows(e, string(text), size)
	if err != nil {
		t.Fatal(err)
	}
	return windows
}
