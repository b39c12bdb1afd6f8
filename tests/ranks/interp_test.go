package ranks

import (
	"testing"

	"moge/ir/placement"
	"moge/ir/tensor"
	"moge/passes"
	"moge/tests/fixture"
)

const allLayers = `"num_hidden_layers": 4`

// TestFloatOnRanks: every legal placement gives the logits of one rank, up to the order of sums.
func TestFloatOnRanks(t *testing.T) {
	t.Parallel()
	w := checkpoint(t)
	whole, _ := graphs(t, passes.Options{}, placement.Single(), allLayers, `"num_hidden_layers": 2`)
	want := alone(t, whole, w)
	for i, p := range legal(t, whole) {
		if p.Devices == 8 && i%16 != 0 && p != placement.H2P(8) {
			continue // the engine runs all of them
		}
		_, cut := graphs(t, passes.Options{}, p, allLayers, `"num_hidden_layers": 2`)
		for i, got := range together(t, cut, p, w) {
			d, err := difference(got["logits"], want[i]["logits"])
			if err != nil || d > 1e-4 {
				t.Errorf("%v: step %d: logits differ by %g, %v", p, i, d, err)
			}
			for _, name := range []string{"experts.0", "experts.1"} {
				if diff := tensor.Diff(got[name], want[i][name]); diff != "" {
					t.Errorf("%v: step %d: %s: %s", p, i, name, diff)
				}
			}
		}
	}
}

// TestFamiliesOnRanks: dense models, and routers without groups, as far as placements of them are legal.
func TestFamiliesOnRanks(t *testing.T) {
	for _, family := range []string{"llama", "qwen3", "mixtral", "qwen3_moe"} {
		dir := "../testdata/families/" + family
		g := fixture.Graph(t, dir+"/config.json")
		w := tensorsOf(t, dir)
		whole, _, err := passes.Compile(g, passes.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := passes.PlacementModel(whole)
		want := alone(t, whole, w)
		count := 0
		for _, devices := range []int{2, 4} {
			for _, p := range placement.List(m, rules, devices) {
				cut, _, err := passes.Compile(g, passes.Options{Placement: p, PlacementRules: rules, Verify: true})
				if err != nil {
					t.Fatal(family, p, err)
				}
				count++
				for i, got := range together(t, cut, p, w) {
					if d, err := difference(got["logits"], want[i]["logits"]); err != nil || d > 1e-4 {
						t.Errorf("%s: %v: step %d: logits differ by %g, %v", family, p, i, d, err)
					}
				}
			}
		}
		if count == 0 {
			t.Errorf("%s: no placement is legal", family)
		}
	}
}
