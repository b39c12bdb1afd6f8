package kernels

import "testing"

func TestTopSpecs(t *testing.T) {
	for _, c := range []struct {
		spec TopSpec
		want string
	}{
		{TopSpec{Name: "a", Vocabulary: 100, Count: 12, MaxRows: 1},
			"kernel a: Count is 12, must be a positive multiple of 8"},
		{TopSpec{Name: "a", Vocabulary: 40, Count: 64, MaxRows: 1},
			"kernel a: Vocabulary is 40, must be 64 to 262144"},
		{TopSpec{Name: "a", Vocabulary: 100, Count: 64},
			"kernel a: MaxRows is 0, must be 1 to 1024"},
	} {
		if _, err := TopScan(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
