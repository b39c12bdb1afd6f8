package hf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Load reads config.json from a checkpoint's folder, and generation_config.json and
// tokenizer_config.json if they are there. End-of-text ids of generation_config.json replace
// those of config.json, as the transformers library does; its other ids fill what is missing.
func Load(dir string) (*Config, error) {
	const (
		main       = "config.json"
		generation = "generation_config.json"
		tokenizer  = "tokenizer_config.json"
	)
	data, found, err := readFile(dir, main)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &Error{File: main,
			Reason: "is not in " + dir + ", a checkpoint's folder must hold it"}
	}
	c, err := ParseConfig(main, data)
	if err != nil {
		return nil, err
	}
	if data, found, err = readFile(dir, generation); err == nil && found {
		err = c.mergeGeneration(generation, data)
	}
	if err != nil {
		return nil, err
	}
	c.Generation.EOS, c.Generation.BOS, c.Generation.Pad = c.EOS, c.BOS, c.Pad
	if data, found, err = readFile(dir, tokenizer); err != nil || !found {
		return c, err
	}
	t, err := ParseTokenizer(tokenizer, data)
	if err != nil {
		return nil, err
	}
	c.Tokenizer = *t
	return c, nil
}

func (c *Config) mergeGeneration(name string, data []byte) error {
	g, err := parseGeneration(name, data, int64(c.VocabSize))
	if err != nil {
		return err
	}
	if len(g.EOS) > 0 {
		c.EOS = g.EOS
	}
	if c.BOS < 0 {
		c.BOS = g.BOS
	}
	if c.Pad < 0 {
		c.Pad = g.Pad
	}
	c.Generation = *g
	return nil
}

// readFile reads one small file; found is false if it does not exist.
func readFile(dir, name string) (data []byte, found bool, err error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, false, nil
	case err != nil:
		return nil, false, &Error{File: name, Reason: "cannot be read: " + err.Error()}
	case !info.Mode().IsRegular():
		return nil, false, &Error{File: name, Reason: "is not a regular file"}
	case info.Size() > maxFile:
		return nil, false, &Error{File: name, Reason: fmt.Sprintf(
			"has %d bytes, at most %d are possible", info.Size(), maxFile)}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, &Error{File: name, Reason: "cannot be read: " + err.Error()}
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, false, &Error{File: name, Reason: "cannot be read: " + err.Error()}
	}
	return data, true, nil
}
