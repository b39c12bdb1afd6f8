package driver

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"moge/formats/safetensors"
)

// patch overwrites bytes of a tensor, from element on, in the files of a checkpoint.
func patch(t testing.TB, dir, name string, element int64, data []byte) {
	t.Helper()
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, ok := c.Tensor(name)
	if err := c.Close(); err != nil || !ok {
		t.Fatalf("tensor %s found %v, %v", name, ok, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, info.Shard), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, info.Offset+info.DType.Bytes(element)); err != nil {
		t.Fatal(err)
	}
}

// rewriteHeader changes the header of the only file of a checkpoint; the data stays.
func rewriteHeader(t testing.TB, dir string, change func(header map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := 8 + binary.LittleEndian.Uint64(raw)
	header := map[string]any{}
	if err := json.Unmarshal(raw[8:end], &header); err != nil {
		t.Fatal(err)
	}
	change(header)
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	if err := os.WriteFile(path, append(append(out, text...), raw[end:]...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces the text of a file.
func edit(t testing.TB, path string, change func(text string) string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(change(string(raw))), 0o644); err != nil {
		t.Fatal(err)
	}
}
