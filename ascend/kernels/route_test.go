package kernels

import "testing"

func TestRouteSpecs(t *testing.T) {
	for _, c := range []struct {
		spec RouteSpec
		want string
	}{
		{RouteSpec{Name: "a", Experts: 0, PerToken: 1, MaxTokens: 1},
			"kernel a: Experts is 0, must be 1 to 1024"},
		{RouteSpec{Name: "a", Experts: 8, PerToken: 9, MaxTokens: 1},
			"kernel a: PerToken is 9, must be 1 to 8"},
		{RouteSpec{Name: "a", Experts: 8, PerToken: 1, MaxTokens: 2000},
			"kernel a: MaxTokens is 2000, must be 1 to 1536"},
	} {
		if _, err := Route(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
