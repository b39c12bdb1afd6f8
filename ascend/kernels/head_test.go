package kernels

import (
	"testing"

	"moge/ascend/kernel/lower"
)

func TestHeadBlocks(t *testing.T) {
	for _, c := range []struct{ vocab, blocks, rows int }{
		{1, 1, 16}, {4096, 1, 4096}, {19172, 1, 19184}, {65536, 1, 65536}, {65537, 2, 32784},
		{153376, 3, 51136},
	} {
		if blocks, rows := HeadBlocks(c.vocab); blocks != c.blocks || rows != c.rows {
			t.Errorf("HeadBlocks(%d) = %d, %d, want %d, %d", c.vocab, blocks, rows, c.blocks, c.rows)
		}
	}
}

// TestHeadWhole lowers the whole vocabulary: what needs blocks must stay inside fields and tensors.
func TestHeadWhole(t *testing.T) {
	for _, int8s := range []bool{false, true} {
		s := HeadSpec{Name: "head_whole", Vocab: 153376, Width: 5120, MaxRows: 64, Eps: 1e-5, Int8: int8s}
		var err error
		if s.Tiling, err = s.Choose(chip(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := lower.Lower(built(t)(Head(s)), chip(t)); err != nil {
			t.Error(err)
		}
	}
}
