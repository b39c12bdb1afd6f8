package kernels

import "testing"

func trueDecode() AttentionDecodeSpec {
	return AttentionDecodeSpec{Name: "attention_decode_true", Heads: 40, KVHeads: 8, Dim: 128,
		Scale: 0.088388347, MaxSequences: 40, MaxPages: 128, PoolPages: 600, HeadsPerUnit: 2, Parts: 1}
}

func truePrefill() AttentionPrefillSpec {
	return AttentionPrefillSpec{Name: "attention_prefill_true", Heads: 40, KVHeads: 8, Dim: 128,
		Scale: 0.088388347, MaxTokens: 4096, MaxPages: 128, PoolPages: 600}
}

func TestAttentionSpecs(t *testing.T) {
	decode := func(change func(s *AttentionDecodeSpec)) error {
		s := trueDecode()
		change(&s)
		_, err := AttentionDecode(s)
		return err
	}
	prefill := func(change func(s *AttentionPrefillSpec)) error {
		s := truePrefill()
		change(&s)
		_, err := AttentionPrefill(s)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{decode(func(s *AttentionDecodeSpec) { s.Heads = 41 }),
			"kernel attention_decode_true: Heads is 41, must be a positive multiple of 8"},
		{decode(func(s *AttentionDecodeSpec) { s.Heads = 136 }),
			"kernel attention_decode_true: Heads is 136, must be 1 to 128"},
		{decode(func(s *AttentionDecodeSpec) { s.KVHeads = 0 }),
			"kernel attention_decode_true: KVHeads is 0, must be 1 to 256"},
		{decode(func(s *AttentionDecodeSpec) { s.Dim = 24 }),
			"kernel attention_decode_true: Dim is 24, must be a positive multiple of 16"},
		{decode(func(s *AttentionDecodeSpec) { s.Dim = 144 }),
			"kernel attention_decode_true: Dim is 144, must be 16 to 128"},
		{decode(func(s *AttentionDecodeSpec) { s.HeadsPerUnit = 3 }),
			"kernel attention_decode_true: HeadsPerUnit is 3, must be 1 to 2"},
		{decode(func(s *AttentionDecodeSpec) { s.Heads, s.KVHeads = 15, 5 }),
			"kernel attention_decode_true: HeadsPerUnit is 2, must be a divisor of the 5 key heads"},
		{decode(func(s *AttentionDecodeSpec) { s.PoolPages = 8192 }),
			"kernel attention_decode_true: PoolPages is 8192, must be 1 to 8191"},
		{decode(func(s *AttentionDecodeSpec) { s.MaxPages = 601 }),
			"kernel attention_decode_true: MaxPages is 601, must be 1 to 600"},
		{decode(func(s *AttentionDecodeSpec) { s.Parts = 0 }),
			"kernel attention_decode_true: Parts is 0, must be 1 to 8"},
		{decode(func(s *AttentionDecodeSpec) { s.MaxSequences = 129 }),
			"kernel attention_decode_true: MaxSequences is 129, must be so small that the page table of " +
				"66048 bytes fits 65536: split the sequences over launches"},
		{prefill(func(s *AttentionPrefillSpec) { s.Heads = 12 }),
			"kernel attention_prefill_true: Heads is 12, must be a positive multiple of 8"},
		{prefill(func(s *AttentionPrefillSpec) { s.MaxTokens = 8193 }),
			"kernel attention_prefill_true: MaxTokens is 8193, must be 1 to 8192"},
		{prefill(func(s *AttentionPrefillSpec) { s.MaxPages = 0 }),
			"kernel attention_prefill_true: MaxPages is 0, must be 1 to 600"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v, want %s", c.err, c.want)
		}
	}
}
