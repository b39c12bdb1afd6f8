package kernels

import "testing"

func TestCombineSpecs(t *testing.T) {
	for _, c := range []struct {
		spec CombineSpec
		want string
	}{
		{CombineSpec{Name: "a", Width: 8, PerToken: 1, MaxTokens: 1},
			"kernel a: Width is 8, must be a positive multiple of 16"},
		{CombineSpec{Name: "a", Width: 16, PerToken: 9, MaxTokens: 1},
			"kernel a: PerToken is 9, must be 1 to 8"},
	} {
		if _, err := Combine(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}

func TestDispatchSpecs(t *testing.T) {
	for _, c := range []struct {
		spec DispatchSpec
		want string
	}{
		{DispatchSpec{Name: "a", Width: 48, PerToken: 1, MaxTokens: 1},
			"kernel a: Width is 48, must be a positive multiple of 32"},
		{DispatchSpec{Name: "a", Width: 32, PerToken: 1},
			"kernel a: MaxTokens is 0, must be 1 to 8192"},
	} {
		if _, err := Dispatch(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
