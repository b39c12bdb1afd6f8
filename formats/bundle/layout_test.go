package bundle

import (
	"math"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
)

func TestSectionSize(t *testing.T) {
	cases := []struct {
		t      dtype.Type
		shape  []int64
		layout string
		want   int64
		err    string
	}{
		{dtype.F32, []int64{5}, "row", 20, ""},
		{dtype.I4, []int64{3, 3}, "row", 5, ""},
		{dtype.I8, []int64{17, 6}, "tile16", 192, ""},
		{dtype.I8, []int64{17, 6}, "tile16x4", 256, ""},
		{dtype.I8, []int64{2, 17, 33}, "nz16x32", 2 * 32 * 64, ""},
		{dtype.I8, []int64{16, 32}, "nz16x32", 512, ""},
		{dtype.Invalid, []int64{1}, "row", 0, "unknown element type 0"},
		{dtype.I8, nil, "row", 0, "0 dimensions, want 1 to 8"},
		{dtype.I8, []int64{0}, "row", 0, "dimension 0 is 0, want 1 to 1099511627776"},
		{dtype.I8, []int64{2, -1}, "row", 0, "dimension 1 is -1, want 1 to 1099511627776"},
		{dtype.I8, []int64{5}, "tile16", 0, `layout "tile16" needs two dimensions`},
		{dtype.I8, []int64{1 << 40, 1 << 40}, "row", 0, "more than 1125899906842624 elements"},
	}
	for _, c := range cases {
		got, err := SectionSize(c.t, c.shape, c.layout)
		if c.err != "" {
			wantError(t, err, c.err)
		} else if got != c.want || err != nil {
			t.Errorf("%v %v %s: %d bytes, %v, want %d", c.t, c.shape, c.layout, got, err, c.want)
		}
	}
	for _, layout := range []string{"", "16", "tile", "tile0", "tile016", "tile16x", "tile-1",
		"tile+4", "tile16x4x2", "TILE16", "tile16 ", "row16x", "tile65537"} {
		_, err := SectionSize(dtype.I8, []int64{4, 4}, layout)
		wantError(t, err, `unknown layout "`+layout+`"`)
	}
}

func TestLayoutSharesAndAligns(t *testing.T) {
	sections, shared := testSections()
	size, err := Layout(sections, shared)
	if err != nil || size != 512 {
		t.Fatalf("size %d, %v", size, err)
	}
	for i, want := range [][2]int64{{0, 300}, {320, 20}, {0, 300}, {384, 128}} {
		if s := sections[i]; s.Offset != want[0] || s.Size != want[1] {
			t.Errorf("section %d: %d bytes at %d, want %v", i, s.Size, s.Offset, want)
		}
	}
	_, err = Layout([]*bundlepb.Section{{Name: "x", Dtype: bundlepb.DType_F32, Layout: "row"}}, nil)
	wantError(t, err, `section "x": 0 dimensions, want 1 to 8`)
}

// The enums of the manifest have the numbers of ir/dtype and ir/shape.
func TestEnumsFollowIR(t *testing.T) {
	if len(bundlepb.DType_name) != len(dtype.All())+1 {
		t.Errorf("%d element types, ir/dtype has %d", len(bundlepb.DType_name)-1, len(dtype.All()))
	}
	names := map[dtype.Type]bundlepb.DType{
		dtype.F32: bundlepb.DType_F32, dtype.F16: bundlepb.DType_F16,
		dtype.BF16: bundlepb.DType_BF16, dtype.I64: bundlepb.DType_I64, dtype.I32: bundlepb.DType_I32,
		dtype.I8: bundlepb.DType_I8, dtype.U8: bundlepb.DType_U8, dtype.I4: bundlepb.DType_I4}
	for want, pb := range names {
		if DType(pb) != want {
			t.Errorf("%v reads as %v", pb, DType(pb))
		}
	}
	for _, bad := range []bundlepb.DType{0, -1, 9, 256, 257, math.MaxInt32} {
		if DType(bad) != dtype.Invalid {
			t.Errorf("%d reads as %v", bad, DType(bad))
		}
	}
	scalars := map[shape.Scalar]bundlepb.Scalar{
		shape.None: bundlepb.Scalar_FIXED, shape.T: bundlepb.Scalar_T,
		shape.L: bundlepb.Scalar_L, shape.TDP: bundlepb.Scalar_T_DP, shape.TPad: bundlepb.Scalar_T_PAD,
		shape.TWorld: bundlepb.Scalar_T_WORLD}
	for ir, pb := range scalars {
		if int(ir) != int(pb) {
			t.Errorf("%v is %d here and %d in ir/shape", pb, pb, ir)
		}
	}
	if len(scalars) != len(bundlepb.Scalar_name) || len(scalars) != len(shape.Scalars())+1 {
		t.Error("a scalar is missing here")
	}
}
