package card

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"moge/ascend/cards"
	"moge/ascend/emu"
	"moge/ascend/emu/acl"
	"moge/ascend/emucard"
	"moge/ascend/soc"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/ir"
	"moge/ir/interp"
	"moge/ir/placement"
	"moge/runtime/device"
	"moge/runtime/npu"
	"moge/runtime/npu/dl"
	"moge/runtime/ranks"
)

const rankTarget = "300i-duo"

// onChips is forChips with the kernels built beside the bundle.
func onChips(t *testing.T, scheme string) (*bundle.Bundle, *ir.Graph) {
	t.Helper()
	b, g := forChips(t, scheme)
	build(t, b)
	return b, g
}

// forChips compiles the small model for 8 chips under H2P; it gives the bundle and the graph of a rank.
func forChips(t *testing.T, scheme string) (*bundle.Bundle, *ir.Graph) {
	t.Helper()
	ctx := context.Background()
	m, err := driver.Open(tiny, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := settings(t, rankTarget, scheme)
	s.Limits.BatchTokens, s.Limits.LogitsRows = 64, 64
	s.Passes.Placement = placement.H2P(8)
	if s.Passes.PlacementRules, err = cards.Rules(rankTarget, 0.15); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "chips.moge")
	if _, err := driver.Compile(ctx, durable.OS(), m, out, s); err != nil {
		t.Fatal(err)
	}
	g, _, err := driver.Graph(ctx, m, s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(out, bundle.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b, g
}

// build does what CANN does on a machine with cards, for the emulated chip.
func build(t *testing.T, b *bundle.Bundle) {
	t.Helper()
	chip, err := soc.Find(rankTarget)
	if err != nil {
		t.Fatal(err)
	}
	var sources []emu.Source
	for _, k := range b.Manifest().Kernels {
		text, err := b.File(k.Source)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, emu.Source{Name: k.Name, Text: string(text)})
	}
	lib, err := emu.Compile(context.Background(), chip, sources)
	if err == nil {
		err = lib.WriteBinary(npu.KernelFiles(b.Dir())[0])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// chipRanks is the inputs of each of 8 ranks for one sequence: the group of the first four has it, the
// rows of the other group are padding.
func chipRanks(ids []int32) []interp.RankInputs {
	whole := inputs(ids)
	none := interp.Inputs{Tokens: make([]int32, len(ids)), Positions: make([]int32, len(ids)), Rows: whole.Rows}
	for range ids {
		none.Sequences = append(none.Sequences, -1)
	}
	in := make([]interp.RankInputs, 8)
	for r := range in {
		in[r].Inputs = whole
		if r >= 4 {
			in[r].Inputs = none
		}
	}
	return in
}

// apart is how far the law of the ranks is from that of one chip: sums of parts that are rounded to
// halves, and a scale for each part of a row. The vocabulary is in 8 parts.
func apart(t *testing.T, g *ir.Graph, w weights, ids []int32, want []float32) float64 {
	t.Helper()
	for name := range namesOf(g) { // decoded once, not by eight ranks at a time
		if _, err := w.Weight(name); err != nil {
			t.Fatal(err)
		}
	}
	out, err := interp.RunRanks(g, chipRanks(ids), w, nil)
	if err != nil {
		t.Fatal(err)
	}
	vocab := len(want) / len(ids)
	most := 0.0
	for r, o := range out {
		logits := o["logits"]
		for row := range ids {
			lo := row*vocab + r*vocab/8
			most = max(most, furthest(logits.F32[row*logits.Last():][:vocab/8], want[lo:lo+vocab/8]))
		}
	}
	return most
}

func namesOf(g *ir.Graph) map[string]bool {
	names := map[string]bool{}
	for _, n := range g.Nodes {
		if n.Op == ir.OpWeight {
			names[n.Str("name")] = true
		}
	}
	return names
}

// TestEightChips: H2P on 8 emulated chips, over AscendCL and HCCL, writes what one chip writes, wherever
// its choice is not in doubt: by twice what roundings of kernels move, and what the law of the ranks does.
// The chips that no library drives give the same, bit for bit.
func TestEightChips(t *testing.T) {
	const scheme, prompt, made = "w8a8-dynamic", 16, 32
	if err := dl.Supported(); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	one := compiled(t, rankTarget, scheme)
	b, g := onChips(t, scheme)
	machine, err := acl.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	machine.Configure(acl.Config{Devices: 8, Chip: "Ascend310P3", Memory: 256 << 20,
		Connect: 10 * time.Second, Execute: 60 * time.Second})
	options := device.Options{CacheRows: 256}
	chips := npu.Device(t.Context(), npu.Options{Libraries: []string{machine.Dir()}})
	over, err := ranks.New(chips).Load(b, 0, options)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := ranks.New(emucard.Device()).Load(b, 0, options)
	if err != nil {
		t.Fatal(err)
	}
	want, ids := continued(t, one.load(t, nil), text(t, prompt), made)
	got := replayed(t, over, ids, prompt)
	if d := furthest(got, replayed(t, direct, ids, prompt)); d != 0 {
		t.Errorf("over the libraries logits differ by %g from chips that are driven directly", d)
	}
	law := one.law(t, ids)
	bound := 2*law.bound + apart(t, g, one.weights, ids, law.logits)
	sameChoices(t, got, want, len(ids), bound)
	if err := over.Close(); err != nil {
		t.Error(err)
	}
	if report := machine.Report(); report != "" {
		t.Errorf("the libraries report\n%s", report)
	}
	if err := direct.Close(); err != nil {
		t.Error(err)
	}
}
