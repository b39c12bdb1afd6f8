package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/interp"
	"moge/ir/tensor"
)

// tolerance bounds the difference of two f32 computations of the same logits. Each logit is a sum
// of up to 2^7 products of values whose relative error is a few dozen roundings of 2^-24 by then;
// logits reach 2^5, which gives 2^5 · 2^-24 · 2^5 = 2^-14 and so 1e-4.
const tolerance = 1e-4

// disagreement says how outputs differ from the golden values; empty when they agree.
func (f *fixture) disagreement(out map[string]*tensor.Tensor) string {
	want := tensor.FromF32(f.logits, out["logits"].Shape...)
	diff, err := tensor.MaxAbsDiff(out["logits"], want)
	if err != nil || !(diff <= tolerance) {
		return fmt.Sprintf("logits differ by %v (%v), want at most %v", diff, err, tolerance)
	}
	if f.experts == nil {
		return ""
	}
	layers := len(out) - 1
	perLayer := len(f.experts) / layers
	for layer := range layers {
		got := out[fmt.Sprintf("experts.%d", layer)]
		want := tensor.FromI32(f.experts[layer*perLayer:(layer+1)*perLayer], got.Shape...)
		if d := tensor.Diff(got, want); d != "" {
			return fmt.Sprintf("experts of layer %d: %s", layer, d)
		}
	}
	return ""
}

func TestLogitsAndExperts(t *testing.T) {
	for _, folder := range fixtures {
		t.Run(folder, func(t *testing.T) {
			f := open(t, folder)
			if d := f.disagreement(f.run(t, f.graph, f.weights)); d != "" {
				t.Error(d)
			}
		})
	}
}

// continuation decodes greedily, one token a step over the state of the steps before.
func continuation(t *testing.T, g *ir.Graph, w interp.Weights, prompt []int32, count int) []int32 {
	t.Helper()
	state := interp.NewState()
	step, position := prompt, int32(0)
	var made []int32
	for range count {
		in := interp.Inputs{Rows: []int32{int32(len(step)) - 1}}
		for _, id := range step {
			in.Tokens = append(in.Tokens, id)
			in.Positions = append(in.Positions, position)
			in.Sequences = append(in.Sequences, 3)
			position++
		}
		out, err := interp.Run(g, in, state, w, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		logits := out["logits"].F32
		made = append(made, int32(slices.Index(logits, slices.Max(logits))))
		step = made[len(made)-1:]
	}
	return made
}

func TestGreedyContinuation(t *testing.T) {
	for _, folder := range fixtures {
		t.Run(folder, func(t *testing.T) {
			f := open(t, folder)
			for _, c := range f.continuations(t) {
				got := continuation(t, f.graph, f.weights, c.Prompt, len(c.Continuation))
				if !slices.Equal(got, c.Continuation) {
					t.Errorf("after %v comes %v, want %v", c.Prompt, got, c.Continuation)
				}
			}
		})
	}
}

type greedyCase struct {
	Prompt       []int32 `json:"prompt_ids"`
	Continuation []int32 `json:"continuation_ids"`
}

// prompted is how many ids of row 0 the greedy values of the families continue.
const prompted = 8

func (f *fixture) continuations(t *testing.T) []greedyCase {
	t.Helper()
	if f.greedy != nil {
		return []greedyCase{{f.greedy[:prompted], f.greedy[prompted:]}}
	}
	data, err := os.ReadFile(filepath.Join(f.dir, "golden", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Greedy []greedyCase `json:"greedy"`
	}
	if err := json.Unmarshal(data, &golden); err != nil || len(golden.Greedy) == 0 {
		t.Fatalf("golden.json has %d greedy continuations (%v)", len(golden.Greedy), err)
	}
	return golden.Greedy
}
