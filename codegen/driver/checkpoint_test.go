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

// addTensor appends a vector of zeros to the only file of a checkpoint.
func addTensor(t testing.TB, dir, name string) {
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
	size := len(raw) - int(end)
	header[name] = map[string]any{"dtype": "BF16", "shape": []int{4}, "data_offsets": []int{size, size + 8}}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	out = append(append(append(out, text...), raw[end:]...), make([]byte, 8)...)
	if err := os.WriteFile(path, out, 0o644); err != nil {
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
