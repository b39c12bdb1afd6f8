package cost

import (
	"testing"

	"moge/ascend/kernels"
	"moge/ascend/model"
	"moge/ascend/soc"
	"moge/codegen/driver"
	"moge/ir/placement"
	"moge/passes"
	"moge/tests/fixture"
)

// TestWeightsAreThoseOfTheBundle: what is predicted of a chip's weights is what a bundle has in its file,
// zeros of the head's blocks, sections of tables and gaps between sections apart: a kilobyte a layer.
func TestWeightsAreThoseOfTheBundle(t *testing.T) {
	chip, err := soc.Find("300i-duo-96g")
	if err != nil {
		t.Fatal(err)
	}
	machine, err := Find("300i-duo-96g")
	if err != nil {
		t.Fatal(err)
	}
	const layers = 2
	primitive := fixture.Graph(t, "../../formats/models/testdata/pangu_published.json",
		`"num_hidden_layers": 48`, `"num_hidden_layers": 2`)
	for _, devices := range []int{2, 4, 8} {
		rules := machine.Rules(driver.MaxPadding)
		for _, p := range placement.List(passes.PlacementModel(primitive), rules, devices) {
			if p.Experts.DP > 1 || p.Shared.DP > 1 {
				continue // weights in replicas, the same in another number
			}
			o := passes.Options{Scheme: fixture.Scheme(t, "w8a8-dynamic")}
			whole := fixture.ForCard(t, primitive, o)
			o.Placement, o.PlacementRules = p, rules
			g := fixture.ForCard(t, primitive, o)
			plan, err := model.New(g, chip, model.Limits{Tokens: 512, Sequences: 16, Rows: 64, Context: 4096})
			if err != nil {
				t.Fatal(p, err)
			}
			have, err := plan.WeightBytes()
			if err != nil {
				t.Fatal(err)
			}
			m, err := ModelOf(whole)
			if err != nil {
				t.Fatal(err)
			}
			own := int(m.Vocabulary) / p.HeadTP
			blocks, rows := kernels.HeadBlocks(own)
			have -= int64(blocks*rows-(own+15)/16*16) * 2 * m.Hidden // whole fractals behind the head's last
			if d := have - m.WeightBytes(p); d < -1024*layers || d > 1024*layers {
				t.Errorf("%v: %d bytes, predicted %d", p, have, m.WeightBytes(p))
			}
		}
	}
}
