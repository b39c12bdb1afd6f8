package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"moge/ir/dtype"
)

const (
	tinyModel = "../../tests/testdata/tiny-moge"
	families  = "../../tests/testdata/families"
)

// raw is a file of this header text and n bytes of data.
func raw(header string, n int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	file = append(file, header...)
	for i := range n {
		file = append(file, byte(i))
	}
	return file
}

// record is a header entry of one-byte elements.
func record(name, shape, offsets string) string {
	return `"` + name + `":{"dtype":"U8","shape":` + shape + `,"data_offsets":` + offsets + `}`
}

// folderOf writes the files into a new folder.
func folderOf(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustOpen(t *testing.T, dir string) *Checkpoint {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// wantError checks the whole text, and that the error can be told by its type.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error: %s", err, want)
	}
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func tensor(name string, typ dtype.Type, shape ...int64) Tensor {
	return Tensor{Name: name, DType: typ, Shape: shape}
}

// written is the file that a Writer makes of the tensors and data.
func written(t *testing.T, tensors []Tensor, metadata map[string]string, data []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, tensors, metadata)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
