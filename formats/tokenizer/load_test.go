package tokenizer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	want := []string{"tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"}
	if got := Files(tinyDir); !slices.Equal(got, want) {
		t.Errorf("Files = %v, want %v", got, want)
	}
	dir := t.TempDir()
	for _, name := range []string{"chat_template.jinja", "tokenizer.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tokenizer.model"), 0o777); err != nil {
		t.Fatal(err)
	}
	if got := Files(dir); !slices.Equal(got, []string{"chat_template.jinja"}) {
		t.Errorf("Files = %v, want the template only", got)
	}
}

func TestNoTokenizer(t *testing.T) {
	dir := t.TempDir()
	prefix := "tokenizer in " + dir + ": no tokenizer.model: "
	_, err := Load(dir)
	want := prefix + "copy it from the original checkpoint or give token ids"
	if !errors.Is(err, ErrNoTokenizer) || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = Load(dir)
	want = prefix + "there is a tokenizer.json, but only sentencepiece models are read; put the " +
		"tokenizer.model of the checkpoint beside it or give token ids"
	if !errors.Is(err, ErrNoTokenizer) || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestConfigErrors(t *testing.T) {
	const conf, spec = "tokenizer_config.json: ", "special_tokens_map.json: "
	long := strings.Repeat(" ", maxConfigBytes+1)
	for _, c := range []struct{ config, specials, want string }{
		{`{`, `{}`, conf + "unexpected end of JSON input"},
		{long, `{}`, conf + "more than the 16777216 bytes that are read"},
		{`{"add_bos_token": "yes"}`, `{}`, conf + `"yes" is not a boolean`},
		{`{"eos_token": "[unused11]"}`, `{}`, conf + `eos_token: "[unused11]" is neither a piece ` +
			"of tokenizer.model nor in added_tokens_decoder"},
		{`{"eos_token": ""}`, `{}`, conf + "eos_token: the token has no text"},
		{`{"eos_token": "<s>"}`, `{"eos_token": "</s>"}`, spec + `eos_token: "</s>" contradicts ` +
			`"<s>" in tokenizer_config.json: make both files say the same`},
		{`{}`, `{"additional_special_tokens": [{"content": "<s>", "rstrip": true}]}`, spec +
			`additional_special_tokens[0]: "<s>" has lstrip, rstrip or single_word set, ` +
			"which is not supported"},
		{`{"added_tokens_decoder": {"-1": {"content": "x"}}}`, `{}`, conf +
			`added_tokens_decoder["-1"]: the key is not a token id from 0 to 4194303`},
		{`{"added_tokens_decoder": {"01": {"content": "<s>"}}}`, `{}`, conf +
			`added_tokens_decoder["01"]: the key is not a token id from 0 to 4194303`},
		{`{"added_tokens_decoder": {"5": {"content": "<s>"}}}`, `{}`, conf +
			`added_tokens_decoder["5"]: "<s>" is piece 1 of tokenizer.model`},
		{`{"added_tokens_decoder": {"5": {"content": "new"}}}`, `{}`, conf +
			`added_tokens_decoder["5"]: "new" differs from piece "<0x00>" of tokenizer.model`},
		{`{"added_tokens_decoder": {"5000": {"content": "new"}, "5001": {"content": "new"}}}`,
			`{}`, conf + `added_tokens_decoder["5001"]: "new" is token 5000 already`},
		{`{"chat_template": 5}`, `{}`, conf +
			"chat_template: neither a string nor a list of named templates"},
	} {
		_, err := FromFiles(mapFiles(map[string][]byte{
			modelFile: tinyModel(t), configFile: []byte(c.config), specialsFile: []byte(c.specials),
		}))
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60s: error %v, want %q", c.config, err, c.want)
		}
	}
}

func TestFromFilesReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := FromFiles(func(string) ([]byte, error) { return nil, broken })
	if !errors.Is(err, broken) || err.Error() != "tokenizer.model: disk on fire" {
		t.Errorf("error %v", err)
	}
}

func TestModelAlone(t *testing.T) {
	tok := loadTestModel(t, "words")
	if got := [4]int32{tok.BOS(), tok.EOS(), tok.UNK(), tok.Pad()}; got != [4]int32{1, 2, 0, 3} {
		t.Errorf("bos, eos, unk, pad = %v, want 1 2 0 3", got)
	}
	if tok.AddBOS() || len(tok.Specials()) != 0 {
		t.Errorf("AddBOS %v, Specials %v", tok.AddBOS(), tok.Specials())
	}
}

func FuzzConfig(f *testing.F) {
	model, err := os.ReadFile(filepath.Join("testdata", "words.model"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"bos_token": {"content": "<s>"}, "chat_template": [{"template": "x"}]}`))
	f.Add([]byte(`{"added_tokens_decoder": {"300": {"content": "<think>"}}, "pad_token": null}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		tok, err := FromFiles(mapFiles(map[string][]byte{
			modelFile: bytes.Clone(model), configFile: config, specialsFile: config,
		}))
		if err == nil && tok.Size() > maxTokenID {
			t.Fatalf("size %d", tok.Size())
		}
	})
}
