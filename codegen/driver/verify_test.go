package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"moge/formats/bundle"
	"moge/ir/dtype"
	"moge/passes"
)

// compiled is a bundle of a family in a folder of its own.
func compiled(t testing.TB, m *Model, scheme string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "m.moge")
	compileTo(t, m, out, settingsFor(t, m, scheme, passes.Options{}))
	return out
}

func verify(t testing.TB, dir string, m *Model) error {
	t.Helper()
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s, err := SettingsOf(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Quantized {
		s.Passes = passes.Options{KV: s.Passes.KV}
	}
	return VerifySource(context.Background(), b, m, s)
}

const notThisSource = ": the bundle was not made from this source, or it was changed"

// One changed byte anywhere in a section, padding of tiles included, is found and named.
func TestVerifySourceFindsAChangedByte(t *testing.T) {
	m := openModel(t, filepath.Join(families, "pangu_pro_moe"))
	dir := compiled(t, m, "w8a8-dynamic")
	b := openBundle(t, dir) // before it is changed: opening checks the hashes of small sections
	settings, err := SettingsOf(b)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "weights", "rank-00.bin")
	for i, s := range b.Manifest().Ranks[0].Sections {
		at := []int64{0, s.Size / 2, s.Size - 1}[i%3]
		flip(t, path, s.Offset+at)
		err := VerifySource(context.Background(), b, m, settings)
		var differs *MismatchError
		want := fmt.Sprintf("section %s differs between bytes 0 and %d", s.Name, s.Size)
		if !errors.As(err, &differs) || differs.What != want || err.Error() != dir+": "+want+notThisSource {
			t.Errorf("byte %d of %s: got %v, want %s", at, s.Name, err, want)
		}
		flip(t, path, s.Offset+at)
	}
	if err := verify(t, dir, m); err != nil {
		t.Errorf("the unchanged bundle: %v", err)
	}
}

func flip(t testing.TB, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

func TestVerifySourceFindsAnotherSource(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	dir := compiled(t, m, "w8a16")
	for what, change := range map[string]func(dir string){
		"source file model.safetensors differs": func(dir string) {
			patch(t, dir, "model.layers.1.self_attn.o_proj.weight", 9, []byte{1})
		},
		"source file config.json differs": func(dir string) {
			edit(t, filepath.Join(dir, "config.json"), func(text string) string { return text + " " })
		},
		"source file generation_config.json is missing": func(dir string) {
			if err := os.Remove(filepath.Join(dir, "generation_config.json")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		source := familyCopy(t, "llama")
		change(source)
		wantError(t, verify(t, dir, openModel(t, source)), dir+": "+what+notThisSource)
	}
	other := openModel(t, filepath.Join(families, "qwen3"))
	wantError(t, verify(t, dir, other), dir+": the facts about the model differ"+notThisSource)
}

// Other settings than those of the compilation give another plan.
func TestVerifySourceFindsOtherSettings(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	b := openBundle(t, compiled(t, m, "w8a16"))
	for what, change := range map[string]func(*Settings){
		"the plan differs":                 func(s *Settings) { s.Passes.Off = []string{"FuseQKV"} },
		"the facts about the model differ": func(s *Settings) { s.Passes.Scheme = schemeOf(t, "none") },
		"the table of sections differs":    func(s *Settings) { s.Passes.Float = dtype.F32 },
	} {
		s, err := SettingsOf(b)
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		err = VerifySource(context.Background(), b, m, s)
		wantError(t, err, b.Dir()+": "+what+notThisSource)
	}
}

// A bundle agrees with the quantized directory between it and the checkpoint too.
func TestVerifySourceAgainstAQuantizedDirectory(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	dir := compiled(t, m, "w8a8-dynamic")
	q := quantizedCopy(t, "w8a8-dynamic")
	if err := verify(t, dir, openModel(t, q)); err != nil {
		t.Error(err)
	}
	patch(t, q, "layers.0.mlp.down.weight", 100, []byte{77})
	err := verify(t, dir, openModel(t, q))
	var differs *MismatchError
	if !errors.As(err, &differs) || differs.What != "section layers.0.mlp.down.weight differs "+
		"between bytes 0 and 12288" {
		t.Errorf("a changed weight in %s: %v", q, err)
	}
}

func TestVerifySourceStopsWhenCancelled(t *testing.T) {
	m := openModel(t, filepath.Join(families, "llama"))
	b := openBundle(t, compiled(t, m, "none"))
	s, err := SettingsOf(b)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.Progress = func(stage string, done, total int64) {
		if stage == "compare" {
			cancel()
		}
	}
	if err := VerifySource(ctx, b, m, s); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
