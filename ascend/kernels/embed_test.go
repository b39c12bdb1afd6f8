package kernels

import "testing"

func TestEmbedSpecs(t *testing.T) {
	for _, c := range []struct {
		spec EmbedSpec
		want string
	}{
		{EmbedSpec{Name: "a", Width: 24, TableRows: 9, MaxTokens: 1},
			"kernel a: Width is 24, must be a positive multiple of 16"},
		{EmbedSpec{Name: "a", Width: 5120, TableRows: 500000, MaxTokens: 1},
			"kernel a: TableRows is 500000, must be 1 to 419414"},
		{EmbedSpec{Name: "a", Width: 16, TableRows: 9},
			"kernel a: MaxTokens is 0, must be 1 to 8192"},
	} {
		if _, err := Embed(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
