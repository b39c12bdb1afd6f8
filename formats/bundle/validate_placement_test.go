package bundle

import (
	"context"
	"math"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/formats/durable/faultfs"
)

// placed is a manifest of eight ranks with the paper's placement and what follows from it.
func placed() *bundlepb.Manifest {
	m := hashedManifestOf(8)
	m.Model.Experts, m.Model.ExpertsPerToken, m.Model.Groups = 64, 8, 8
	m.Placement = &bundlepb.Placement{Devices: 8, Attention: &bundlepb.Degrees{Dp: 2, Tp: 4},
		Experts: &bundlepb.Degrees{Ep: 4, Tp: 2}, Shared: &bundlepb.Degrees{Tp: 8}, HeadTp: 8}
	m.Certificate = &bundlepb.Balance{Exact: true, K: 8, Ep: 4, RowsNumerator: 2, RowsDenominator: 1,
		GroupsPerRank: 2, Reason: "each token uses one expert of each of 8 groups"}
	return m
}

func TestPlacementAccepted(t *testing.T) {
	for name, edit := range map[string]func(*bundlepb.Manifest){
		"whole":          func(*bundlepb.Manifest) {},
		"zeros are ones": func(x *bundlepb.Manifest) { x.Placement.Attention = &bundlepb.Degrees{Dp: 8} },
		"no shared":      func(x *bundlepb.Manifest) { x.Placement.Shared = nil },
		"no certificate": func(x *bundlepb.Manifest) { x.Certificate = nil },
		"worst case": func(x *bundlepb.Manifest) {
			x.Certificate = &bundlepb.Balance{K: 8, Ep: 4, RowsNumerator: 8, RowsDenominator: 1}
		},
	} {
		m := placed()
		edit(m)
		if err := Validate(m, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	single := hashedManifestOf(1)
	single.Placement = &bundlepb.Placement{Devices: 1, Attention: &bundlepb.Degrees{}}
	if err := Validate(single, true); err != nil {
		t.Error(err)
	}
}

var placementRefusals = []refusal{
	{func(x *bundlepb.Manifest) { x.Placement = nil }, "8 ranks without a placement"},
	{func(x *bundlepb.Manifest) { x.Placement.Devices = 4 }, "placement: 4 devices, there are 8 ranks"},
	{func(x *bundlepb.Manifest) { x.Placement.Attention = nil },
		"placement: attention dp1,ep1,tp1 is not for 8 ranks"},
	{func(x *bundlepb.Manifest) { x.Placement.Attention.Tp = 8 },
		"placement: attention dp2,ep1,tp8 is not for 8 ranks"},
	{func(x *bundlepb.Manifest) {
		x.Placement.Attention = &bundlepb.Degrees{Dp: math.MaxUint32, Tp: math.MaxUint32}
	},
		"placement: attention dp4294967295,ep1,tp4294967295 is not for 8 ranks"},
	{func(x *bundlepb.Manifest) { x.Placement.Attention = &bundlepb.Degrees{Ep: 2, Tp: 4} },
		"placement: attention has ep2, which only routed experts have"},
	{func(x *bundlepb.Manifest) { x.Placement.Experts = nil },
		"placement: experts dp1,ep1,tp1 is not for 8 ranks"},
	{func(x *bundlepb.Manifest) { x.Placement.Shared.Tp = 3 },
		"placement: shared dp1,ep1,tp3 is not for 8 ranks"},
	{func(x *bundlepb.Manifest) { x.Placement.Shared = &bundlepb.Degrees{Ep: 8} },
		"placement: shared has ep8, which only routed experts have"},
	{
		func(x *bundlepb.Manifest) { x.Placement.EmbedTp = 3 },
		"placement: embed tp3 does not divide 8 ranks",
	},
	{func(x *bundlepb.Manifest) { x.Placement.HeadTp = math.MaxUint32 },
		"placement: head tp4294967295 does not divide 8 ranks"},
	{func(x *bundlepb.Manifest) { x.Certificate.Ep = 8 }, "certificate: 8 experts a token and ep8, " +
		"the model and the placement have 8 and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.K = 4 }, "certificate: 4 experts a token and ep4, " +
		"the model and the placement have 8 and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.RowsNumerator = 3 },
		"certificate: 3/1 rows of a rank for each row, of 8 experts a token and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.RowsDenominator = 0 },
		"certificate: 2/0 rows of a rank for each row, of 8 experts a token and ep4"},
	{func(x *bundlepb.Manifest) {
		x.Certificate.RowsNumerator, x.Certificate.RowsDenominator = math.MinInt64, math.MinInt64
	},
		"certificate: -9223372036854775808/-9223372036854775808 rows of a rank for each row, " +
			"of 8 experts a token and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.Exact, x.Certificate.RowsNumerator = false, 9 },
		"certificate: 9/1 rows of a rank for each row, of 8 experts a token and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.GroupsPerRank = 1 },
		"certificate: 1 groups a rank of 8 groups and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.GroupsPerRank = math.MaxInt64 },
		"certificate: 9223372036854775807 groups a rank of 8 groups and ep4"},
	{func(x *bundlepb.Manifest) { x.Model.Groups, x.Certificate.GroupsPerRank = 7<<60, 23<<58 },
		"certificate: 6629298651489370112 groups a rank of 8070450532247928832 groups and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.GroupsPerRank = -2 },
		"certificate: -2 groups a rank of 8 groups and ep4"},
	{func(x *bundlepb.Manifest) { x.Certificate.Reason = "a\nb" },
		"certificate: the reason is no line of at most 1024 bytes"},
	{func(x *bundlepb.Manifest) { x.Ranks[5].Sections[3].Offset += 64; x.Ranks[5].Size += 64 },
		`ranks[5].sections[3]: "down.weight" differs from "down.weight" of ranks[0] ` +
			"in name, dtype, shape, layout or offset"},
}

func TestPlacementRefused(t *testing.T) {
	for _, c := range placementRefusals {
		m := placed()
		c.edit(m)
		wantError(t, Validate(m, true), c.want)
	}
}

func TestDegreesOf(t *testing.T) {
	if got := DegreesOf(nil); got != (Degrees{1, 1, 1}) {
		t.Error(got)
	}
	if got := DegreesOf(&bundlepb.Degrees{Dp: 2, Tp: 4}); got != (Degrees{2, 1, 4}) {
		t.Error(got)
	}
	if got := WeightBytes(testManifest(3)); got != 3*512 {
		t.Error(got)
	}
}

// Each rank's file is whole: what two ranks have alike is stored for both.
func TestEqualRanksAreStoredEach(t *testing.T) {
	f := faultfs.New()
	w, err := Create(context.Background(), f, testJob("out.moge"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Pending() {
		of := c
		of.Rank = 0
		if err := w.Put(c, content(of)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	files := f.Snapshot("out.moge")
	first, second := files[RankFile(0)], files[RankFile(1)]
	if len(first) != 512 || first != second {
		t.Errorf("%d and %d bytes", len(first), len(second))
	}
}

// A resume finds damage in the file of any rank.
func TestResumeChecksEveryRank(t *testing.T) {
	f := suspended(t, 10) // all of rank 0, and three chunks of rank 1
	path := "out.moge.partial/bundle/" + RankFile(1)
	damage(t, f, path, 100)
	wantError(t, createError(f, testJob("out.moge"), Options{Resume: true}), path+": byte 96: "+
		"finished bytes differ from their record in the journal; "+journalHint)
	damage(t, f, path, 100)
	want, _ := undisturbed(t, smallChunks)
	resume(t, "two ranks", f, smallChunks, nil, want)
}
