package engine

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"moge/codegen"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

// Measures do not depend on how windows are cut into steps, nor on threads.
func TestPerplexityDependsOnTheTextAlone(t *testing.T) {
	var want *eval.Perplexity
	for _, c := range []struct {
		limits  codegen.Limits
		threads int
	}{
		{codegen.Limits{BatchTokens: 300, LogitsRows: 300}, 1},
		{codegen.Limits{BatchTokens: 100, LogitsRows: 37}, 2},
		{codegen.Limits{BatchTokens: 64, LogitsRows: 64, Seqs: 1}, 1},
	} {
		e := openModel(t, "w8a8-dynamic", c.limits, engine.Options{Load: device.Options{Threads: c.threads}})
		windows := textWindows(t, e, 64)[:9]
		windows[3] = windows[3][:2]
		last := 0
		got, err := eval.MeasurePerplexity(context.Background(), e, windows,
			func(done, total int) { last = done })
		if err != nil {
			t.Fatal(err)
		}
		if last != got.Tokens || got.Windows != 9 {
			t.Errorf("progress ends at %d of %d tokens", last, got.Tokens)
		}
		if want == nil {
			want = got
		}
		if *got != *want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestCompare(t *testing.T) {
	ctx := context.Background()
	base := openModel(t, "none", codegen.Limits{}, engine.Options{})
	windows := textWindows(t, base, eval.DefaultWindow)[:3]
	same, err := eval.Compare(ctx, base, base, windows, nil)
	if err != nil {
		t.Fatal(err)
	}
	if same.KL != 0 || same.SameTop1 != 1 || *same.SameExperts != 1 || len(same.Layers) != 4 ||
		*same.Base != *same.Model {
		t.Errorf("a model compared with itself: %+v", same)
	}
	alone, err := eval.MeasurePerplexity(ctx, base, windows, nil)
	if err != nil || *alone != *same.Base {
		t.Errorf("%+v (%v), want %+v", alone, err, same.Base)
	}
	// the golden quantized run has a KL of 0.0005, 98.9 % of tokens and 99.1 % of experts equal
	quantized := openModel(t, "w8a8-dynamic", codegen.Limits{LogitsRows: 50}, engine.Options{})
	got, err := eval.Compare(ctx, base, quantized, windows, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !(got.KL > 1e-4 && got.KL < 2e-3 && got.SameTop1 > 0.95 &&
		*got.SameExperts > 0.97 && *got.SameExperts < 1) {
		t.Errorf("%+v", got)
	}
	share := 0.0
	for _, l := range got.Layers {
		share += l.SameExperts / 4
	}
	if math.Abs(share-*got.SameExperts) > 1e-12 {
		t.Errorf("layers have a mean of %v, the whole %v", share, *got.SameExperts)
	}
	if text, err := json.Marshal(got); err != nil || !json.Valid(text) {
		t.Errorf("%s (%v)", text, err)
	}
}

func TestEvalErrors(t *testing.T) {
	ctx := context.Background()
	e := openModel(t, "none", codegen.Limits{Context: 30}, engine.Options{})
	if _, err := eval.MeasurePerplexity(ctx, e, [][]int32{{1}}, nil); err == nil {
		t.Error("a text without scored tokens must be refused")
	}
	var full *engine.ContextError
	if _, err := eval.MeasurePerplexity(ctx, e, [][]int32{make([]int32, 32)}, nil); !errors.As(err, &full) {
		t.Errorf("%v, want a context error", err)
	}
	if _, err := eval.Logits(ctx, e, [][]int32{{1, 2}, {1}}); err == nil {
		t.Error("sequences of different lengths must be refused")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err := eval.MeasurePerplexity(done, e, [][]int32{{1, 2, 3}}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	for range e.Limits().Seqs {
		if _, err := e.NewSequence(); err != nil {
			t.Errorf("a sequence was not given back: %v", err)
		}
	}
}
