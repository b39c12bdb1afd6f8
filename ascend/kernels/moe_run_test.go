package kernels_test

import (
	"testing"

	"moge/ascend/gate"
	"moge/ascend/kernels"
)

// smallMoE are the kernels around experts and attention, with and without each option.
func smallMoE() []kernels.Spec {
	gating := func(name string, width, experts, groups, local, keep int) kernels.GateSpec {
		return kernels.GateSpec{Name: name, Width: width, Experts: experts, Groups: groups,
			LocalGroups: local, MaxTokens: 80, Scale: width != 64, VoteKeep: keep}
	}
	return []kernels.Spec{
		gating("gate_plain", 64, 16, 4, 4, 0),
		gating("gate_scaled", 96, 12, 2, 2, 0),
		gating("gate_local", 96, 64, 8, 2, 0),
		gating("gate_single", 32, 6, 6, 6, 0),
		gating("vote", 64, 16, 2, 2, 3),
		gating("vote_local", 96, 64, 8, 2, 5),
		kernels.RouteSpec{Name: "route", Experts: 16, PerToken: 4, MaxTokens: 64, Ascending: true},
		kernels.RouteSpec{Name: "route_any", Experts: 10, PerToken: 3, MaxTokens: 64},
		kernels.DispatchSpec{Name: "dispatch", Width: 64, PerToken: 3, MaxTokens: 64},
		kernels.DispatchSpec{Name: "dispatch_static", Width: 64, PerToken: 3, MaxTokens: 64,
			Static: true},
		kernels.CombineSpec{Name: "combine", Width: 48, PerToken: 4, MaxTokens: 64, Ascending: true,
			Shared: true},
		kernels.CombineSpec{Name: "combine_any", Width: 48, PerToken: 3, MaxTokens: 64},
		kernels.RotarySpec{Name: "rotary", Heads: 4, KVHeads: 2, Dim: 16, MaxTokens: 64, MaxPages: 4},
		kernels.RotarySpec{Name: "rotary_odd", Heads: 3, KVHeads: 1, Dim: 48, MaxTokens: 64,
			MaxPages: 4},
	}
}

func TestSmallMoE(t *testing.T) {
	gated(t, gate.Options{Shapes: gate.All, Seed: 5}, smallMoE()...)
}

// trueMoE are those of Pangu Pro MoE, heads whole and of one chip of four, and a route of more
// experts in any order.
func trueMoE() []kernels.Spec {
	const width, experts, groups, most = 5120, 64, 8, 1025
	whole := kernels.GateSpec{Name: "gate", Width: width, Experts: experts, Groups: groups,
		LocalGroups: groups, MaxTokens: most, Scale: true}
	vote := whole
	vote.Name, vote.VoteKeep = "vote", 5
	return []kernels.Spec{whole, vote,
		kernels.RouteSpec{Name: "route", Experts: experts, PerToken: groups, MaxTokens: most,
			Ascending: true},
		kernels.RouteSpec{Name: "route_any", Experts: 128, PerToken: 8, MaxTokens: most},
		kernels.DispatchSpec{Name: "dispatch", Width: width, PerToken: groups, MaxTokens: most},
		kernels.CombineSpec{Name: "combine", Width: width, PerToken: groups, MaxTokens: most,
			Ascending: true, Shared: true},
		kernels.RotarySpec{Name: "rotary", Heads: 40, KVHeads: 8, Dim: 128, MaxTokens: most,
			MaxPages: 8191},
		kernels.RotarySpec{Name: "rotary_rank", Heads: 10, KVHeads: 2, Dim: 128, MaxTokens: most,
			MaxPages: 8191},
	}
}

func TestTrueMoE(t *testing.T) {
	gated(t, gate.Options{Shapes: gate.All, Seed: 6}, trueMoE()...)
}
