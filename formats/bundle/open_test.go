package bundle

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/formats/mapped"
)

// openAndCheck is what a careful user does.
func openAndCheck(dir string) error {
	b, err := Open(dir, OpenOptions{})
	if err != nil {
		return err
	}
	return errors.Join(b.Check(context.Background(), nil), b.Close())
}

func wantInvalid(t *testing.T, what string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !e.Invalid() {
		t.Errorf("%s: %v, want an invalid bundle", what, err)
	}
}

func TestRoundTrip(t *testing.T) {
	b, err := Open(writeBundle(t), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for i := range 2 {
		r, err := b.Rank(i)
		if err != nil {
			t.Fatal(err)
		}
		for k, s := range r.Sections() {
			owner := []int{0, 1, 0, 3}[k]
			if !bytes.Equal(r.Section(k), content(Chunk{i, owner, 0, s.Size})) {
				t.Errorf("rank %d, section %d: other bytes", i, k)
			}
			if found, ok := r.SectionByName(s.Name); !ok || found != k {
				t.Errorf("section %q found at %d, %v", s.Name, found, ok)
			}
			r.Release(k)
		}
	}
	for _, f := range testJob("").Files {
		if got, err := b.File(f.Path); err != nil || !bytes.Equal(got, f.Data) {
			t.Errorf("%s: %q, %v", f.Path, got, err)
		}
	}
	if b.Program(StepProgram) == nil || b.Program("draft") != nil ||
		b.Manifest().Model.Name != "tiny" {
		t.Error("manifest came back changed")
	}
	var done, total int64
	err = b.Check(context.Background(), func(d, n int64) { done, total = d, n })
	if err != nil || done != total || total != 2*512+24 {
		t.Errorf("check: %d of %d bytes, %v", done, total, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := writeBundle(t)
	b, err := Open(dir, OpenOptions{Ranks: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = b.File("nothing")
	wantError(t, err, dir+`: the bundle has no file "nothing"`)
	_, err = b.Rank(0)
	wantError(t, err, dir+": rank 0 is not open")
	_, err = Open(dir, OpenOptions{Ranks: []int{2}})
	wantError(t, err, dir+": there is no rank 2, the bundle has 2")
	_, err = Open(dir+"x", OpenOptions{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	_, err = Open(t.TempDir(), OpenOptions{})
	wantInvalid(t, "empty directory", err)
}

// A directory with the weights of one rank is enough for that rank.
func TestOneRank(t *testing.T) {
	dir := writeBundle(t)
	missing := filepath.Join(dir, RankFile(0))
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	wantError(t, openAndCheck(dir), missing+": file is missing, the weights of one of 2 ranks; copy it "+
		"from where the bundle was compiled: to run on one machine it needs those of every rank")
	b, err := Open(dir, OpenOptions{Ranks: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Check(context.Background(), nil), b.Close()); err != nil {
		t.Error(err)
	}
}

// eachFile calls fn with every file of a bundle.
func eachFile(t *testing.T, dir string, fn func(path string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fn(path, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A flipped bit in any byte of any file is noticed; outside gaps already by Open.
func TestFlippedBits(t *testing.T) {
	dir := writeBundle(t)
	gaps := 0
	eachFile(t, dir, func(path string, data []byte) {
		for i := range data {
			data[i] ^= 1 << (i % 8)
			overwrite(t, path, data)
			err := openAndCheck(dir)
			wantInvalid(t, path, err)
			if strings.HasSuffix(err.Error(), "byte between sections is not zero; "+rebuildHint) {
				gaps++
			} else if b, err := Open(dir, OpenOptions{}); err == nil {
				t.Errorf("%s, byte %d: not noticed by Open", path, i)
				b.Close()
			}
			data[i] ^= 1 << (i % 8)
		}
		overwrite(t, path, data)
	})
	if gaps != 2*(320-300+384-340) {
		t.Errorf("%d bytes of gaps", gaps)
	}
	if err := openAndCheck(dir); err != nil {
		t.Error(err)
	}
}

// Every file cut to every length, or longer by a byte, or missing, is noticed by Open.
func TestTruncation(t *testing.T) {
	dir := writeBundle(t)
	eachFile(t, dir, func(path string, data []byte) {
		for n := range len(data) + 2 {
			if n == len(data) {
				continue
			}
			overwrite(t, path, append(bytes.Clone(data), 0)[:n])
			_, err := Open(dir, OpenOptions{})
			wantInvalid(t, path, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, OpenOptions{})
		wantInvalid(t, path, err)
		overwrite(t, path, data)
	})
}

func TestUnlistedFiles(t *testing.T) {
	dir := writeBundle(t)
	overwrite(t, filepath.Join(dir, ".DS_Store"), nil)
	if err := openAndCheck(dir); err != nil {
		t.Error(err)
	}
	extra := filepath.Join(dir, "weights", "rank-02.bin")
	overwrite(t, extra, nil)
	wantError(t, openAndCheck(dir), extra+": the manifest does not list this file; remove it")
}

// Links may not lead out of the bundle, and a pipe must not hang the reader.
func TestStrangeFiles(t *testing.T) {
	dir := writeBundle(t)
	report := filepath.Join(dir, "report.json")
	outside := filepath.Join(t.TempDir(), "report.json")
	overwrite(t, outside, []byte("{}\n"))
	for _, replace := range []func() error{
		func() error { return os.Symlink(outside, report) },
		func() error { return os.Mkdir(report, 0o755) },
	} {
		if err := errors.Join(os.Remove(report), replace()); err != nil {
			t.Fatal(err)
		}
		if b, err := Open(dir, OpenOptions{}); err == nil {
			t.Error("accepted")
			b.Close()
		}
	}
}

// bigBundle has one section above the size that Open checks.
func bigBundle(t *testing.T) (dir, weights string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "big.moge")
	job := testJob(dir)
	job.Manifest = testManifest(1)
	r := job.Manifest.Ranks[0]
	r.Sections[3] = &bundlepb.Section{Name: "big", Dtype: bundlepb.DType_F32, Shape: []int64{1 << 19},
		Layout: "row"}
	var err error
	if r.Size, err = Layout(r.Sections, []int{0, 1, 0, 3}); err != nil {
		t.Fatal(err)
	}
	if err := build(durable.OS(), job, Options{ChunkBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, RankFile(0))
}

func TestLargeSectionIsCheckedOnDemand(t *testing.T) {
	dir, weights := bigBundle(t)
	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{384, 384 + 1<<20, len(data) - 1} {
		data[at] ^= 4
		overwrite(t, weights, data)
		b, err := Open(dir, OpenOptions{})
		if err != nil {
			t.Fatalf("Open reads large sections: %v", err)
		}
		wantError(t, b.Check(context.Background(), nil), weights+
			`: byte 384: section "big" does not match its sha256; `+rebuildHint)
		b.Close()
		data[at] ^= 4
	}
}

// A file cut short while it is mapped is an error and no crash.
func TestCutWhileMapped(t *testing.T) {
	dir, weights := bigBundle(t)
	b, err := Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := os.Truncate(weights, 0); err != nil {
		t.Fatal(err)
	}
	err = b.Check(context.Background(), nil)
	wantInvalid(t, "cut", err)
	if !errors.Is(err, mapped.ErrFault) {
		t.Errorf("%v, want a fault", err)
	}
}

func TestCheckIsCancelled(t *testing.T) {
	dir, _ := bigBundle(t)
	b, err := Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	err = b.Check(ctx, func(done, _ int64) {
		if done > 1<<20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
