package bundle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// tryResume takes over a partial directory, if resuming is wanted and there is one.
func (w *Writer) tryResume() (bool, error) {
	if !w.opts.Resume {
		return false, nil
	}
	path := w.path(journalName)
	raw, err := readFile(w.fs, path, maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, ioError(path, err)
	}
	header, records, end, err := parseJournal(path, raw)
	if err != nil {
		return false, err
	}
	if header.job != w.digest {
		return false, w.changed(header.describe)
	}
	if there, err := w.exists(w.path(bundleName)); err != nil || !there {
		return false, err
	}
	if err := w.refuseOutput(); err != nil {
		return false, err
	}
	return true, w.takeOver(records, end)
}

func (w *Writer) changed(before string) error {
	reason := "the source, a flag or the tool's version changed since this was begun"
	if before != w.job.Describe {
		reason += fmt.Sprintf(": it was %q and is %q", before, w.job.Describe)
	}
	return &Error{Path: w.partial, Offset: -1, Reason: reason, Hint: journalHint, Err: ErrChanged}
}

// takeOver opens the files of a partial bundle and checks all chunks that its journal records.
func (w *Writer) takeOver(records []record, end int64) error {
	for i, r := range w.job.Manifest.Ranks {
		if err := w.openRank(i, r.Size); err != nil {
			return err
		}
	}
	f, err := w.fs.OpenWrite(w.path(journalName))
	if err != nil {
		return ioError(w.path(journalName), err)
	}
	w.journal = &journal{file: f, end: end, count: len(records)}
	if err := f.Truncate(end); err != nil {
		return w.explain(journalName, err)
	}
	if err := f.Sync(); err != nil {
		return w.explain(journalName, err)
	}
	var done int64
	slices.SortFunc(records, compareRecords)
	for _, r := range records {
		if err := w.verify(r); err != nil {
			return err
		}
		done += r.Size
	}
	return CheckSpace(w.fs, w.job.Out, w.job.bytes()-done)
}

func compareRecords(a, b record) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Section, b.Section),
		cmp.Compare(a.Offset, b.Offset))
}

func (w *Writer) openRank(i int, size int64) error {
	path := w.path(bundleName, RankFile(i))
	f, err := w.fs.OpenWrite(path)
	if err != nil {
		return ioError(path, err)
	}
	w.ranks[i].file = f
	if n, err := f.Size(); err != nil || n != size {
		return &Error{Path: path, Offset: -1, Err: err, Hint: journalHint,
			Reason: fmt.Sprintf("partial file has %d bytes instead of %d", n, size)}
	}
	return nil
}

// verify reads a recorded chunk back and claims it.
func (w *Writer) verify(r record) error {
	s, err := w.section(r.Chunk)
	if err == nil && !s.claim(span{r.Offset, r.Offset + r.Size}) {
		err = errors.New("a chunk is recorded twice")
	}
	if err != nil {
		return badJournal(w.path(journalName), -1, err.Error())
	}
	sum := sha256.New()
	err = w.readBack(r.Rank, s, r.Offset, r.Size, func(at int64, piece []byte) {
		sum.Write(piece)
		s.absorb(at, piece)
	})
	if err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), r.sum[:]) {
		return &Error{Path: w.path(bundleName, RankFile(r.Rank)), Offset: s.offset + r.Offset,
			Reason: "finished bytes differ from their record in the journal", Hint: journalHint}
	}
	return nil
}

const pieceBytes = 1 << 20 // what is read at a time

// readBack passes bytes [offset, offset+size) of a section to use, piece by piece.
func (w *Writer) readBack(
	rank int, s *sectionState, offset, size int64, use func(at int64, piece []byte),
) error {
	buffer := make([]byte, min(size, pieceBytes))
	for end := offset + size; offset < end; {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		piece := buffer[:min(int64(len(buffer)), end-offset)]
		n, err := w.ranks[rank].file.ReadAt(piece, s.offset+offset)
		if n < len(piece) {
			return w.explain(RankFile(rank), errors.Join(err, io.ErrUnexpectedEOF))
		}
		use(offset, piece)
		offset += int64(n)
	}
	return nil
}
