package kernels

import "testing"

func TestGateSpecs(t *testing.T) {
	for _, c := range []struct {
		spec GateSpec
		want string
	}{
		{GateSpec{Name: "a", Width: 16, Experts: 9, Groups: 2, LocalGroups: 2, MaxTokens: 1},
			"kernel a: Experts is 9, must be a positive multiple of 2"},
		{GateSpec{Name: "a", Width: 16, Experts: 8, Groups: 2, LocalGroups: 3, MaxTokens: 1},
			"kernel a: LocalGroups is 3, must be 1 to 2"},
		{GateSpec{Name: "a", Width: 8, Experts: 8, Groups: 2, LocalGroups: 2, MaxTokens: 1},
			"kernel a: Width is 8, must be a positive multiple of 16"},
		{GateSpec{Name: "a", Width: 16, Experts: 256, Groups: 8, LocalGroups: 8, MaxTokens: 1},
			"kernel a: Experts is 256, must be 1 to 240"},
		{GateSpec{Name: "a", Width: 16, Experts: 8, Groups: 2, LocalGroups: 2, MaxTokens: 1,
			VoteKeep: 5},
			"kernel a: VoteKeep is 5, must be 0 to 4"},
	} {
		if _, err := Gate(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
