package bundle

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
)

// testSections are a few small tensors: an odd size that leaves a gap, a padded layout, one that
// shares bytes and one that ends the file.
func testSections() ([]*bundlepb.Section, []int) {
	return []*bundlepb.Section{
		{Name: "embed.weight", Dtype: bundlepb.DType_I8, Shape: []int64{3, 100}, Layout: "row"},
		{Name: "norm.weight", Dtype: bundlepb.DType_F32, Shape: []int64{5}, Layout: "row"},
		{Name: "head.weight", Dtype: bundlepb.DType_I8, Shape: []int64{3, 100}, Layout: "row"},
		{Name: "down.weight", Dtype: bundlepb.DType_I4, Shape: []int64{17, 6}, Layout: "tile16x4"},
	}, []int{0, 1, 0, 3}
}

func testManifest(ranks int) *bundlepb.Manifest {
	m := &bundlepb.Manifest{
		FormatVersion: FormatVersion,
		WriterVersion: "1.2.0",
		Model: &bundlepb.Model{Name: "tiny", VocabSize: 3, HiddenSize: 100, Layers: 1, Context: 64,
			EosIds: []int64{2}, Scheme: "none", KvDtype: bundlepb.DType_F16},
		Targets:    []string{"cpu"},
		Programs:   []*bundlepb.Program{testProgram()},
		Config:     []*bundlepb.KeyValue{{Key: "placement", Value: "1"}, {Key: "scheme", Value: "none"}},
		Provenance: &bundlepb.Provenance{ToolVersion: "1.2.0"},
	}
	if ranks > 1 {
		n := uint32(ranks)
		m.Placement = &bundlepb.Placement{Devices: n, Attention: &bundlepb.Degrees{Dp: n}, HeadTp: n}
	}
	for i := range ranks {
		sections, shared := testSections()
		size, err := Layout(sections, shared)
		if err != nil {
			panic(err)
		}
		m.Ranks = append(m.Ranks, &bundlepb.Rank{Index: uint32(i), File: RankFile(i),
			Size: size, Sections: sections})
	}
	return m
}

func testProgram() *bundlepb.Program {
	tokens := &bundlepb.Dim{Coef: 1, Scalar: bundlepb.Scalar_T, Div: 1}
	buffer := func(i uint32) *bundlepb.Operand {
		return &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: i}}
	}
	return &bundlepb.Program{
		Name:       StepProgram,
		Limits:     &bundlepb.Limits{MaxBatchTokens: 16, MaxSeqs: 4, Context: 64},
		ArenaBytes: 64 + 16*400,
		Buffers: []*bundlepb.Buffer{
			{Dtype: bundlepb.DType_I32, Shape: []*bundlepb.Dim{tokens}},
			{Dtype: bundlepb.DType_F32, Shape: []*bundlepb.Dim{tokens, {Coef: 100}}, Offset: 64},
		},
		States: []*bundlepb.State{{Name: "layers.0.attn.k", Dtype: bundlepb.DType_F16,
			Heads: 2, Width: 8}},
		Inputs:  []*bundlepb.Port{{Name: "tokens", Buffer: 0}},
		Outputs: []*bundlepb.Port{{Name: "hidden", Buffer: 1}},
		Steps: []*bundlepb.Step{{
			Op: bundlepb.OpCode_EMBED, Site: "embed",
			Guard:   &bundlepb.Guard{Scalar: bundlepb.Scalar_T, Min: 1, Max: 16},
			Args:    []*bundlepb.Operand{buffer(0), {Kind: &bundlepb.Operand_Section{Section: 0}}, {}},
			Results: []*bundlepb.Operand{buffer(1)},
			Attrs: []*bundlepb.Attr{
				{Name: "eps", Value: &bundlepb.Attr_F{F: 1e-5}},
				{Name: "groups", Value: &bundlepb.Attr_I{I: 1}},
			},
		}},
	}
}

func testJob(out string) Job {
	return Job{
		Out: out, Key: [32]byte{1, 2, 3}, Describe: "tiny, scheme none, 1.2.0", Manifest: testManifest(2),
		Files: []SmallFile{
			{"tokenizer/tokenizer.json", []byte(`{"model":{}}`)},
			{"report.json", []byte("{}\n")},
			{"kernels/src/embed.cpp", []byte("// embed\n")},
			{"tokenizer/empty", nil},
		},
	}
}

// content is what the chunk's bytes are: a function of rank, section and place only.
func content(c Chunk) []byte {
	r := rand.New(rand.NewPCG(uint64(c.Rank), uint64(c.Section)))
	all := make([]byte, c.Offset+c.Size)
	for i := range all {
		all[i] = byte(r.Uint32())
	}
	return all[c.Offset:]
}

// fill puts all pending chunks and counts how often each was computed.
func fill(w *Writer, computed map[Chunk]int) error {
	for _, c := range w.Pending() {
		if computed != nil {
			computed[c]++
		}
		if err := w.Put(c, content(c)); err != nil {
			return err
		}
	}
	return nil
}

// build writes the whole job.
func build(fsys durable.FS, job Job, opts Options) error {
	w, err := Create(context.Background(), fsys, job, opts)
	if err != nil {
		return err
	}
	err = fill(w, nil)
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		return errors.Join(err, w.Suspend())
	}
	return nil
}

// writeBundle builds the test bundle on the real file system.
func writeBundle(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tiny.moge")
	if err := build(durable.OS(), testJob(out), Options{ChunkBytes: 96}); err != nil {
		t.Fatal(err)
	}
	return out
}

// wantError compares the whole text of an error.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error: %v\n want: %s", err, want)
	}
}
