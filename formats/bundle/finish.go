package bundle

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"moge/formats/durable"
)

// Finish completes the bundle and gives it its final name; when it returns nil everything is on
// disk. It fails if a chunk is missing. After an error, Suspend keeps the work for a resume.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if !w.complete {
		if err := w.finish(); err != nil {
			if w.err == nil {
				w.err = err
			}
			return err
		}
	}
	if err := w.tidy(); err != nil {
		return err
	}
	return w.release()
}

func (w *Writer) finish() error {
	for _, step := range []func() error{
		w.allDone, w.flush, w.hashSections, w.writeFiles, w.writeManifest, w.closeFiles, w.publish,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) allDone() error {
	for i := range w.ranks {
		for k := range w.ranks[i].sections {
			s := &w.ranks[i].sections[k]
			if gaps := s.gaps(); s.owner == k && len(gaps) > 0 {
				return fmt.Errorf("rank %d, section %q: bytes [%d, %d) were not written", i,
					w.job.Manifest.Ranks[i].Sections[k].Name, gaps[0].start, gaps[0].end)
			}
		}
	}
	return nil
}

// hashSections fills in the hashes. Sections whose chunks came in order are hashed already, the
// rest of the others is read back.
func (w *Writer) hashSections() error {
	for i := range w.ranks {
		table := w.job.Manifest.Ranks[i].Sections
		for k := range table {
			s := &w.ranks[i].sections[k]
			if s.owner != k {
				table[k].Sha256 = table[s.owner].Sha256
				continue
			}
			if err := w.readBack(i, s, s.hashed, s.size-s.hashed, s.absorb); err != nil {
				return err
			}
			table[k].Sha256 = s.sum.Sum(nil)
		}
	}
	return nil
}

// writeFiles writes the small files and syncs their directories, the deepest first.
func (w *Writer) writeFiles() error {
	var dirs []string
	for _, f := range w.job.Files {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		full := w.path(bundleName, f.Path)
		if err := w.fs.MkdirAll(filepath.Dir(full)); err != nil {
			return w.explain(f.Path, err)
		}
		if err := durable.WriteFileSync(w.fs, full, f.Data); err != nil {
			return w.explain(f.Path, err)
		}
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			dirs = append(dirs, d)
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Compare(b, a) })
	for _, d := range slices.Compact(dirs) {
		if err := w.syncDir(w.path(bundleName, d)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) writeManifest() error {
	if err := Validate(w.job.Manifest, true); err != nil {
		return err
	}
	file, err := encodeManifest(w.job.Manifest)
	if err != nil {
		return err
	}
	if err := durable.WriteFileSync(w.fs, w.path(bundleName, ManifestName), file); err != nil {
		return w.explain(ManifestName, err)
	}
	return w.syncDir(w.path(bundleName))
}

// publish gives the complete bundle its name. An output that is replaced steps aside first; if
// the power goes in between, a resume finishes the swap and a fresh start undoes it.
func (w *Writer) publish() error {
	if err := w.refuseOutput(); err != nil {
		return err
	}
	taken, err := w.exists(w.job.Out)
	if err != nil {
		return err
	}
	if taken {
		if err := w.fs.RemoveAll(w.path(replacedName)); err != nil {
			return ioError(w.partial, err)
		}
		if err := w.fs.Rename(w.job.Out, w.path(replacedName)); err != nil {
			return ioError(w.job.Out, err)
		}
	}
	if err := w.fs.Rename(w.path(bundleName), w.job.Out); err != nil {
		return errors.Join(ioError(w.job.Out, err), w.restoreReplaced())
	}
	return w.syncDir(filepath.Dir(w.job.Out))
}

// tidy removes what is left of the partial directory. In whatever order it goes, a resume finds
// the output complete.
func (w *Writer) tidy() error {
	if err := w.fs.RemoveAll(w.partial); err != nil {
		return ioError(w.partial, err)
	}
	return w.syncDir(filepath.Dir(w.job.Out))
}
