package ranks

import (
	"errors"
	"testing"

	"moge/ir/placement"
	"moge/passes"
	"moge/tests/fixture"
)

// unequal lets parts of a dimension differ, and pads as it takes.
var unequal = placement.Rules{Align: 1, VocabAlign: 16, MaxPadding: 10}

// TestOddNumbers: for numbers of ranks that the model's sizes are not made for, each placement is compiled
// or refused with a reason, with dynamic scales and without.
func TestOddNumbers(t *testing.T) {
	t.Parallel()
	g := fixture.Graph(t, tinyDir+"/config.json", allLayers, `"num_hidden_layers": 1`)
	for _, scheme := range []string{"none", "w8a8-dynamic"} {
		for _, devices := range []int{3, 6} {
			accepted := 0
			for _, p := range everyPlacement(devices) {
				_, _, err := passes.Compile(g, passes.Options{Scheme: fixture.Scheme(t, scheme), Placement: p,
					PlacementRules: unequal, Verify: true})
				var illegal *placement.IllegalError
				if err == nil {
					accepted++
				} else if !errors.As(err, &illegal) {
					t.Errorf("%s, %v: %v", scheme, p, err)
				}
			}
			if accepted == 0 {
				t.Errorf("%s: nothing is legal on %d ranks", scheme, devices)
			}
			t.Logf("%s: %d placements on %d ranks", scheme, accepted, devices)
		}
	}
}

// TestUnequalParts: 64 and 256 columns and 4096 rows of the vocabulary over three ranks.
func TestUnequalParts(t *testing.T) {
	t.Parallel()
	w := checkpoint(t)
	g := fixture.Graph(t, tinyDir+"/config.json", allLayers, `"num_hidden_layers": 1`)
	whole, _, err := passes.Compile(g, passes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := alone(t, whole, w)
	for _, text := range []string{"attn=dp3:experts=tp3:shared=tp3:head=tp3",
		"attn=dp3:experts=tp3:shared=dp3:head=tp1"} {
		p, err := placement.Parse(text, 3)
		if err != nil {
			t.Fatal(err)
		}
		cut, _, err := passes.Compile(g, passes.Options{Placement: p, PlacementRules: unequal, Verify: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range together(t, cut, p, w) {
			if d, err := difference(got["logits"], want[i]["logits"]); err != nil || d > 1e-4 {
				t.Errorf("%v: step %d: logits differ by %g, %v", p, i, d, err)
			}
		}
	}
}

// everyPlacement has all degrees of the layers, legal or not.
func everyPlacement(devices int) []placement.Placement {
	var degrees []placement.Degrees
	for dp := 1; dp <= devices; dp++ {
		for ep := 1; dp*ep <= devices; ep++ {
			if devices%(dp*ep) == 0 {
				degrees = append(degrees, placement.Degrees{DP: dp, EP: ep, TP: devices / (dp * ep)})
			}
		}
	}
	var list []placement.Placement
	for _, attention := range degrees {
		for _, experts := range degrees {
			for _, shared := range degrees {
				list = append(list, placement.Placement{Devices: devices, Attn: attention, Experts: experts,
					Shared: shared, EmbedTP: 1, HeadTP: devices})
			}
		}
	}
	return list
}
