package gate

import (
	"slices"
	"testing"

	"moge/ascend/kernels"
)

func TestEveryKindHasAReference(t *testing.T) {
	for _, kind := range kernels.Kinds() {
		if references[kind] == nil {
			t.Errorf("kind %s has no reference", kind)
		}
	}
	if len(references) != len(kernels.Kinds()) {
		t.Errorf("%d references for %d kinds", len(references), len(kernels.Kinds()))
	}
}

func TestCountsEndAtTheLimit(t *testing.T) {
	for _, c := range []struct {
		shapes Shapes
		most   int
		want   []int
	}{
		{Default, 1, []int{1}}, {Default, 16, []int{1, 16}}, {Default, 17, []int{1, 17}},
		{Default, 512, []int{1, 17, 64}}, {All, 5, []int{1, 2, 3, 5}},
		{All, 1024, []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 80, 127, 128, 129, 1023, 1024}},
	} {
		if got := c.shapes.counts(c.most); !slices.Equal(got, c.want) {
			t.Errorf("%v, at most %d: %v, want %v", c.shapes, c.most, got, c.want)
		}
	}
}
