package tokenizer

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const tinyDir = "../../tests/testdata/tiny-moge"

func loadTiny(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Load(tinyDir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// mapFiles supplies files from memory.
func mapFiles(files map[string][]byte) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil
		}
		return nil, fs.ErrNotExist
	}
}

func loadTestModel(t testing.TB, name string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".model"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromFiles(mapFiles(map[string][]byte{modelFile: data}))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

type goldenLine struct {
	Text    *string `json:"text"`
	IDs     []int32 `json:"ids"`
	Decoded string  `json:"decoded"`
}

func readGolden(t testing.TB, path string) []goldenLine {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []goldenLine
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var line goldenLine
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func checkGolden(t *testing.T, tok *Tokenizer, lines []goldenLine) {
	t.Helper()
	for i, line := range lines {
		if line.Text != nil {
			if ids := tok.Encode(*line.Text); !slices.Equal(ids, line.IDs) {
				t.Errorf("line %d: Encode(%q) = %v, want %v", i+1, *line.Text, ids, line.IDs)
			}
		}
		if text := tok.Decode(line.IDs); text != line.Decoded {
			t.Errorf("line %d: Decode(%v) = %q, want %q", i+1, line.IDs, text, line.Decoded)
		}
		if text := streamAll(tok.NewStream(), line.IDs); text != line.Decoded {
			t.Errorf("line %d: stream of %v = %q, want %q", i+1, line.IDs, text, line.Decoded)
		}
	}
}

func streamAll(s *Stream, ids []int32) string {
	text := ""
	for _, id := range ids {
		text += s.Push(id)
	}
	return text + s.Flush()
}

func TestGoldenTinyMoge(t *testing.T) {
	lines := readGolden(t, filepath.Join(tinyDir, "golden", "tokenizer_golden.jsonl"))
	if len(lines) != 152 {
		t.Fatalf("%d golden lines, want 152", len(lines))
	}
	checkGolden(t, loadTiny(t), lines)
}

func TestGoldenSentencepiece(t *testing.T) {
	for _, name := range []string{"words", "unused", "raw"} {
		t.Run(name, func(t *testing.T) {
			lines := readGolden(t, filepath.Join("testdata", name+".jsonl"))
			if len(lines) != 120 {
				t.Fatalf("%d golden lines, want 120", len(lines))
			}
			checkGolden(t, loadTestModel(t, name), lines)
		})
	}
}
