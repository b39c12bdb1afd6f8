package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"moge/formats/durable"
)

// lock takes the output's lock, which also proves that its directory exists.
func (w *Writer) lock() error {
	parent := filepath.Dir(w.job.Out)
	if info, err := w.fs.Stat(parent); err != nil || !info.IsDir() {
		return &Error{Path: parent, Offset: -1, Reason: "is no directory",
			Hint: "create it first", Err: errors.Join(fs.ErrNotExist, err)}
	}
	unlock, err := w.fs.Lock(w.partial + lockSuffix)
	if errors.Is(err, durable.ErrLocked) {
		return &Error{Path: w.partial, Offset: -1, Reason: "another process is writing this bundle",
			Hint: "wait for it or use another name", Err: ErrLocked}
	}
	if err != nil {
		return ioError(w.partial+lockSuffix, err)
	}
	w.unlock = unlock
	return nil
}

func (w *Writer) exists(path string) (bool, error) {
	_, err := w.fs.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, ioError(path, err)
	}
	return true, nil
}

// begin decides between a fresh start, a resume and a job that is complete already.
func (w *Writer) begin() error {
	w.newStates()
	resumed, err := w.tryResume()
	if err != nil || resumed {
		return err
	}
	if w.opts.Resume && w.isOurs() {
		w.complete = true
		w.markAllDone()
		return nil
	}
	if err := w.refuseOutput(); err != nil {
		return err
	}
	if err := CheckSpace(w.fs, w.job.Out, w.job.bytes()); err != nil {
		return err
	}
	if err := w.clear(); err != nil {
		return err
	}
	if err := w.refuseOutput(); err != nil { // what clear put back
		return err
	}
	if err := w.startFresh(); err != nil {
		return errors.Join(err, w.closeFiles(), w.clear())
	}
	return nil
}

func (w *Writer) refuseOutput() error {
	taken, err := w.exists(w.job.Out)
	if err != nil || !taken || w.opts.Force {
		return err
	}
	return &Error{Path: w.job.Out, Offset: -1, Reason: "output exists",
		Hint: "use another name or --force", Err: ErrExists}
}

// CheckSpace is an *Error that wraps ErrSpace unless need bytes are free where out would be.
func CheckSpace(fsys durable.FS, out string, need int64) error {
	parent := filepath.Dir(out)
	free, err := fsys.Free(parent)
	if err != nil {
		return ioError(parent, err)
	}
	if free >= need {
		return nil
	}
	return &Error{Path: parent, Offset: -1, Err: ErrSpace,
		Reason: fmt.Sprintf("%d bytes are needed and %d are free", need, free),
		Hint:   "free some space or use another file system"}
}

// isOurs reports whether the output is the complete result of this very job.
func (w *Writer) isOurs() bool {
	path := filepath.Join(w.job.Out, ManifestName)
	file, err := readFile(w.fs, path, maxManifest)
	if err != nil {
		return false
	}
	m, err := decodeManifest(path, file)
	return err == nil && bytes.Equal(m.GetProvenance().GetJobKey(), w.job.Key[:])
}

func (w *Writer) markAllDone() {
	for i := range w.ranks {
		for k := range w.ranks[i].sections {
			s := &w.ranks[i].sections[k]
			s.done = []span{{0, s.size}}
		}
	}
}

// clear removes the partial directory: first the journal, for what is left after a crash must
// not be taken for work that is done. An old output found there is put back.
func (w *Writer) clear() error {
	there, err := w.exists(w.partial)
	if err != nil || !there {
		return err
	}
	if err := w.restoreReplaced(); err != nil {
		return err
	}
	if err := w.fs.RemoveAll(w.path(journalName)); err != nil {
		return ioError(w.partial, err)
	}
	if err := w.fs.SyncDir(w.partial); err != nil {
		return ioError(w.partial, err)
	}
	if err := w.fs.RemoveAll(w.partial); err != nil {
		return ioError(w.partial, err)
	}
	return nil
}

// restoreReplaced undoes a forced replacement that was cut off between its two renames.
func (w *Writer) restoreReplaced() error {
	old, err := w.exists(w.path(replacedName))
	if err != nil || !old {
		return err
	}
	if taken, err := w.exists(w.job.Out); err != nil || taken {
		return err
	}
	if err := w.fs.Rename(w.path(replacedName), w.job.Out); err != nil {
		return ioError(w.job.Out, err)
	}
	return w.syncDir(filepath.Dir(w.job.Out))
}

func (w *Writer) syncDir(path string) error {
	if err := w.fs.SyncDir(path); err != nil {
		return ioError(path, err)
	}
	return nil
}

// startFresh makes the partial directory with weight files of full length. The journal comes
// last and whole: where it is, the rest is on disk too.
func (w *Writer) startFresh() error {
	for _, dir := range []string{w.partial, w.path(bundleName), w.path(bundleName, weightsDir)} {
		if err := w.fs.Mkdir(dir); err != nil {
			return ioError(dir, err)
		}
	}
	for i, r := range w.job.Manifest.Ranks {
		if err := w.createRank(i, r.Size); err != nil {
			return w.explain(RankFile(i), err)
		}
	}
	for _, dir := range []string{w.path(bundleName, weightsDir), w.path(bundleName)} {
		if err := w.syncDir(dir); err != nil {
			return err
		}
	}
	header := journalHeader{w.digest, w.job.Describe}.encode()
	if err := w.createJournal(header); err != nil {
		return w.explain(journalName, err)
	}
	if err := w.syncDir(w.partial); err != nil {
		return err
	}
	return w.syncDir(filepath.Dir(w.partial))
}

func (w *Writer) createRank(i int, size int64) error {
	f, err := w.fs.Create(w.path(bundleName, RankFile(i)))
	if err != nil {
		return err
	}
	w.ranks[i].file = f
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

func (w *Writer) createJournal(header []byte) error {
	temp := w.path(journalName + ".tmp")
	if err := durable.WriteFileSync(w.fs, temp, header); err != nil {
		return err
	}
	if err := w.fs.Rename(temp, w.path(journalName)); err != nil {
		return err
	}
	f, err := w.fs.OpenWrite(w.path(journalName))
	if err != nil {
		return err
	}
	w.journal = &journal{file: f, end: int64(len(header))}
	return nil
}
