package cpucard

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/runtime/kernelspec"
)

func TestSmallHasEveryKind(t *testing.T) {
	var have []string
	for i, s := range small {
		kind, _, err := kernelspec.Split([]byte(s.spec))
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, kind)
		if err := newRig(t, i, 1).run(); err != nil && !strings.Contains(err.Error(), "rows from") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if have = slices.Compact(have); len(have) != len(kinds) {
		t.Errorf("%v of %v", have, Kinds())
	}
}

func TestSpecsThatAreRefused(t *testing.T) {
	const embed = `{"kind":"embed","Name":"e","Width":16,"TableRows":3,"MaxTokens":4,"Step":false}`
	for _, c := range []struct{ spec, want string }{
		{"", "it has no specification"},
		{"[]", "specification: nested deeper than a spec is"},
		{"{", "specification: unexpected EOF"},
		{"{}", `specification: no member "kind" with a string`},
		{`{"kind":7}`, `specification: no member "kind" with a string`},
		{embed + "x", "specification: data behind the object"},
		{`{"kind":"embed","Width":16,"width":32}`, `specification: member "width" twice`},
		{`{"kind":"pool"}`, `kind "pool" is not known`},
		{`{"kind":"embed","Depth":3}`, `kind embed: json: unknown field "Depth"`},
		{`{"kind":"embed","Width":"a"}`,
			"kind embed: json: cannot unmarshal string into Go struct field embed.Width of type int"},
		{strings.Replace(embed, "16", "24", 1), "kind embed: Width is 24, must be a multiple of 16, 16 to 1048576"},
		{strings.Replace(embed, "3", "0", 1), "kind embed: TableRows is 0, must be 1 to 268435456"},
		{strings.Replace(embed, `"MaxTokens":4`, `"MaxTokens":65537`, 1),
			"kind embed: MaxTokens is 65537, must be 1 to 65536"},
		{`{"kind":"norm","Width":32,"MaxRows":1,"Static":true}`,
			"kind norm: Static is true, must be false without Int8"},
		{`{"kind":"norm","Width":32,"MaxRows":1}`, "kind norm: Add is false, must be true without Half and Int8"},
		{`{"kind":"norm","Width":32,"MaxRows":1,"Add":true,"Eps":1}`,
			"kind norm: Eps is 1, must be at least 0 and below 1"},
		{`{"kind":"linear","N":48,"K":32,"MaxRows":1,"SwiGLU":true}`,
			"kind linear: N is 48, must be a multiple of 32, 32 to 1048576"},
		{`{"kind":"linear","N":32,"K":133120,"MaxRows":1}`, "kind linear: K is 133120, must be 1 to 133000"},
		{`{"kind":"gate","Width":16,"Experts":7,"Groups":3,"LocalGroups":1,"MaxTokens":1}`,
			"kind gate: Experts is 7, must be a multiple of 3"},
		{`{"kind":"gate","Width":16,"Experts":6,"Groups":3,"LocalGroups":1,"MaxTokens":1,"VoteKeep":3}`,
			"kind gate: VoteKeep is 3, must be 0 to 2"},
		{`{"kind":"attention_decode","Heads":3,"KVHeads":2,"Dim":16,"MaxSequences":1,"MaxPages":1,` +
			`"PoolPages":1}`, "kind attention_decode: Heads is 3, must be a multiple of 2"},
		{`{"kind":"top_pick","Vocabulary":7,"Count":8,"MaxRows":1}`,
			"kind top_pick: Vocabulary is 7, must be 8 to 268435456"},
		{`{"kind":"embed","Name":"` + strings.Repeat("a", kernelspec.MaxBytes) + `"}`,
			"specification: 65562 bytes, at most 65536"},
	} {
		if _, err := parse([]byte(c.spec)); err == nil || err.Error() != c.want {
			t.Errorf("%.80s: error %v, want %s", c.spec, err, c.want)
		}
	}
}

func TestKernelsThatAreRefused(t *testing.T) {
	const gateSpec = 13 // of small
	for _, c := range []struct {
		change func(k *bundlepb.Kernel)
		want   string
	}{
		{func(k *bundlepb.Kernel) { k.Tensors[0].Name = "y" }, "kernel k: it has no tensor x of ROLE_IN"},
		{func(k *bundlepb.Kernel) { k.Tensors[3].Role = bundlepb.TensorRole_ROLE_IN },
			"kernel k: it has no tensor weights of ROLE_OUT"},
		{func(k *bundlepb.Kernel) {
			k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: "more",
				Role: bundlepb.TensorRole_ROLE_IN})
		}, "kernel k: tensor more is not one of its kind"},
		{func(k *bundlepb.Kernel) { k.Scalars[0] = "rows" }, "kernel k: it has no scalar tokens"},
		{func(k *bundlepb.Kernel) { k.Scalars = append(k.Scalars, "rows") },
			"kernel k: it has 3 scalars, 2 are those of its kind"},
		{func(k *bundlepb.Kernel) { k.Spec = nil }, "kernel k: it has no specification"},
		{func(k *bundlepb.Kernel) {
			k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: "work",
				Role: bundlepb.TensorRole_ROLE_SCRATCH})
		}, ""},
	} {
		k := described(t, small[gateSpec].spec)
		c.change(k)
		made, err := New(1, k)
		if err == nil {
			made.Close()
		}
		if err == nil != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// What is wrong with a kernel is the bundle's fault, and says what to do.
func TestOpenerBlamesTheBundle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a.moge")
	m := &bundlepb.Manifest{FormatVersion: bundle.FormatVersion, WriterVersion: "1.0.0",
		Model:   &bundlepb.Model{Name: "a", VocabSize: 8, Layers: 1},
		Targets: []string{"300i-duo"}, Ranks: []*bundlepb.Rank{{File: bundle.RankFile(0)}},
		Provenance: &bundlepb.Provenance{ToolVersion: "1.0.0"},
		Kernels: []*bundlepb.Kernel{
			{Name: "k", Source: "kernels/k", Blocks: 1, Spec: []byte(`{"kind":"new"}`)},
		},
		Programs: []*bundlepb.Program{{Name: bundle.StepProgram,
			Limits: &bundlepb.Limits{MaxBatchTokens: 1, MaxSeqs: 1, Context: 1}}}}
	w, err := bundle.Create(context.Background(), durable.OS(), bundle.Job{Out: dir, Manifest: m,
		Files: []bundle.SmallFile{{Path: "kernels/k"}}}, bundle.Options{})
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = Opener(1)(context.Background(), b, 0)
	want := dir + `/manifest.pb: kernel k: kind "new" is not known; ` +
		"compile it anew with this version, or use a newer one"
	if _, ok := err.(*bundle.Error); !ok || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
