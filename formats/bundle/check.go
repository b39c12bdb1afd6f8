package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"strings"

	"moge/formats/mapped"
)

// Check reads everything: the hashes of all sections of the open ranks, the gaps between them,
// which must be zero, and all small files; and it refuses files that the manifest does not
// list, but for hidden ones and weights of ranks that are not open. progress, if not nil, is
// told the bytes read so far and in all. Memory stays within a few pieces of 1 MiB.
func (b *Bundle) Check(ctx context.Context, progress func(done, total int64)) error {
	meter := &meter{ctx: ctx, report: progress}
	for _, r := range b.ranks {
		if r != nil {
			meter.total += r.file.Size()
		}
	}
	for _, f := range b.manifest.Files {
		meter.total += f.Size
	}
	for _, r := range b.ranks {
		if r == nil {
			continue
		}
		if err := r.check(meter); err != nil {
			return err
		}
	}
	for _, f := range b.manifest.Files {
		if err := b.checkFile(f); err != nil {
			return err
		}
		if err := meter.add(f.Size); err != nil {
			return err
		}
	}
	return b.checkUnlisted()
}

// meter counts bytes and notices cancellation.
type meter struct {
	ctx         context.Context
	report      func(done, total int64)
	done, total int64
}

func (m *meter) add(n int64) error {
	m.done += n
	if m.report != nil {
		m.report(m.done, m.total)
	}
	return m.ctx.Err()
}

// check goes through the file once, in order.
func (r *Rank) check(m *meter) error {
	at := int64(0)
	for i, s := range r.table {
		if s.Offset < at { // shares the bytes of an earlier section, hash included
			continue
		}
		if err := r.checkGap(at, s.Offset, m); err != nil {
			return err
		}
		h := sha256.New()
		err := r.walk(s.Offset, s.Offset+s.Size, m, func(_ int64, piece []byte) error {
			h.Write(piece)
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.compare(i, h.Sum(nil)); err != nil {
			return err
		}
		at = s.Offset + s.Size
	}
	return nil
}

func (r *Rank) checkGap(start, end int64, m *meter) error {
	return r.walk(start, end, m, func(at int64, piece []byte) error {
		if n := len(piece) - len(bytes.TrimLeft(piece, "\x00")); n < len(piece) {
			return damaged(r.path, at+int64(n), "byte between sections is not zero")
		}
		return nil
	})
}

// walk passes the bytes [start, end) of the file to use in pieces and lets go of their pages.
func (r *Rank) walk(start, end int64, m *meter, use func(int64, []byte) error) error {
	for start < end {
		n := min(end-start, pieceBytes)
		var found error
		err := mapped.Guard(func() error {
			found = use(start, r.file.Bytes()[start:start+n])
			return nil
		})
		if err != nil {
			return r.fault(err)
		}
		if found != nil {
			return found
		}
		r.file.Release(start, n)
		if err := m.add(n); err != nil {
			return err
		}
		start += n
	}
	return nil
}

// checkUnlisted refuses what a bundle does not have.
func (b *Bundle) checkUnlisted() error {
	listed := map[string]bool{ManifestName: true}
	for _, r := range b.manifest.Ranks {
		listed[r.File] = true
	}
	for _, f := range b.manifest.Files {
		listed[f.Path] = true
	}
	return fs.WalkDir(b.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return ioError(b.path(p), err)
		case p != "." && strings.HasPrefix(d.Name(), ".") && !listed[p] && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || listed[p] || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		e := damaged(b.path(p), -1, "the manifest does not list this file")
		e.Hint = "remove it"
		return e
	})
}
