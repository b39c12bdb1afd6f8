package cards

import (
	"errors"
	"testing"

	"moge/formats/bundle/bundlepb"
)

// manifestOf is what of a bundle decides whether a chip holds it.
func manifestOf(ranks int, weights, context int64) *bundlepb.Manifest {
	m := &bundlepb.Manifest{Programs: []*bundlepb.Program{{Limits: &bundlepb.Limits{Context: context},
		ArenaBytes: 1 << 20, States: []*bundlepb.State{{Heads: 8, Width: 128}, {Heads: 8, Width: 128}}}}}
	for range ranks {
		m.Ranks = append(m.Ranks, &bundlepb.Rank{Size: weights})
	}
	return m
}

// A placement that holds at one context need not at a longer one.
func TestMemoryOfAChip(t *testing.T) {
	if err := checkMemory("300i-duo", manifestOf(8, 17<<30, 4096)); err != nil {
		t.Error(err)
	}
	const has = "a chip of 300i-duo has 20.1 GiB, 2.0 GiB of which are kept free: "
	const more = "more chips, another --placement (moge simulate DIR --devices 8 --sweep placement), or a " +
		"shorter --context"
	for _, c := range []struct {
		m    *bundlepb.Manifest
		want string
	}{
		{manifestOf(8, 19<<30, 4096), has + "weights of 19.0 GiB, an arena of 1.0 MiB and the cache of one " +
			"sequence of 4096 positions, 16.0 MiB, are 991.3 MiB too much; " + more},
		{manifestOf(1, 70<<30, 4096), has + "weights of 70.0 GiB, an arena of 1.0 MiB and the cache of one " +
			"sequence of 4096 positions, 16.0 MiB, are 52.0 GiB too much; give --devices, the number of chips"},
		{manifestOf(8, 17<<30, 1<<20), has + "weights of 17.0 GiB, an arena of 1.0 MiB and the cache of one " +
			"sequence of 1048576 positions, 4.0 GiB, are 3.0 GiB too much; " + more},
	} {
		err := checkMemory("300i-duo", c.m)
		var short *MemoryError
		if !errors.As(err, &short) || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}
