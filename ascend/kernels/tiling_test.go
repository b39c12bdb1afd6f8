package kernels

import (
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// tilingCases are the products of Pangu Pro MoE on one chip of eight, and small ones.
func tilingCases() []struct {
	name  string
	shape productShape
	build func(t Tiling) (*kernel.Kernel, error)
	want  string
} {
	linear := func(s LinearSpec) (productShape, func(Tiling) (*kernel.Kernel, error)) {
		return s.quantized().shape(), func(t Tiling) (*kernel.Kernel, error) {
			s.Tiling = t
			return Linear(s)
		}
	}
	experts := trueExperts("experts", 320)
	experts.Rows = 20
	head := HeadSpec{Name: "head", Vocab: 153376, Width: 5120, MaxRows: 16}
	head8 := HeadSpec{Name: "head", Vocab: 19172, Width: 5120, MaxRows: 16, Int8: true}
	type row = struct {
		name  string
		shape productShape
		build func(t Tiling) (*kernel.Kernel, error)
		want  string
	}
	rows := []row{
		{"gate and up", experts.gateUp().shape(), func(t Tiling) (*kernel.Kernel, error) {
			experts.Tiling = t
			return GroupedGateUp(experts)
		}, "8 parts, 32 rows, 64 columns a chunk, 64 a step, staged true"},
		{"down", experts.down().shape(), func(t Tiling) (*kernel.Kernel, error) {
			experts.Tiling = t
			return GroupedDown(experts)
		}, "8 parts, 32 rows, 704 columns a chunk, 64 a step, staged true"},
		{"head", head.shape(), func(t Tiling) (*kernel.Kernel, error) {
			head.Tiling = t
			return Head(head)
		}, ""},
		{"head int8", head8.shape(), func(t Tiling) (*kernel.Kernel, error) {
			head8.Tiling = t
			return Head(head8)
		}, ""},
	}
	for _, s := range []LinearSpec{
		{Name: "qkv", N: 1792, K: 5120, MaxRows: 16, Bias: true},
		{Name: "prompt", N: 5120, K: 5120, MaxRows: 1025, Bias: true},
		{Name: "shared", N: 1344, K: 5120, MaxRows: 80, SwiGLU: true},
		{Name: "tiny", N: 64, K: 128, MaxRows: 64, Quantize: true},
	} {
		shape, build := linear(s)
		rows = append(rows, row{s.Name, shape, build, ""})
	}
	return rows
}

func TestChosenTilings(t *testing.T) {
	for _, c := range tilingCases() {
		got, err := c.shape.choose(chip(t))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if again, _ := c.shape.choose(chip(t)); again != got {
			t.Errorf("%s: %v, then %v", c.name, got, again)
		}
		if c.want != "" && got.String() != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
		column := c.shape.k * size(c.shape.weights)
		chunk, matrix := got.Cols*column, c.shape.n*column
		if chunk < min(matrix, 192<<10) {
			t.Errorf("%s: chunks of %d bytes of a matrix of %d", c.name, chunk, matrix)
		}
	}
}

// TestTilingBudget builds legal tilings and compares what they allocate with the account that makes
// them legal; lowering adds the raw accumulator in UB.
func TestTilingBudget(t *testing.T) {
	c := chip(t)
	for _, row := range tilingCases() {
		all := row.shape.tilings(c)
		for i := 0; i < len(all); i += max(1, len(all)/40) {
			k, err := row.build(all[i])
			if err != nil {
				t.Fatalf("%s, %v: %v", row.name, all[i], err)
			}
			var used [3]int
			for _, b := range k.Buffers {
				used[b.Type.Memory] += alignUp(b.Type.Bytes(), 32) * b.Depth
			}
			used[kernel.Vec] += all[i].Rows * all[i].Step * 4
			if account := row.shape.vectorBytes(all[i]); used[kernel.Vec] > account {
				t.Errorf("%s, %v: %d bytes of UB, accounted %d", row.name, all[i], used[kernel.Vec], account)
			}
			l1, l0c := int(c.At(soc.L1Usable)), int(c.At(soc.L0CBytes))
			if used[kernel.Mat] > l1 || used[kernel.Acc] > l0c {
				t.Errorf("%s, %v: %d bytes of L1, %d of L0C", row.name, all[i], used[kernel.Mat],
					used[kernel.Acc])
			}
		}
	}
}

func TestSpecErrors(t *testing.T) {
	_, tooWide := LinearSpec{Name: "wide", N: 64, K: 65536, MaxRows: 16}.Choose(chip(t))
	_, badN := Linear(LinearSpec{Name: "odd", N: 40, K: 64, MaxRows: 16})
	_, noTiling := Linear(LinearSpec{Name: "bare", N: 48, K: 64, MaxRows: 16})
	_, badStep := GroupedDown(GroupedSpec{Name: "step", Experts: 2, Hidden: 64, Width: 32, MaxRows: 16,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 48, Step: 32}})
	_, badFew := GroupedDown(GroupedSpec{Name: "few", Experts: 2, Hidden: 64, Width: 32, MaxRows: 16,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 32, Step: 32}, Few: Tiling{Parts: 8, Rows: 8}})
	_, badWidth := GroupedGateUp(GroupedSpec{Name: "width", Experts: 2, Hidden: 64, Width: 40,
		MaxRows: 16})
	_, badVocab := Head(HeadSpec{Name: "vocab", Vocab: 0, Width: 64, MaxRows: 16})
	for _, c := range []struct {
		err  error
		want string
	}{
		{tooWide, "kernel wide: no tiling of [16, 65536] x [64, 65536] int8_t fits the memories of " +
			"Ascend310P3; use a smaller inner width, or share the layer among more chips"},
		{badN, "kernel odd: N is 40, must be a positive multiple of 16"},
		{noTiling, "kernel bare: Tiling.Parts is 0, must be a positive multiple of 1"},
		{badStep, "kernel step: Tiling.Cols is 48, must be a positive multiple of 32"},
		{badFew, "kernel few: Few.Rows is 8, must be a positive multiple of 16"},
		{badWidth, "kernel width: Width is 40, must be a positive multiple of 16"},
		{badVocab, "kernel vocab: Vocab is 0, must be 1 to 16776191"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("error %v, want %s", c.err, c.want)
		}
	}
}
