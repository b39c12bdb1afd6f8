package gate_test

import (
	"slices"
	"testing"

	"moge/ascend/gate"
	"moge/ascend/kernels"
	"moge/ascend/soc"
)

// Sizes of Pangu Pro MoE, and of one of its eight ranks: a quarter of the heads, a quarter of the
// experts and half of each, an eighth of the shared expert and of the vocabulary.
const (
	hidden      = 5120
	experts     = 64
	groups      = 8
	headDim     = 128
	rankHeads   = 40 / 4
	rankKVHeads = 8 / 4
	rankExperts = experts / 4
	rankGroups  = groups / 4
	rankWidth   = 1344 / 2
	rankShared  = 5376 / 8
	rankVocab   = 153376 / 8
)

// BenchmarkPublishedRankEveryShape is BenchmarkPublishedModelEveryShape of one rank of eight: about
// three minutes.
func BenchmarkPublishedRankEveryShape(b *testing.B) {
	chip := chip310P(b)
	benchGate(b, chip, rankSpecs(b, chip, 1280), gate.All)
}

// What a rank has of experts and attention gives what references say, at a few shapes: the bench
// has all, and the rest of its kernels.
func TestPublishedRank(t *testing.T) {
	chip := chip310P(t)
	gateOnce(t, chip, slices.Concat(rankLinears(t, chip, 64), rankMoE(t, chip, 64), rankAttention(64)),
		gate.Default)
}

// rankSpecs are the kernels of one rank of eight, for steps of at most so many tokens.
func rankSpecs(t testing.TB, chip *soc.Chip, tokens int) []kernels.Spec {
	t.Helper()
	return slices.Concat(rankLinears(t, chip, tokens), rankMoE(t, chip, tokens), rankAttention(tokens),
		rankHead(t, chip, tokens), rankRows(tokens))
}

// chosen is what choose gives for a chip.
func chosen[T any](t testing.TB, chip *soc.Chip, choose func(*soc.Chip) (T, error)) T {
	t.Helper()
	out, err := choose(chip)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rankLinears are the linears of attention and of the shared expert.
func rankLinears(t testing.TB, chip *soc.Chip, tokens int) []kernels.Spec {
	t.Helper()
	qkv := (rankHeads + 2*rankKVHeads) * headDim
	var out []kernels.Spec
	for _, s := range []kernels.LinearSpec{
		{Name: "qkv", N: qkv, K: hidden, Bias: true},
		{Name: "attention_out", N: hidden, K: rankHeads * headDim, Bias: true, Quantize: true},
		{Name: "shared_gate_up", N: 2 * rankShared, K: hidden, SwiGLU: true},
		{Name: "shared_down", N: hidden, K: rankShared, Quantize: true},
	} {
		s.MaxRows = tokens
		s.Tiling = chosen(t, chip, s.Choose)
		out = append(out, s)
	}
	return out
}

// rankHead is the head, of halves and of int8, and what finds its greatest logits.
func rankHead(t testing.TB, chip *soc.Chip, tokens int) []kernels.Spec {
	t.Helper()
	head := kernels.HeadSpec{Name: "head", Vocab: rankVocab, Width: hidden, MaxRows: min(tokens, 64),
		Eps: 1e-5}
	integer := head
	integer.Name, integer.Int8 = "head_int8", true
	head.Tiling, integer.Tiling = chosen(t, chip, head.Choose), chosen(t, chip, integer.Choose)
	scan := kernels.TopSpec{Name: "top_scan", Vocabulary: rankVocab, Count: 64, MaxRows: head.MaxRows}
	pick := scan
	pick.Name = "top_pick"
	return []kernels.Spec{head, integer, kernels.TopScanSpec{TopSpec: scan},
		kernels.TopPickSpec{TopSpec: pick}}
}

// rankRows are the kernels of whole rows: norms and the embedding of a part of the vocabulary.
func rankRows(tokens int) []kernels.Spec {
	half := kernels.NormSpec{Name: "add_norm_half", Width: hidden, MaxRows: tokens, Eps: 1e-5, Add: true,
		Half: true}
	both := half
	both.Name, both.Int8 = "add_norm_half_int8", true
	return []kernels.Spec{half, both,
		kernels.EmbedSpec{Name: "embed", Width: hidden, TableRows: rankVocab, MaxTokens: tokens}}
}

// rankMoE are gating, of which the rank stores its own groups, and what its experts take.
func rankMoE(t testing.TB, chip *soc.Chip, tokens int) []kernels.Spec {
	t.Helper()
	own := kernels.GateSpec{Name: "gate", Width: hidden, Experts: experts, Groups: groups,
		LocalGroups: rankGroups, MaxTokens: tokens, Scale: true}
	vote := own
	vote.Name, vote.VoteKeep = "gate_vote", 5
	up := kernels.GroupedSpec{Name: "experts_gate_up", Experts: rankExperts, Hidden: hidden,
		Width: rankWidth, MaxRows: rankGroups * tokens}
	down := up
	down.Name = "experts_down"
	up, down = chosen(t, chip, up.ChooseGateUp), chosen(t, chip, down.ChooseDown)
	return []kernels.Spec{own, vote,
		kernels.RouteSpec{Name: "route", Experts: rankExperts, PerToken: rankGroups, MaxTokens: tokens,
			Ascending: true},
		kernels.DispatchSpec{Name: "dispatch", Width: hidden, PerToken: rankGroups, MaxTokens: tokens},
		kernels.GroupedGateUpSpec{GroupedSpec: up}, kernels.GroupedDownSpec{GroupedSpec: down},
		kernels.CombineSpec{Name: "combine", Width: hidden, PerToken: rankGroups, MaxTokens: tokens,
			Ascending: true, Shared: true},
	}
}

// rankAttention is rotation and attention of one rank's heads, of decode also of so few sequences
// that contexts are split.
func rankAttention(tokens int) []kernels.Spec {
	const pages, sequences = 24, 16
	decode := kernels.AttentionDecodeSpec{Name: "decode", Heads: rankHeads, KVHeads: rankKVHeads,
		Dim: headDim, Scale: 0.088388347, MaxSequences: sequences, MaxPages: pages,
		PoolPages: pages * sequences, HeadsPerUnit: 1, Parts: 1}
	split := decode
	split.Name, split.MaxSequences, split.Parts = "decode_split", 1, 4
	return []kernels.Spec{decode, split,
		kernels.AttentionPrefillSpec{Name: "prefill", Heads: rankHeads, KVHeads: rankKVHeads, Dim: headDim,
			Scale: decode.Scale, MaxTokens: tokens, MaxPages: pages, PoolPages: decode.PoolPages},
		kernels.RotarySpec{Name: "rotary", Heads: rankHeads, KVHeads: rankKVHeads, Dim: headDim,
			MaxTokens: tokens, MaxPages: decode.PoolPages},
	}
}
