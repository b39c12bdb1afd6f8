package kernels_test

import (
	"testing"

	"moge/ascend/gate"
	"moge/ascend/kernels"
)

// smallAttention are few and narrow heads; the odd ones have 16 queries a key head, widths that are
// no power of two, and parts that do not divide the pages.
func smallAttention() []kernels.Spec {
	decode := kernels.AttentionDecodeSpec{Name: "decode", Heads: 4, KVHeads: 2, Dim: 16, Scale: 0.25,
		MaxSequences: 40, MaxPages: 17, PoolPages: 600, HeadsPerUnit: 2, Parts: 1}
	parts := decode
	parts.Name, parts.Heads, parts.KVHeads, parts.Dim = "decode_parts", 16, 1, 48
	parts.HeadsPerUnit, parts.Parts = 1, 3
	prefill := kernels.AttentionPrefillSpec{Name: "prefill", Heads: 4, KVHeads: 2, Dim: 16,
		Scale: 0.25, MaxTokens: 1025, MaxPages: 17, PoolPages: 100}
	odd := prefill
	odd.Name, odd.Heads, odd.KVHeads, odd.Dim, odd.MaxTokens = "prefill_odd", 16, 1, 48, 33
	return []kernels.Spec{decode, parts, prefill, odd}
}

func TestSmallAttention(t *testing.T) {
	gated(t, gate.Options{Shapes: gate.All, Seed: 7}, smallAttention()...)
}

// trueAttention is that of Pangu Pro MoE: whole, and a quarter of its heads, whose few units of
// decode are split.
func trueAttention() []kernels.Spec {
	whole := kernels.AttentionDecodeSpec{Name: "decode", Heads: 40, KVHeads: 8, Dim: 128,
		Scale: 0.088388347, MaxSequences: 40, MaxPages: 128, PoolPages: 600, HeadsPerUnit: 2, Parts: 1}
	rank := whole
	rank.Name, rank.Heads, rank.KVHeads, rank.HeadsPerUnit = "decode_rank", 10, 2, 1
	parts := rank
	parts.Name, parts.MaxSequences, parts.Parts = "decode_parts", 5, 4
	prompts := kernels.AttentionPrefillSpec{Name: "prefill", Heads: 40, KVHeads: 8, Dim: 128,
		Scale: 0.088388347, MaxTokens: 17, MaxPages: 128, PoolPages: 600}
	ofRank := prompts
	ofRank.Name, ofRank.Heads, ofRank.KVHeads, ofRank.MaxTokens = "prefill_rank", 10, 2, 64
	return []kernels.Spec{whole, rank, parts, prompts, ofRank}
}

func TestTrueAttention(t *testing.T) {
	gated(t, gate.Options{Shapes: gate.All, Seed: 8}, trueAttention()...)
}
