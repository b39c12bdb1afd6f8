package kernels

import "testing"

// The paper's figure for decode attention is an MTE2 use of 89 %, here for one chip of eight: 10
// heads of queries, 2 of keys, 40 sequences at context 2048. Only bytes of keys and values count.
func TestAttentionDecodeShare(t *testing.T) {
	t.Parallel()
	const sequences, length, pages = 40, 2048, 2048 / PageRows
	spec := trueDecode()
	spec.Name, spec.Heads, spec.KVHeads = "attention_decode_share", 10, 2
	r := newRig(t, 200, built(t)(AttentionDecode(spec)))
	table, lengths := make([]int32, sequences*spec.MaxPages), make([]int32, sequences)
	for s := range sequences {
		lengths[s] = length
		for p := range pages {
			table[s*spec.MaxPages+p] = int32(s*pages + p)
		}
	}
	line := r.timeline(&launch{kernel: spec.Name,
		params:  map[string]int{"sequences": sequences, "poolPages": sequences * pages},
		tensors: map[string][]byte{"pages": ints(table), "lengths": ints(lengths)}})
	useful := usefulShare(t, line, 0, 2*2*sequences*length*float64(spec.KVHeads*spec.Dim))
	s := line.Scenarios[0]
	t.Logf("%.0f cycles, useful share of MTE2 %.1f %%", s.Cycles, 100*useful)
	for _, pipe := range []string{"MTE2", "V", "M", "MTE1", "MTE3"} {
		t.Logf("%s is busy %.1f %% of the time", pipe, 100*s.Busy(pipe))
	}
	if useful < 0.89 {
		t.Errorf("useful share of MTE2 is %.3f, want 0.89", useful)
	}
}
