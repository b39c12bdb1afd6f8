package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	templateFile = "chat_template.jinja"
	fastFile     = "tokenizer.json"
)

// Load reads the tokenizer of a checkpoint folder. Without a tokenizer.model the error
// wraps ErrNoTokenizer.
func Load(dir string) (*Tokenizer, error) {
	t, err := FromFiles(func(name string) ([]byte, error) {
		return readLimited(filepath.Join(dir, name))
	})
	if err != nil {
		return nil, fmt.Errorf("tokenizer in %s: %w", dir, err)
	}
	return t, nil
}

// readLimited reads at most one byte more than any file of a tokenizer may have.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxModelBytes+1))
}

// FromFiles reads a tokenizer whose files get supplies by base name. For a file that is
// not there, get returns an error that wraps fs.ErrNotExist; only tokenizer.model is
// required. The bytes are not kept.
func FromFiles(get func(name string) ([]byte, error)) (*Tokenizer, error) {
	data, found, err := getFile(get, modelFile, maxModelBytes)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noModel(get)
	}
	m, err := parseModel(data)
	if err != nil {
		return nil, err
	}
	c, err := readConfig(get)
	if err != nil {
		return nil, err
	}
	template, found, err := getFile(get, templateFile, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	if found {
		c.chatTemplate, c.templateFile = string(template), templateFile
	}
	return build(m, c)
}

// getFile tells an absent file from one that cannot be read or is too large.
func getFile(get func(string) ([]byte, error), name string, limit int) ([]byte, bool, error) {
	data, err := get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > limit {
		return nil, false, configError(name, "", "more than the %d bytes that are read", limit)
	}
	return data, true, nil
}

func noModel(get func(string) ([]byte, error)) error {
	if _, err := get(fastFile); err == nil {
		return fmt.Errorf("%w: there is a %s, but only sentencepiece models are read; "+
			"put the %s of the checkpoint beside it or give token ids",
			ErrNoTokenizer, fastFile, modelFile)
	}
	return fmt.Errorf("%w: copy it from the original checkpoint or give token ids",
		ErrNoTokenizer)
}

// Files returns the base names of the files in dir that Load reads, in a fixed order.
func Files(dir string) []string {
	var names []string
	for _, name := range []string{modelFile, configFile, specialsFile, templateFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}
