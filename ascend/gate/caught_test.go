package gate

import (
	"context"
	"strings"
	"testing"

	"moge/ascend/kernels"
)

// A kernel that is wrong in one comparison, sign or rounding fails, for the tensor that is wrong.
func TestSubtleEditsAreCaught(t *testing.T) {
	needsCompiler(t)
	edits := []struct {
		spec          kernels.Spec
		old, by, want string
	}{
		{kernels.GateSpec{Name: "ties", Width: 32, Experts: 12, Groups: 3, LocalGroups: 3, MaxTokens: 9},
			"best, CMPMODE::LE", "best, CMPMODE::LT", ": ids["},
		{kernels.AttentionPrefillSpec{Name: "causal", Heads: 2, KVHeads: 1, Dim: 16, Scale: 0.25,
			MaxTokens: 20, MaxPages: 3, PoolPages: 9}, "CMPMODE::LE", "CMPMODE::LT", ": out["},
		{kernels.AttentionDecodeSpec{Name: "length", Heads: 2, KVHeads: 1, Dim: 16, Scale: 0.25,
			MaxSequences: 9, MaxPages: 3, PoolPages: 9, HeadsPerUnit: 1, Parts: 1},
			"CMPMODE::LT", "CMPMODE::LE", ": out["},
		{kernels.RotarySpec{Name: "sign", Heads: 1, KVHeads: 1, Dim: 16, MaxTokens: 3, MaxPages: 3},
			"Sub(y, y", "Add(y, y", ": q["},
		{kernels.CombineSpec{Name: "rounding", Width: 16, PerToken: 2, MaxTokens: 17, Ascending: true},
			"Cast(outTile, sum, RoundMode::CAST_NONE", "Cast(outTile, sum, RoundMode::CAST_ODD",
			": out["},
	}
	var specs []kernels.Spec
	for _, e := range edits {
		specs = append(specs, e.spec)
	}
	_, ks, err := Emit(chip(t), specs)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range edits {
		ks[i].Text = edit(t, ks[i].Text, e.old, e.by)
	}
	r, err := Run(context.Background(), chip(t), ks, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range edits {
		if row := r.Rows[i]; row.Passed || !strings.Contains(row.Reason, e.want) {
			t.Errorf("%s: passed %v, reason %q, want%s", row.Kernel, row.Passed, row.Reason, e.want)
		}
	}
}
