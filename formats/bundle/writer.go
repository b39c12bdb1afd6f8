package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"moge/formats/durable"
)

// Names around an output OUT: OUT.partial/ holds the journal, the bundle under construction
// and, for a moment of a forced replacement, the old output. OUT.partial.lock is held by the
// process that writes.
const (
	partialSuffix = ".partial"
	lockSuffix    = ".lock"
	journalName   = "journal"
	bundleName    = "bundle"
	replacedName  = "replaced"
)

// Writer fills a partial bundle. Put may be called from several goroutines at once; everything
// else from one, when no Put runs. It ends with Finish, Suspend or Abort.
type Writer struct {
	ctx     context.Context
	fs      durable.FS
	job     Job
	opts    Options
	digest  [sha256.Size]byte
	partial string
	unlock  func() error

	complete bool // the output was already there when we resumed

	mu         sync.Mutex
	ranks      []rankState
	journal    *journal
	batch      []record // written, but neither synced nor in the journal
	unsynced   int64    // bytes of batch
	err        error    // the first failure; nothing is written after it
	syncFailed bool     // nothing may be claimed to be on disk any more
	closed     bool
}

func (w *Writer) path(names ...string) string {
	return filepath.Join(append([]string{w.partial}, names...)...)
}

// Pending lists what is still to be Put, in file order, cut into pieces of Options.ChunkBytes.
// Sections that share bytes are listed once.
func (w *Writer) Pending() []Chunk {
	w.mu.Lock()
	defer w.mu.Unlock()
	var chunks []Chunk
	for i := range w.ranks {
		for k := range w.ranks[i].sections {
			s := &w.ranks[i].sections[k]
			if s.owner != k {
				continue
			}
			for _, gap := range s.gaps() {
				for at := gap.start; at < gap.end; at += w.opts.ChunkBytes {
					chunks = append(chunks, Chunk{i, k, at, min(w.opts.ChunkBytes, gap.end-at)})
				}
			}
		}
	}
	return chunks
}

// Put writes the bytes of one chunk: one of Pending, or any other range of a section that is not
// done yet. Once Options.SyncBytes have come together they are synced and then recorded in the
// journal. After an error the Writer accepts only Suspend and Abort.
func (w *Writer) Put(c Chunk, data []byte) error {
	s, err := w.reserve(c, data)
	if err != nil {
		return err
	}
	r := record{Chunk: c, sum: sha256.Sum256(data)}
	if _, err := w.ranks[c.Rank].file.WriteAt(data, s.offset+c.Offset); err != nil {
		return w.fail(RankFile(c.Rank), err)
	}
	s.absorb(c.Offset, data)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ranks[c.Rank].dirty = true
	w.batch = append(w.batch, r)
	w.unsynced += c.Size
	if w.err != nil || w.unsynced < w.opts.SyncBytes {
		return w.err
	}
	return w.flush()
}

// reserve checks a chunk and claims its range.
func (w *Writer) reserve(c Chunk, data []byte) (*sectionState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return nil, err
	}
	s, err := w.section(c)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != c.Size {
		return nil, fmt.Errorf("chunk of %d bytes comes with %d", c.Size, len(data))
	}
	if !s.claim(span{c.Offset, c.Offset + c.Size}) {
		return nil, fmt.Errorf("chunk of rank %d, section %d at byte %d is already written",
			c.Rank, c.Section, c.Offset)
	}
	return s, nil
}

func (w *Writer) usable() error {
	if w.closed {
		return errors.New("bundle writer is closed")
	}
	if w.err != nil {
		return w.err
	}
	return w.ctx.Err()
}

// flush syncs what was written and then records it; w.mu is held.
func (w *Writer) flush() error {
	if w.syncFailed || len(w.batch) == 0 {
		return nil
	}
	for i := range w.ranks {
		r := &w.ranks[i]
		if !r.dirty {
			continue
		}
		if err := r.file.Sync(); err != nil {
			w.syncFailed = true
			return w.failLocked(RankFile(i), err)
		}
		r.dirty = false
	}
	if err := w.journal.append(w.batch); err != nil {
		w.syncFailed = true
		return w.failLocked(journalName, err)
	}
	w.batch, w.unsynced = nil, 0
	return nil
}

func (w *Writer) fail(name string, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failLocked(name, err)
}

// failLocked remembers the first failure.
func (w *Writer) failLocked(name string, err error) error {
	err = w.explain(name, err)
	if w.err == nil {
		w.err = err
	}
	return err
}

// explain adds the place to an error of the file system, and what to do if the disk is full.
func (w *Writer) explain(name string, err error) error {
	var done *Error
	if errors.As(err, &done) || w.ctx.Err() != nil && errors.Is(err, w.ctx.Err()) {
		return err
	}
	if name == journalName {
		return ioError(w.path(journalName), err)
	}
	return ioError(w.path(bundleName, name), err)
}

// Suspend stops and keeps what is done for a later Create with Options.Resume. After Finish or
// Abort it does nothing.
func (w *Writer) Suspend() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	return errors.Join(w.flush(), w.release())
}

// Abort stops and removes what was written; an output that was to be replaced stays. After
// Finish or Suspend it does nothing.
func (w *Writer) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	err := w.closeFiles()
	if !w.complete {
		err = errors.Join(err, w.clear())
	}
	return errors.Join(err, w.release())
}

// closeFiles closes the journal and the weight files.
func (w *Writer) closeFiles() error {
	var errs []error
	if w.journal != nil {
		errs = append(errs, w.journal.file.Close())
		w.journal = nil
	}
	for i := range w.ranks {
		if f := w.ranks[i].file; f != nil {
			errs = append(errs, f.Close())
			w.ranks[i].file = nil
		}
	}
	return errors.Join(errs...)
}

// release closes everything and gives up the lock.
func (w *Writer) release() error {
	w.closed = true
	return errors.Join(w.closeFiles(), w.unlock())
}
