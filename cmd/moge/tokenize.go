package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/formats/bundle"
	"moge/formats/tokenizer"
)

// tokenLine is a line of output, and of input with --decode.
type tokenLine struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

const tokenizeLong = `Tokenize reads lines of text from standard input and writes
one JSON object a line, {"text":...,"ids":[...]}. Ids are those of sentencepiece: no
beginning of sequence is added, and the spelling of a control token such as <s> is
ordinary text. DIR is a checkpoint or a bundle.

With --decode it reads such objects, of which only ids counts, and writes them with
the text that the ids decode to: its output has the form of its input.`

func newTokenize(app *cli.App) *cobra.Command {
	var decode bool
	cmd := &cobra.Command{
		Use: "tokenize DIR", Short: "Turn lines of text into token ids, or back", Long: tokenizeLong,
		Example: "  echo \"Once upon a time\" | moge tokenize checkpoint\n" +
			"  echo '{\"ids\":[1115,327,709]}' | moge tokenize checkpoint --decode",
		Args: cli.Args("DIR"),
		RunE: func(_ *cobra.Command, args []string) error { return tokenize(app, args[0], decode) },
	}
	cmd.Flags().BoolVar(&decode, "decode", false,
		"read objects with ids and write them with their text")
	return cmd
}

func tokenize(app *cli.App, dir string, decode bool) error {
	t, err := loadTokenizer(dir)
	if err != nil {
		return inputError(err)
	}
	convert := func(line string) (tokenLine, error) { return tokenLine{line, t.Encode(line)}, nil }
	if decode {
		convert = func(line string) (tokenLine, error) { return decodeLine(t, line) }
	}
	return eachLine(app.In, app.Out, convert)
}

// loadTokenizer reads that of a checkpoint or of a bundle.
func loadTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, bundle.ManifestName)); err == nil {
		dir = filepath.Join(dir, "tokenizer")
	}
	return tokenizer.Load(dir)
}

// eachLine converts lines until the input ends.
func eachLine(in io.Reader, out io.Writer, convert func(string) (tokenLine, error)) error {
	lines, w := bufio.NewReaderSize(in, 1<<16), bufio.NewWriter(out)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for number := 1; ; number++ {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(fmt.Errorf("standard input: %w", err), w.Flush())
		}
		if errors.Is(err, io.EOF) && line == "" {
			return w.Flush()
		}
		result, err := convert(strings.TrimSuffix(line, "\n"))
		if err != nil {
			err = fmt.Errorf("standard input, line %d: %w", number, err)
			return errors.Join(w.Flush(), exit.With(exit.Input, err))
		}
		if err := e.Encode(result); err != nil {
			return err
		}
	}
}

func decodeLine(t *tokenizer.Tokenizer, line string) (tokenLine, error) {
	var in struct{ IDs []int32 }
	d := json.NewDecoder(bytes.NewReader([]byte(line)))
	if err := d.Decode(&in); err != nil || in.IDs == nil {
		return tokenLine{}, errors.New(`not an object such as {"ids":[1115,327]}`)
	}
	return tokenLine{t.Decode(in.IDs), in.IDs}, nil
}
