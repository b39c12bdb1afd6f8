package safetensors

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	format "github.com/nlpodyssey/safetensors"

	"moge/formats/mapped"
	"moge/ir/dtype"
)

// Both ways to the data must agree with an independent reader, tensor by tensor.
func TestDataEqualsReference(t *testing.T) {
	c := mustOpen(t, tinyModel)
	for _, shard := range c.Shards() {
		file, err := os.ReadFile(shard.Path)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := format.Deserialize(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range reference.Tensors() {
			compareData(t, c, named.Name, named.TensorView.Data())
		}
	}
}

func compareData(t *testing.T, c *Checkpoint, name string, want []byte) {
	t.Helper()
	tensor, ok := c.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	dst := make([]byte, tensor.Size)
	if err := c.ReadAt(tensor, dst, 0); err != nil || !bytes.Equal(dst, want) {
		t.Fatalf("%s: ReadAt differs: %v", name, err)
	}
	view, err := c.View(tensor)
	if err != nil || !bytes.Equal(view, want) || cap(view) != len(view) {
		t.Fatalf("%s: View differs: %v", name, err)
	}
	c.Release(tensor)
	if !bytes.Equal(view, want) {
		t.Fatalf("%s: View differs after Release", name)
	}
}

func TestReadAtRanges(t *testing.T) {
	c := mustOpen(t, folderOf(t, map[string][]byte{"m.safetensors": raw("{"+
		record("a", "[4]", "[0,4]")+","+record("b", "[6]", "[4,10]")+","+
		record("e", "[0]", "[10,10]")+"}", 10)}))
	b, _ := c.Tensor("b")
	for off := range int64(7) {
		for n := range 7 - off {
			dst := make([]byte, n)
			if err := c.ReadAt(b, dst, off); err != nil {
				t.Fatal(err)
			}
			if want := []byte{4, 5, 6, 7, 8, 9}[off : off+n]; !bytes.Equal(dst, want) {
				t.Errorf("%d bytes at %d: %v, want %v", n, off, dst, want)
			}
		}
	}
	e, _ := c.Tensor("e")
	if view, err := c.View(e); err != nil || len(view) != 0 {
		t.Errorf("empty tensor: %v, %v", view, err)
	}
	other := b
	other.Shard = "other.safetensors"
	for name, fn := range map[string]func(){
		"behind the end":   func() { _ = c.ReadAt(b, make([]byte, 2), 5) },
		"before the start": func() { _ = c.ReadAt(b, make([]byte, 1), -1) },
		"other shard":      func() { _, _ = c.View(other) },
	} {
		if got := panicOf(fn); !strings.HasPrefix(got, "BUG: ") {
			t.Errorf("%s: panic %q", name, got)
		}
	}
}

func panicOf(fn func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	fn()
	return ""
}

func TestConcurrentReads(t *testing.T) {
	c := mustOpen(t, tinyModel)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, name := range c.Names()[:40] {
				tensor, _ := c.Tensor(name)
				dst := make([]byte, tensor.Size)
				view, err := c.View(tensor)
				if err == nil {
					err = c.ReadAt(tensor, dst, 0)
				}
				if err != nil || !bytes.Equal(view, dst) {
					t.Errorf("%s: %v", name, err)
				}
				c.Release(tensor)
			}
		})
	}
	group.Wait()
}

func TestFileCutWhileOpen(t *testing.T) {
	const size, kept = 256 << 10, 64 << 10 // kept is whole pages on every usual machine
	file := written(t, []Tensor{tensor("a", dtype.U8, size)}, nil, make([]byte, size))
	dir := folderOf(t, map[string][]byte{"m.safetensors": file})
	path := filepath.Join(dir, "m.safetensors")
	c := mustOpen(t, dir)
	a, _ := c.Tensor("a")
	view, err := c.View(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, kept); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, len(view))
	err = mapped.Guard(func() error { copy(dst, view); return nil })
	if !errors.Is(err, mapped.ErrFault) {
		t.Errorf("view of a cut file: %v", err)
	}
	const hint = ": leave the checkpoint alone while it is read, then start again"
	cut := "offset 65536: file was cut short while in use, it had 262216 bytes" + hint
	wantError(t, c.ReadAt(a, dst, 0), `m.safetensors: tensor "a": `+cut)
	_, err = c.Digest(context.Background(), c.Shards()[0], nil)
	wantError(t, err, "m.safetensors: "+cut)
}

func TestFileCutBeforeView(t *testing.T) {
	dir := folderOf(t, map[string][]byte{"m.safetensors": raw("{"+record("a", "[4]", "[0,4]")+"}", 4)})
	c := mustOpen(t, dir)
	if err := os.Truncate(filepath.Join(dir, "m.safetensors"), 10); err != nil {
		t.Fatal(err)
	}
	a, _ := c.Tensor("a")
	_, err := c.View(a)
	wantError(t, err, "m.safetensors: file has 10 bytes but had 65 when it was opened: "+
		"leave the checkpoint alone while it is read, then start again")
}

func TestDigest(t *testing.T) {
	c := mustOpen(t, tinyModel)
	for _, shard := range c.Shards() {
		file, err := os.ReadFile(shard.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen := int64(0)
		got, err := c.Digest(context.Background(), shard, func(n int64) { seen += n })
		if err != nil || got != sha256.Sum256(file) || seen != shard.Size {
			t.Errorf("%s: %x, progress %d of %d, %v", shard.Name, got, seen, shard.Size, err)
		}
	}
}

func TestDigestStops(t *testing.T) {
	c := mustOpen(t, tinyModel)
	ctx, cancel := context.WithCancel(context.Background())
	pieces := 0
	_, err := c.Digest(ctx, c.Shards()[0], func(int64) { pieces++; cancel() })
	if !errors.Is(err, context.Canceled) || pieces != 1 {
		t.Errorf("%v after %d pieces", err, pieces)
	}
}

func TestCloseTwice(t *testing.T) {
	c, err := Open(tinyModel)
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := c.Tensor("lm_head.weight")
	if _, err := c.View(tensor); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.ReadAt(tensor, make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}
