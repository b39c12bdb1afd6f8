package bundle

import (
	"testing"

	"moge/formats/bundle/bundlepb"
)

func TestValidateAccepts(t *testing.T) {
	if err := Validate(hashedManifest(), true); err != nil {
		t.Error(err)
	}
	if err := Validate(testManifest(3), false); err != nil {
		t.Error(err)
	}
}

// anySum is as long as a digest.
var anySum = make([]byte, 32)

func firstStep(m *bundlepb.Manifest) *bundlepb.Step { return m.Programs[0].Steps[0] }

// refusal is an edit of a valid manifest and what Validate says of it.
type refusal struct {
	edit func(*bundlepb.Manifest)
	want string
}

var refusals = []refusal{
	{func(x *bundlepb.Manifest) { x.FormatVersion = 0 }, "format version 0, this build knows 1 to 3"},
	{func(x *bundlepb.Manifest) { x.FormatVersion = 4 }, "format version 4, this build knows 1 to 3"},
	{func(x *bundlepb.Manifest) { x.Model = nil }, "manifest without model or provenance"},
	{func(x *bundlepb.Manifest) { x.Model.Layers = -1 }, "model: a count is negative"},
	{func(x *bundlepb.Manifest) { x.Model.KvDtype = 77 }, "model: unknown element type 77"},
	{func(x *bundlepb.Manifest) { x.Targets = nil }, "manifest without targets"},
	{
		func(x *bundlepb.Manifest) { x.Targets = []string{"cpu", "cpu"} },
		`targets[1]: name "cpu" appears twice`,
	},
	{func(x *bundlepb.Manifest) { x.Config[1].Key = "placement" },
		"config[1]: keys are not sorted, unique and non-empty"},
	{
		func(x *bundlepb.Manifest) { x.Provenance.JobKey = []byte{1} },
		"provenance: a digest is not 32 bytes",
	},
	{func(x *bundlepb.Manifest) { x.Provenance.Sources = []*bundlepb.File{{Path: "a", Size: 1}} },
		"provenance.sources[0]: names not sorted and unique, or size or sha256 missing"},

	{func(x *bundlepb.Manifest) { x.Files = []*bundlepb.File{{Path: "/a", Sha256: anySum}} },
		`files[0]: path "/a" does not stay inside the bundle`},
	{func(x *bundlepb.Manifest) { x.Files = []*bundlepb.File{{Path: "a/../../b", Sha256: anySum}} },
		`files[0]: path "a/../../b" does not stay inside the bundle`},
	{func(x *bundlepb.Manifest) { x.Files = []*bundlepb.File{{Path: `a\..\b`, Sha256: anySum}} },
		`files[0]: path "a\\..\\b" does not stay inside the bundle`},
	{func(x *bundlepb.Manifest) { x.Files = []*bundlepb.File{{Path: "weights/x", Sha256: anySum}} },
		`files[0]: path "weights/x" is reserved`},
	{func(x *bundlepb.Manifest) { x.Files = []*bundlepb.File{{Path: "manifest.pb", Sha256: anySum}} },
		`files[0]: path "manifest.pb" is reserved`},
	{func(x *bundlepb.Manifest) {
		x.Files = []*bundlepb.File{{Path: "b", Sha256: anySum}, {Path: "a", Sha256: anySum}}
	},
		`files[1]: path "a" is not in sorted order, or twice`},
	{func(x *bundlepb.Manifest) {
		x.Files = []*bundlepb.File{{Path: "a", Sha256: anySum}, {Path: "a/b/c", Sha256: anySum}}
	},
		`files[1]: "a/b/c" is below the file "a"`},
	{func(x *bundlepb.Manifest) { x.Files = []*bundlepb.File{{Path: "a", Size: -1, Sha256: anySum}} },
		`files[0]: size or sha256 of "a" is missing or wrong`},

	{func(x *bundlepb.Manifest) { x.Ranks = nil }, "0 ranks, want 1 to 1024"},
	{func(x *bundlepb.Manifest) { x.Ranks[1].Index = 0 },
		`ranks[1]: index 0, file "weights/rank-01.bin", want "weights/rank-01.bin"`},
	{func(x *bundlepb.Manifest) { x.Ranks[1].File = "weights/../x" },
		`ranks[1]: index 1, file "weights/../x", want "weights/rank-01.bin"`},
	{
		func(x *bundlepb.Manifest) { x.Ranks[0].Size++ },
		"ranks[0]: size 513, but the last section ends at byte 512",
	},
	{func(x *bundlepb.Manifest) { x.Ranks[1].Sections = x.Ranks[1].Sections[:3]; x.Ranks[1].Size = 340 },
		"ranks[1]: 3 sections, ranks[0] has 4"},
	{
		func(x *bundlepb.Manifest) { x.Ranks[1].Sections[0].Name = "x" },
		`ranks[1].sections[0]: "x" differs from ` +
			`"embed.weight" of ranks[0] in name, dtype, shape, layout or offset`,
	},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Name = "embed.weight" },
		`ranks[0].sections[1]: name "embed.weight" appears twice`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Name = "a\nb" },
		`ranks[0].sections[1]: name "a\nb" is empty, too long or has control characters`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Size = 24 },
		`ranks[0].sections[1]: "norm.weight" has 24 bytes, its type, shape and layout need 20`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Offset = 321 },
		`ranks[0].sections[1]: "norm.weight" has the offset 321`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Offset = -64 },
		`ranks[0].sections[1]: "norm.weight" has the offset -64`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Offset = 256 },
		`ranks[0].sections[1]: "norm.weight" at byte 256 overlaps what ends at byte 300`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Dtype = 9 },
		`ranks[0].sections[1]: "norm.weight": unknown element type 0`},
	{func(x *bundlepb.Manifest) { x.Ranks[0].Sections[1].Sha256 = nil },
		`ranks[0].sections[1]: "norm.weight" has no sha256`},
	{
		func(x *bundlepb.Manifest) { x.Ranks[0].Sections[2].Sha256 = anySum },
		`ranks[0].sections[2]: "head.weight" ` +
			`shares the bytes of "embed.weight" but not its type, shape or hash`,
	},

	{func(x *bundlepb.Manifest) { x.Programs[0].Name = "prefill" }, `no program is named "step"`},
	{func(x *bundlepb.Manifest) { x.Programs = append(x.Programs, x.Programs[0]) },
		`programs[1]: name "step" appears twice`},
	{func(x *bundlepb.Manifest) { x.Programs[0].Limits = nil }, "programs[0]: no limits"},
	{
		func(x *bundlepb.Manifest) { x.Programs[0].Limits.MaxBatchTokens = 0 },
		"programs[0]: the limit of T is 0",
	},
	{func(x *bundlepb.Manifest) { x.Programs[0].Limits.MaxWorldTokens = -1 },
		"programs[0]: the limit of T_WORLD is -1"},
	{func(x *bundlepb.Manifest) { x.Programs[0].Limits.Context = 0 },
		"programs[0]: limits of 4 sequences and 0 positions"},
	{
		func(x *bundlepb.Manifest) { x.Programs[0].ArenaBytes-- },
		"programs[0].buffers[1]: 6400 bytes at 64 are " +
			"misaligned or outside the arena of 6463 bytes",
	},
	{func(x *bundlepb.Manifest) { x.Programs[0].Buffers[1].Offset = 1<<64 - 64 },
		"programs[0].buffers[1]: 6400 bytes " +
			"at 18446744073709551552 are misaligned or outside the arena of 6464 bytes"},
	{func(x *bundlepb.Manifest) { x.Programs[0].Buffers[0].Offset = 4 },
		"programs[0].buffers[0]: 64 bytes at 4 are " +
			"misaligned or outside the arena of 6464 bytes"},
	{func(x *bundlepb.Manifest) { x.Programs[0].Buffers[0].Shape[0].Coef = -1 },
		"programs[0].buffers[0]: dimension 0: coefficient -1, divisor 1"},
	{func(x *bundlepb.Manifest) {
		x.Programs[0].Buffers[0].Shape[0].Coef = 1 << 40
		x.Programs[0].Limits.MaxBatchTokens = 1 << 40
	},
		"programs[0].buffers[0]: dimension 0: more than 1125899906842624 elements"},
	{func(x *bundlepb.Manifest) { x.Programs[0].Buffers[0].Shape[0].Scalar = 6 },
		"programs[0].buffers[0]: dimension 0: unknown scalar 6"},
	{func(x *bundlepb.Manifest) { x.Programs[0].Buffers[0].Dtype = 0 },
		"programs[0].buffers[0]: element type 0 with 1 dimensions"},
	{func(x *bundlepb.Manifest) { x.Programs[0].States[0].Heads = 0 },
		`programs[0].states[0]: "layers.0.attn.k" has element type 2, 0 heads of width 8`},
	{
		func(x *bundlepb.Manifest) { x.Programs[0].Outputs[0].Buffer = 2 },
		"programs[0].outputs[0]: buffer 2 of 2",
	},
	{func(x *bundlepb.Manifest) { x.Programs[0].Inputs[0].Name = "" },
		`programs[0].inputs[0]: name "" is empty, too long or has control characters`},

	{func(x *bundlepb.Manifest) { firstStep(x).Op = 0 }, "programs[0].steps[0]: unknown op-code 0"},
	{func(x *bundlepb.Manifest) { firstStep(x).Op = 9999 }, "programs[0].steps[0]: unknown op-code 9999"},
	{
		func(x *bundlepb.Manifest) { firstStep(x).Guard.Scalar = 0 },
		"programs[0].steps[0]: guard 1 <= scalar 0 <= 16",
	},
	{
		func(x *bundlepb.Manifest) { firstStep(x).Guard.Min = 17 },
		"programs[0].steps[0]: guard 17 <= scalar 1 <= 16",
	},
	{func(x *bundlepb.Manifest) { firstStep(x).Args[0].Kind = &bundlepb.Operand_Buffer{Buffer: 2} },
		"programs[0].steps[0].args[0]: buffer 2 of 2"},
	{func(x *bundlepb.Manifest) { firstStep(x).Args[1].Kind = &bundlepb.Operand_Section{Section: 4} },
		"programs[0].steps[0].args[1]: section 4 of 4"},
	{func(x *bundlepb.Manifest) { firstStep(x).Args[0].Kind = &bundlepb.Operand_State{State: 1} },
		"programs[0].steps[0].args[0]: state 1 of 1"},
	{func(x *bundlepb.Manifest) { firstStep(x).Results[0].Kind = &bundlepb.Operand_Section{Section: 0} },
		"programs[0].steps[0].results[0]: a section cannot be written"},
	{func(x *bundlepb.Manifest) { firstStep(x).Attrs[0].Name = "z" },
		"programs[0].steps[0].attrs[1]: names are not sorted, unique and non-empty"},
	{func(x *bundlepb.Manifest) { firstStep(x).Attrs[0].Value = nil },
		`programs[0].steps[0].attrs[0]: "eps" has no value`},
}

func TestValidateRefuses(t *testing.T) {
	for _, c := range refusals {
		manifest := hashedManifest()
		c.edit(manifest)
		wantError(t, Validate(manifest, true), c.want)
	}
}

// Buffers are measured with every scalar at its own limit.
func TestLimitsOfScalars(t *testing.T) {
	limits := &bundlepb.Limits{MaxBatchTokens: 100, MaxSeqs: 7, Context: 1, MaxLogitsRows: 20,
		MaxPadTokens: 104, MaxWorldTokens: 208}
	cases := []struct {
		dim  *bundlepb.Dim
		want int64
	}{
		{&bundlepb.Dim{Coef: 5}, 5},
		{&bundlepb.Dim{Coef: 2, Scalar: bundlepb.Scalar_T}, 200},
		{&bundlepb.Dim{Coef: 2, Scalar: bundlepb.Scalar_T, Div: 16}, 14},
		{&bundlepb.Dim{Coef: 1, Scalar: bundlepb.Scalar_L, Div: 1}, 20},
		{&bundlepb.Dim{Coef: 1, Scalar: bundlepb.Scalar_T_DP, Div: 1}, 100},
		{&bundlepb.Dim{Coef: 1, Scalar: bundlepb.Scalar_T_PAD, Div: 8}, 13},
		{&bundlepb.Dim{Coef: 8, Scalar: bundlepb.Scalar_T_WORLD, Div: 16}, 104},
	}
	p := program{Program: &bundlepb.Program{Limits: limits}}
	if err := p.bounds(); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if got, err := p.largest(c.dim); got != c.want || err != nil {
			t.Errorf("%v: %d, %v, want %d", c.dim, got, err, c.want)
		}
	}
	p.Limits = &bundlepb.Limits{MaxBatchTokens: 100, MaxSeqs: 7, Context: 1}
	if err := p.bounds(); err != nil || p.limits != [6]int64{0, 100, 7, 100, 100, 100} {
		t.Errorf("defaults %v, %v", p.limits, err)
	}
}
