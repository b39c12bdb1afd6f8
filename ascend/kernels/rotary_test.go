package kernels

import "testing"

func TestRotarySpecs(t *testing.T) {
	for _, c := range []struct {
		spec RotarySpec
		want string
	}{
		{RotarySpec{Name: "a", Heads: 1, KVHeads: 1, Dim: 24, MaxTokens: 1, MaxPages: 1},
			"kernel a: Dim is 24, must be a positive multiple of 16"},
		{RotarySpec{Name: "a", Heads: 1, KVHeads: 1, Dim: 256, MaxTokens: 1, MaxPages: 1},
			"kernel a: Dim is 256, must be 16 to 128"},
		{RotarySpec{Name: "a", Heads: 8, KVHeads: 8, Dim: 128, MaxTokens: 1, MaxPages: 9000},
			"kernel a: MaxPages is 9000, must be 1 to 8191"},
		{RotarySpec{Name: "a", Heads: 1, KVHeads: 0, Dim: 16, MaxTokens: 1, MaxPages: 1},
			"kernel a: KVHeads is 0, must be 1 to 128"},
	} {
		if _, err := Rotary(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
