package kernels

import "testing"

func TestNormSpecs(t *testing.T) {
	for _, c := range []struct {
		spec NormSpec
		want string
	}{
		{NormSpec{Name: "a", Width: 24, MaxRows: 1, Half: true},
			"kernel a: Width is 24, must be a positive multiple of 16"},
		{NormSpec{Name: "a", Width: 48, MaxRows: 1, Int8: true},
			"kernel a: Width is 48, must be a positive multiple of 32"},
		{NormSpec{Name: "a", Width: 32, MaxRows: 0, Half: true},
			"kernel a: MaxRows is 0, must be 1 to 8192"},
		{NormSpec{Name: "a", Width: 32, MaxRows: 1},
			"kernel a: results is 0, must be Half, Int8 or both, or Add alone"},
	} {
		if _, err := Norm(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
