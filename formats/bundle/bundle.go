package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
)

// Manifest is what the bundle says about itself. It must not be changed.
func (b *Bundle) Manifest() *bundlepb.Manifest { return b.manifest }

// Dir is the path that the bundle was opened with.
func (b *Bundle) Dir() string { return b.dir }

// Program returns the program of that name, nil if there is none.
func (b *Bundle) Program(name string) *bundlepb.Program {
	for _, p := range b.manifest.Programs {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// File reads one of the manifest's files, such as "tokenizer/tokenizer.json", and checks it again.
func (b *Bundle) File(path string) ([]byte, error) {
	i, ok := slices.BinarySearchFunc(b.manifest.Files, path, func(f *bundlepb.File, p string) int {
		return strings.Compare(f.Path, p)
	})
	if !ok {
		return nil, invalid(b.dir, -1, "the bundle has no file %q", path)
	}
	want := b.manifest.Files[i]
	f, err := b.openSized(path, want.Size)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, want.Size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, ioError(b.path(path), err)
	}
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], want.Sha256) {
		return nil, damaged(b.path(path), -1, "content does not match its sha256")
	}
	return data, nil
}

// maxAsIs bounds a file whose size the manifest does not vouch for.
const maxAsIs = 16 << 20

// FileAsIs reads one of the manifest's files as it is now, whatever its size and content were.
func (b *Bundle) FileAsIs(path string) ([]byte, error) {
	if !slices.ContainsFunc(b.manifest.Files, func(f *bundlepb.File) bool { return f.Path == path }) {
		return nil, invalid(b.dir, -1, "the bundle has no file %q", path)
	}
	f, size, err := b.openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxAsIs {
		return nil, damaged(b.path(path), maxAsIs, "file is larger than any real one")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAsIs))
	if err != nil {
		return nil, ioError(b.path(path), err)
	}
	return data, nil
}

// Rank returns the mapped weights of a rank that Open was asked for.
func (b *Bundle) Rank(i int) (*Rank, error) {
	if i < 0 || i >= len(b.ranks) || b.ranks[i] == nil {
		return nil, invalid(b.dir, -1, "rank %d is not open", i)
	}
	return b.ranks[i], nil
}

// Sections is the rank's table; operands of the plan index it.
func (r *Rank) Sections() []*bundlepb.Section { return r.table }

// Section is the mapped content of section i, 64-byte aligned, read-only, valid until Close.
// Read it inside mapped.Guard: the file may be cut short under us.
func (r *Rank) Section(i int) []byte {
	s := r.table[i]
	return r.file.Bytes()[s.Offset : s.Offset+s.Size : s.Offset+s.Size]
}

// SectionByName finds a section by its stable name; ok is false if there is none.
func (r *Rank) SectionByName(name string) (i int, ok bool) {
	i, ok = r.byName[name]
	return i, ok
}

// Release tells the system that section i need not stay in memory; it stays readable.
func (r *Rank) Release(i int) { r.file.Release(r.table[i].Offset, r.table[i].Size) }

// checkSection compares a section with its hash, reading it all at once.
func (r *Rank) checkSection(i int) error {
	var sum [sha256.Size]byte
	err := mapped.Guard(func() error {
		sum = sha256.Sum256(r.Section(i))
		return nil
	})
	if err != nil {
		return r.fault(err)
	}
	return r.compare(i, sum[:])
}

func (r *Rank) compare(i int, sum []byte) error {
	s := r.table[i]
	if bytes.Equal(sum, s.Sha256) {
		return nil
	}
	return damaged(r.path, s.Offset, fmt.Sprintf("section %q does not match its sha256", s.Name))
}

func (r *Rank) fault(err error) error {
	return &Error{Path: r.path, Offset: -1, Reason: err.Error(), Hint: rebuildHint, Err: err}
}

func sizeReason(size, want int64) string {
	return fmt.Sprintf("file has %d bytes instead of %d", size, want)
}
