package hf

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// folderOf writes the files into a new folder.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	configFile     = "config.json"
	generationFile = "generation_config.json"
	tokenizerFile  = "tokenizer_config.json"
)

func TestLoadMergesGeneration(t *testing.T) {
	const config = "{" + base + `,"eos_token_id":2,"bos_token_id":1}`
	for generation, want := range map[string]struct {
		eos      []int64
		bos, pad int64
	}{
		`{}`:                     {[]int64{2}, 1, -1},
		`{"eos_token_id":null}`:  {[]int64{2}, 1, -1},
		`{"eos_token_id":[]}`:    {[]int64{2}, 1, -1},
		`{"eos_token_id":[3,4]}`: {[]int64{3, 4}, 1, -1},
		`{"eos_token_id":5,"bos_token_id":9,"pad_token_id":6}`: {[]int64{5}, 1, 6},
	} {
		c, err := Load(folderOf(t, map[string]string{configFile: config, generationFile: generation}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.EOS, want.eos) || c.BOS != want.bos || c.Pad != want.pad {
			t.Errorf("%s: eos %v, bos %d, pad %d", generation, c.EOS, c.BOS, c.Pad)
		}
		g := c.Generation
		if !slices.Equal(g.EOS, c.EOS) || g.BOS != c.BOS || g.Pad != c.Pad {
			t.Errorf("%s: generation %+v", generation, g)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	const config = "{" + base + "}"
	dir := t.TempDir()
	_, err := Load(dir)
	wantError(t, err, "config.json: is not in "+dir+", a checkpoint's folder must hold it")
	for want, files := range map[string]map[string]string{
		"config.json: is not a JSON object": {configFile: "<html>"},
		"generation_config.json: eos_token_id holds 512, it must be between 0 and 511": {
			configFile: config, generationFile: `{"eos_token_id":[512]}`},
		"generation_config.json: temperature is -1, it must be between 0 and 100": {
			configFile: config, generationFile: `{"temperature":-1}`},
		"generation_config.json: top_p is 1.5, it must be above 0 and at most 1": {
			configFile: config, generationFile: `{"top_p":1.5}`},
		"generation_config.json: top_k is 0.5, it must be an integer between -1 and 2147483647": {
			configFile: config, generationFile: `{"top_k":0.5}`},
		`tokenizer_config.json: bos_token is 1, it must be a string, or an object with content`: {
			configFile: config, tokenizerFile: `{"bos_token":1}`},
		`tokenizer_config.json: chat_template is [], it must be a string, or a list with a template ` +
			`named "default"`: {configFile: config, tokenizerFile: `{"chat_template":[]}`},
	} {
		_, err := Load(folderOf(t, files))
		wantError(t, err, want)
	}
	if err := os.Mkdir(filepath.Join(dir, configFile), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = Load(dir)
	wantError(t, err, "config.json: is not a regular file")
}

func TestLoadRefusesHugeFileUnread(t *testing.T) {
	dir := folderOf(t, map[string]string{configFile: "{}"})
	if err := os.Truncate(filepath.Join(dir, configFile), 1<<40); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	wantError(t, err, "config.json: has 1099511627776 bytes, at most 16777216 are possible")
}

func TestGeneration(t *testing.T) {
	for data, want := range map[string]Generation{
		`{}`: defaultGeneration(),
		`{"do_sample":true,"temperature":0,"top_p":0.5,"top_k":-1,"eos_token_id":[7]}`: {
			DoSample: true, TopP: 0.5, EOS: []int64{7}, BOS: -1, Pad: -1},
		`{"top_k":20,"pad_token_id":0,"bos_token_id":1}`: {Temperature: 1, TopP: 1, TopK: 20, BOS: 1},
	} {
		got, err := ParseGeneration("g", []byte(data))
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", data, got, err)
		}
	}
}

func TestTokenizer(t *testing.T) {
	no := false
	for data, want := range map[string]Tokenizer{
		`{"bos_token":null,"eos_token":{"content":"</s>","lstrip":false},"add_bos_token":false}`: {
			EOSToken: "</s>", AddBOS: &no},
		`{"chat_template":"{{x}}","model_max_length":1000000000000000019884624838656}`: {
			ChatTemplate: "{{x}}"},
		`{"chat_template":[{"name":"tool","template":"a"},{"name":"default","template":"b"}]}`: {
			ChatTemplate: "b"},
	} {
		got, err := ParseTokenizer("t", []byte(data))
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", data, got, err)
		}
	}
}
