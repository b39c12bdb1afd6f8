package bundle

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"moge/formats/durable"
	"moge/formats/durable/faultfs"
)

var smallChunks = Options{ChunkBytes: 96, SyncBytes: 1}

// suspended is a file system with a job of which the first n chunks are done.
func suspended(t *testing.T, n int) *faultfs.FS {
	t.Helper()
	f := faultfs.New()
	w, err := Create(context.Background(), f, testJob("out.moge"), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.Pending()[:n] {
		if err := w.Put(c, content(c)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Suspend(); err != nil {
		t.Fatal(err)
	}
	return f
}

func createError(f *faultfs.FS, job Job, opts Options) error {
	w, err := Create(context.Background(), f, job, opts)
	if err == nil {
		return errors.Join(errors.New("no error"), w.Suspend())
	}
	return err
}

func TestPendingCoversEachStoredSectionInOrder(t *testing.T) {
	w, err := Create(context.Background(), faultfs.New(), testJob("out.moge"), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	want := []Chunk{{0, 0, 0, 96}, {0, 0, 96, 96}, {0, 0, 192, 96}, {0, 0, 288, 12}, {0, 1, 0, 20},
		{0, 3, 0, 96}, {0, 3, 96, 32}, {1, 0, 0, 96}, {1, 0, 96, 96}, {1, 0, 192, 96}, {1, 0, 288, 12},
		{1, 1, 0, 20}, {1, 3, 0, 96}, {1, 3, 96, 32}}
	if got := w.Pending(); !slices.Equal(got, want) {
		t.Errorf("pending %v\nwant    %v", got, want)
	}
}

// Any order of chunks, any chunk size and any number of goroutines give the same bytes.
func TestOrderDoesNotMatter(t *testing.T) {
	want, _ := undisturbed(t, smallChunks)
	for _, size := range []int64{1, 7, 64, 96, 1000} {
		f := faultfs.New()
		w, err := Create(context.Background(), f, testJob("out.moge"), Options{ChunkBytes: size})
		if err != nil {
			t.Fatal(err)
		}
		pending := w.Pending()
		slices.Reverse(pending)
		var group sync.WaitGroup
		for k := range 4 {
			group.Go(func() {
				for i := k; i < len(pending); i += 4 {
					if err := w.Put(pending[i], content(pending[i])); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(f.Snapshot(""), want) {
			t.Errorf("chunks of %d bytes: other bytes", size)
		}
	}
}

// A resume may use another chunk size: what is done stays done.
func TestResumeWithOtherChunkSize(t *testing.T) {
	want, _ := undisturbed(t, smallChunks)
	for n := range 15 {
		f := suspended(t, n)
		resume(t, "other chunk size", f, Options{ChunkBytes: 50}, nil, want)
	}
}

func TestRefusedChunks(t *testing.T) {
	w, err := Create(context.Background(), faultfs.New(), testJob("out.moge"), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	first := Chunk{0, 0, 0, 96}
	if err := w.Put(first, content(first)); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		chunk Chunk
		bytes int
		want  string
	}{
		{Chunk{2, 0, 0, 1}, 1, "chunk of rank 2, section 0: there is no such section"},
		{Chunk{0, 4, 0, 1}, 1, "chunk of rank 0, section 4: there is no such section"},
		{Chunk{0, 2, 0, 1}, 1, "chunk of rank 0, section 2: it shares the bytes of section 0"},
		{Chunk{0, 1, 0, 21}, 21, "chunk of rank 0, section 1: bytes [0, 21) of 20"},
		{Chunk{0, 1, -1, 2}, 2, "chunk of rank 0, section 1: bytes [-1, 1) of 20"},
		{Chunk{0, 1, 0, 20}, 19, "chunk of 20 bytes comes with 19"},
		{Chunk{0, 0, 95, 2}, 2, "chunk of rank 0, section 0 at byte 95 is already written"},
	}
	for _, c := range cases {
		wantError(t, w.Put(c.chunk, make([]byte, c.bytes)), c.want)
	}
	wantError(t, w.Finish(), `rank 0, section "embed.weight": bytes [96, 300) were not written`)
}

func TestOutputExists(t *testing.T) {
	f := faultfs.New()
	if err := build(f, testJob("out.moge"), smallChunks); err != nil {
		t.Fatal(err)
	}
	err := createError(f, testJob("out.moge"), smallChunks)
	wantError(t, err, "out.moge: output exists; use another name or --force")
	if !errors.Is(err, ErrExists) {
		t.Error("not ErrExists")
	}
	other := testJob("out.moge")
	other.Key[0]++
	wantError(t, createError(f, other, Options{Resume: true}),
		"out.moge: output exists; use another name or --force")
}

// Resuming what is complete is no work and no error.
func TestResumeOfCompleteJob(t *testing.T) {
	want, _ := undisturbed(t, smallChunks)
	f := faultfs.New()
	if err := build(f, testJob("out.moge"), smallChunks); err != nil {
		t.Fatal(err)
	}
	w, err := Create(context.Background(), f, testJob("out.moge"), Options{Resume: true})
	if err != nil || len(w.Pending()) != 0 {
		t.Fatalf("%v, pending %v", err, w.Pending())
	}
	if err := w.Finish(); err != nil || !maps.Equal(f.Snapshot(""), want) {
		t.Errorf("%v, left %v", err, f.Snapshot(""))
	}
}

func TestResumeRefusesAnotherJob(t *testing.T) {
	const hint = "; delete the partial directory, or run again without --resume"
	const reason = "out.moge.partial: the source, a flag or the tool's version " +
		"changed since this was begun"
	change := map[string]func(*Job){
		"key":      func(j *Job) { j.Key[31]++ },
		"manifest": func(j *Job) { j.Manifest.Config[0].Value = "2" },
		"file":     func(j *Job) { j.Files[0].Data = []byte("{}") },
	}
	for name, edit := range change {
		f := suspended(t, 5)
		before := f.Snapshot("")
		job := testJob("out.moge")
		edit(&job)
		err := createError(f, job, Options{Resume: true})
		wantError(t, err, reason+hint)
		if !errors.Is(err, ErrChanged) || !maps.Equal(f.Snapshot(""), before) {
			t.Errorf("%s: %v, or the partial directory was touched", name, err)
		}
	}
	job := testJob("out.moge")
	job.Key[0], job.Describe = 7, "tiny, scheme w8a8, 1.2.0"
	wantError(t, createError(suspended(t, 5), job, Options{Resume: true}), reason+
		`: it was "tiny, scheme none, 1.2.0" and is "tiny, scheme w8a8, 1.2.0"`+hint)
}

func TestTwoWriters(t *testing.T) {
	want, _ := undisturbed(t, smallChunks)
	f := faultfs.New()
	first, err := Create(context.Background(), f, testJob("out.moge"), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	for _, opts := range []Options{{}, {Resume: true}, {Force: true}} {
		err := createError(f, testJob("out.moge"), opts)
		wantError(t, err, "out.moge.partial: another process is writing this bundle; "+
			"wait for it or use another name")
		if !errors.Is(err, ErrLocked) {
			t.Error("not ErrLocked")
		}
	}
	if err := errors.Join(fill(first, nil), first.Finish()); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(f.Snapshot(""), want) {
		t.Error("the refused writers left something")
	}
}

// Of writers that race on the real file system one at a time holds the name, and one output
// results.
func TestRacingWriters(t *testing.T) {
	out := t.TempDir() + "/tiny.moge"
	var group sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		group.Go(func() { results[i] = build(durable.OS(), testJob(out), smallChunks) })
	}
	group.Wait()
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrLocked) && !errors.Is(err, ErrExists):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
	entries, err := durable.OS().ReadDir(out + "/..")
	if err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestFreshStartReplacesPartial(t *testing.T) {
	want, _ := undisturbed(t, smallChunks)
	f := suspended(t, 5)
	job := testJob("out.moge")
	if err := build(f, job, smallChunks); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(f.Snapshot(""), want) {
		t.Error("other bytes after a replaced partial directory")
	}
}

func TestAbort(t *testing.T) {
	f := faultfs.New()
	w, err := Create(context.Background(), f, testJob("out.moge"), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(fill(w, nil), w.Abort(), w.Abort(), w.Suspend()); err != nil {
		t.Fatal(err)
	}
	if left := f.Snapshot(""); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	wantError(t, w.Put(Chunk{0, 0, 0, 1}, []byte{0}), "bundle writer is closed")
}

func TestCancelled(t *testing.T) {
	want, _ := undisturbed(t, smallChunks)
	f := faultfs.New()
	ctx, cancel := context.WithCancel(context.Background())
	w, err := Create(ctx, f, testJob("out.moge"), smallChunks)
	if err != nil {
		t.Fatal(err)
	}
	first := w.Pending()[0]
	if err := w.Put(first, content(first)); err != nil {
		t.Fatal(err)
	}
	cancel()
	for _, err := range []error{w.Put(w.Pending()[0], content(w.Pending()[0])), w.Finish()} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want cancellation", err)
		}
	}
	if err := w.Suspend(); err != nil {
		t.Fatal(err)
	}
	resume(t, "cancelled", f, smallChunks, map[Chunk]bool{first: true}, want)
}

func TestMissingParent(t *testing.T) {
	err := createError(faultfs.New(), testJob("no/out.moge"), Options{})
	wantError(t, err, "no: is no directory; create it first")
}

func TestJobIsValidatedFirst(t *testing.T) {
	f := faultfs.New()
	job := testJob("out.moge")
	job.Files[0].Path = "../outside"
	wantError(t, createError(f, job, Options{}),
		`files[0]: path "../outside" does not stay inside the bundle`)
	job = testJob("out.moge")
	job.Manifest.Ranks[1].Sections[3].Offset += 64
	err := createError(f, job, Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "ranks[1]: size 512, but the last section ends") {
		t.Error(err)
	}
	if len(f.Snapshot("")) != 0 {
		t.Error("something was written")
	}
}

// Finished bytes that changed on disk are noticed by the resume, wherever they changed.
func TestResumeChecksFinishedChunks(t *testing.T) {
	f := suspended(t, 5) // all of section 0 and of section 1
	for _, at := range []int64{0, 100, 299, 320, 339} {
		damage(t, f, "out.moge.partial/bundle/weights/rank-00.bin", at)
		err := createError(f, testJob("out.moge"), Options{Resume: true})
		if err == nil || !strings.Contains(err.Error(),
			"finished bytes differ from their record in the journal; delete the partial directory") {
			t.Errorf("byte %d: %v", at, err)
		}
		damage(t, f, "out.moge.partial/bundle/weights/rank-00.bin", at)
	}
	if err := build(f, testJob("out.moge"), Options{Resume: true}); err != nil {
		t.Error(err)
	}
}

// damage flips one bit.
func damage(t *testing.T, f durable.FS, path string, at int64) {
	t.Helper()
	h, err := f.OpenWrite(path)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{0}
	_, readErr := h.ReadAt(b, at)
	b[0] ^= 0x10
	_, writeErr := h.WriteAt(b, at)
	if err := errors.Join(readErr, writeErr, h.Sync(), h.Close()); err != nil {
		t.Fatal(err)
	}
}
