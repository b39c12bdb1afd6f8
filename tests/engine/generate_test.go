package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"moge/codegen"
	"moge/codegen/driver"
	"moge/formats/tokenizer"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/sample"
)

// tiny is an engine over tiny-moge with floats, and a prompt whose continuation is golden.
func tiny(t *testing.T, l codegen.Limits, opt engine.Options) (*engine.Engine, []int32, string) {
	t.Helper()
	g := readGolden(t).Greedy[0]
	return openModel(t, "none", l, opt), g.Prompt, g.Text
}

func TestStopStrings(t *testing.T) {
	e, prompt, text := tiny(t, codegen.Limits{}, engine.Options{})
	for _, stop := range []string{" nation", "perous na", "prosperous nation, a", ", a new world", "n", ","} {
		t.Run(stop, func(t *testing.T) {
			var streamed strings.Builder
			got, err := e.Generate(context.Background(), prompt, engine.GenerateOptions{MaxTokens: 64,
				Stop: []string{"never in the text", stop}, OnText: func(s string) { streamed.WriteString(s) }})
			if err != nil {
				t.Fatal(err)
			}
			want, _, found := strings.Cut(text, stop)
			if !found || got.Text != want || streamed.String() != want || got.Reason != engine.ReasonStop {
				t.Errorf("%q (%s), streamed %q, want %q", got.Text, got.Reason, streamed.String(), want)
			}
		})
	}
}

// What a stop string may begin with is held back, but comes out when the text ends.
func TestHeldBackTextComesOut(t *testing.T) {
	e, prompt, text := tiny(t, codegen.Limits{}, engine.Options{})
	at := strings.Index(text, " nation")
	for n := 1; n < 12; n++ {
		got, err := e.Generate(context.Background(), prompt,
			engine.GenerateOptions{MaxTokens: n, Stop: []string{" nation, a newly"}})
		if err != nil {
			t.Fatal(err)
		}
		late := n == 11 && len(got.Text) <= at
		if !strings.HasPrefix(text, got.Text) || got.Reason != engine.ReasonLength || late {
			t.Errorf("%d tokens: %q (%s)", n, got.Text, got.Reason)
		}
	}
}

func TestGenerateEnds(t *testing.T) {
	e, prompt, _ := tiny(t, codegen.Limits{Context: 20}, engine.Options{})
	free, err := e.Generate(context.Background(), prompt, engine.GenerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// the last token needs no position of its own: nothing is computed after it
	if free.Reason != engine.ReasonContext || len(free.Tokens) != 20-len(prompt)+1 {
		t.Errorf("%d tokens after %d (%s), want all of the context", len(free.Tokens), len(prompt), free.Reason)
	}
	got, err := e.Generate(context.Background(), prompt, engine.GenerateOptions{StopIDs: free.Tokens[3:4]})
	at := slices.Index(free.Tokens, free.Tokens[3])
	if err != nil || got.Reason != engine.ReasonStop || !slices.Equal(got.Tokens, free.Tokens[:at]) {
		t.Errorf("%v (%s, %v), want %v", got.Tokens, got.Reason, err, free.Tokens[:at])
	}
	if got.PromptTokens != len(prompt) || got.Generated != at || got.PromptTime <= 0 {
		t.Errorf("counts of %+v", got)
	}
	_, err = e.Generate(context.Background(), make([]int32, 21), engine.GenerateOptions{})
	var full *engine.ContextError
	want := "21 tokens do not fit in the context of 20 positions; " +
		"shorten the prompt or compile with a larger --context"
	if !errors.As(err, &full) || full.Tokens != 21 || full.Context != 20 || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestGenerateSamplesBySeed(t *testing.T) {
	e, prompt, _ := tiny(t, codegen.Limits{}, engine.Options{})
	draw := func(seed uint64) []int32 {
		got, err := e.Generate(context.Background(), prompt, engine.GenerateOptions{
			MaxTokens: 30, IgnoreEOS: true,
			Params: sample.Params{Temperature: 0.8, TopP: 0.95, Seed: seed}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Tokens
	}
	if !slices.Equal(draw(1), draw(1)) || slices.Equal(draw(1), draw(2)) {
		t.Error("tokens must depend on the seed, and on nothing else")
	}
	cold := engine.GenerateOptions{Params: sample.Params{Temperature: -1}}
	if _, err := e.Generate(context.Background(), prompt, cold); err == nil {
		t.Error("a negative temperature must be refused")
	}
}

func TestCancel(t *testing.T) {
	e, prompt, _ := tiny(t, codegen.Limits{Seqs: 1}, engine.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	count := 0
	got, err := e.Generate(ctx, prompt, engine.GenerateOptions{OnToken: func(int32) {
		if count++; count == 5 {
			cancel()
		}
	}})
	if err != nil || got.Reason != engine.ReasonCancelled || len(got.Tokens) != 5 || got.Text == "" {
		t.Errorf("%+v (%v), want 5 tokens", got, err)
	}
	got, err = e.Generate(ctx, prompt, engine.GenerateOptions{})
	if err != nil || got.Reason != engine.ReasonCancelled || len(got.Tokens) != 0 {
		t.Errorf("%+v (%v), want no tokens", got, err)
	}
	if _, err := e.NewSequence(); err != nil {
		t.Errorf("the sequence was not given back: %v", err)
	}
	if _, err := e.NewSequence(); !errors.Is(err, engine.ErrBusy) {
		t.Errorf("%v, want %v", err, engine.ErrBusy)
	}
}

// A batched step gives each sequence the bits that it has alone.
func TestStepOfSeveral(t *testing.T) {
	e, prompt, _ := tiny(t, codegen.Limits{}, engine.Options{Load: device.Options{Threads: 2}})
	ctx := context.Background()
	var inputs []engine.Input
	var want [][]float32
	for n := 1; n <= len(prompt); n++ {
		a, err := e.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		logits, err := a.Feed(ctx, prompt[:n])
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, logits)
		inputs = append(inputs, engine.Input{Sequence: b, Tokens: prompt[:n], Logits: n != 2})
		a.Free()
	}
	got, err := e.Step(ctx, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range inputs {
		if inputs[i].Logits && !slices.Equal(got[i], want[i]) || !inputs[i].Logits && got[i] != nil {
			t.Errorf("sequence %d: other logits than alone", i)
		}
	}
	if _, err := e.Step(ctx, []engine.Input{inputs[0], inputs[0]}); err == nil {
		t.Error("a sequence that occurs twice must be refused")
	}
}

func TestContinueSequence(t *testing.T) {
	e, prompt, _ := tiny(t, codegen.Limits{BatchTokens: 4, Seqs: 2}, engine.Options{})
	ctx := context.Background()
	want, err := e.Generate(ctx, prompt, engine.GenerateOptions{MaxTokens: 12})
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Free()
	first, err := e.Generate(ctx, prompt, engine.GenerateOptions{MaxTokens: 5, Sequence: s})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := e.Generate(ctx, first.Tokens[4:], engine.GenerateOptions{MaxTokens: 7, Sequence: s})
	if err != nil {
		t.Fatal(err)
	}
	if got := append(first.Tokens, rest.Tokens...); !slices.Equal(got, want.Tokens) {
		t.Errorf("%v, want %v", got, want.Tokens)
	}
	if s.Len() != len(prompt)+11 {
		t.Errorf("the sequence has %d positions, want %d", s.Len(), len(prompt)+11)
	}
}

// A model without tokenizer works on ids and says what is missing when text is wanted.
func TestWithoutTokenizer(t *testing.T) {
	e := openEngine(t, compile(t, checkpoint("families/llama"), driver.Settings{}), engine.Options{})
	got, err := e.Generate(context.Background(), []int32{1, 2, 3},
		engine.GenerateOptions{MaxTokens: 4, IgnoreEOS: true})
	if err != nil || len(got.Tokens) != 4 || got.Text != "" {
		t.Errorf("%+v (%v)", got, err)
	}
	want := e.Bundle().Dir() +
		": no tokenizer.model: copy it from the original checkpoint or give token ids"
	_, err = e.Generate(context.Background(), []int32{1}, engine.GenerateOptions{Stop: []string{"x"}})
	if !errors.Is(err, tokenizer.ErrNoTokenizer) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	for _, prompt := range [][]int32{{}, {-1}, {1 << 30}} {
		if _, err := e.Generate(context.Background(), prompt, engine.GenerateOptions{MaxTokens: 1}); err == nil {
			t.Errorf("prompt %v must be refused", prompt)
		}
	}
}

func TestFullCheck(t *testing.T) {
	dir := compile(t, checkpoint("families/llama"), driver.Settings{})
	calls := 0
	e := openEngine(t, dir, engine.Options{FullCheck: true, Progress: func(done, total int64) { calls++ }})
	if calls == 0 || e.Device() != "cpu" || e.Model().Name != "llama" || len(e.EOS()) == 0 {
		t.Errorf("%d calls, device %s, model %s, eos %v", calls, e.Device(), e.Model().Name, e.EOS())
	}
	if _, err := engine.Open(context.Background(), dir+"x", engine.Options{}); err == nil {
		t.Error("a missing bundle must be refused")
	}
	want := "context 5000 is more than the "
	_, err := engine.Open(context.Background(), dir, engine.Options{Load: device.Options{Context: 5000}})
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s…", err, want)
	}
}
