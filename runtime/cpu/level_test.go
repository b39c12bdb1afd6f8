package cpu

import (
	"testing"
)

func TestChooseLevel(t *testing.T) {
	for _, c := range []struct {
		wanted string
		best   ISA
		isa    ISA
		err    string
	}{
		{wanted: "", best: AVX2, isa: AVX2},
		{wanted: "generic", best: AVX512, isa: Generic},
		{wanted: "avx2", best: AVX512, isa: AVX2},
		{wanted: "avx512", best: AVX512, isa: AVX512},
		{wanted: "avx512", best: AVX2, err: "environment variable MOGE_CPU: this machine or " +
			"build lacks avx512: unset it or use avx2"},
		{wanted: "AVX2", best: AVX512, err: "environment variable MOGE_CPU: unknown instruction " +
			`set level "AVX2": use one of generic, avx2, avx512`},
	} {
		isa, err := choose(c.wanted, c.best)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if isa != c.isa || message != c.err {
			t.Errorf("%q of %v: %v, %s; want %v, %s", c.wanted, c.best, isa, message, c.isa, c.err)
		}
	}
}

func TestLevelNames(t *testing.T) {
	for isa := Generic; isa < isaEnd; isa++ {
		back, err := ParseISA(isa.String())
		if err != nil || back != isa {
			t.Errorf("%v reads back as %v, %v", isa, back, err)
		}
	}
	if got := isaEnd.String(); got != "isa(3)" {
		t.Errorf("the level past the last is called %s", got)
	}
}

func TestAvailableEndsWithBest(t *testing.T) {
	levels := Available()
	if levels[0] != Generic || levels[len(levels)-1] != Best() {
		t.Errorf("levels %v, best %v", levels, Best())
	}
	if Best() == AVX512 && !(HasVNNI && HasAVX2) {
		t.Error("AVX-512 is offered without VNNI or AVX2")
	}
}

func TestCachesAreNotNegative(t *testing.T) {
	c := Caches()
	if c.Line < 0 || c.L1D < 0 || c.L2 < 0 || c.L3 < 0 {
		t.Errorf("cache sizes %+v", c)
	}
}
