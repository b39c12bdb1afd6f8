package bundle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
)

// alwaysChecked is the size in bytes up to which a section's hash is checked by Open: norms,
// scales and biases, where a flipped bit does the most harm and a check costs the least.
const alwaysChecked = 64 << 10

// OpenOptions says how a bundle is opened.
type OpenOptions struct {
	// Ranks are the ranks whose weights are mapped; nil is all. Files of other ranks need
	// not be there.
	Ranks []int
	// AsIs is a folder, such as "kernels/", whose files are not compared with the manifest, so that
	// what was edited by hand can be looked at; see FileAsIs. Empty is none.
	AsIs string
}

// Bundle is an open bundle. It may be used by several goroutines; Close ends that.
type Bundle struct {
	dir      string
	root     *os.Root
	manifest *bundlepb.Manifest
	ranks    []*Rank // nil where not opened
}

// Rank is the mapped weight file of one rank.
type Rank struct {
	path   string
	table  []*bundlepb.Section
	file   *mapped.File
	byName map[string]int
}

// Open reads and validates the manifest, maps the weights, and checks the sizes of all files and
// the hashes of all small files and small sections; Check does the rest. Errors about the bundle
// are *Error with Invalid true; one that wraps ErrVersion says which version of the tool to use.
func Open(dir string, opts OpenOptions) (*Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, ioError(dir, err)
	}
	b := &Bundle{dir: dir, root: root}
	if err := b.open(opts); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bundle) open(opts OpenOptions) error {
	if err := b.readManifest(); err != nil {
		return err
	}
	b.ranks = make([]*Rank, len(b.manifest.Ranks))
	for i := range b.manifest.Ranks {
		if opts.Ranks != nil && !slices.Contains(opts.Ranks, i) {
			continue
		}
		if err := b.openRank(i); err != nil {
			return err
		}
	}
	for _, i := range opts.Ranks {
		if i < 0 || i >= len(b.ranks) {
			return invalid(b.dir, -1, "there is no rank %d, the bundle has %d", i, len(b.ranks))
		}
	}
	for _, f := range b.manifest.Files {
		if below(f.Path, opts.AsIs) {
			continue
		}
		if err := b.checkFile(f); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bundle) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *Bundle) readManifest() error {
	path := b.path(ManifestName)
	f, size, err := b.openFile(ManifestName)
	if err != nil {
		return err
	}
	defer f.Close()
	if size > maxManifest {
		return damaged(path, maxManifest, "manifest is larger than any real one")
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return ioError(path, err)
	}
	if b.manifest, err = decodeManifest(path, raw); err != nil {
		return err
	}
	if err := Validate(b.manifest, true); err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Path, e.Hint = path, rebuildHint
		}
		return err
	}
	return nil
}

// openFile opens a regular file below the bundle; links that lead out of it are refused.
func (b *Bundle) openFile(name string) (*os.File, int64, error) {
	info, err := b.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, 0, damaged(b.path(name), -1, "not a regular file")
	}
	if err != nil {
		return nil, 0, b.missing(name, err)
	}
	f, err := b.root.Open(name)
	if err != nil {
		return nil, 0, b.missing(name, err)
	}
	if info, err = f.Stat(); err != nil {
		return nil, 0, errors.Join(ioError(b.path(name), err), f.Close())
	}
	return f, info.Size(), nil
}

// missing blames the bundle for an absent file, and the system for everything else. Of weights it says that
// those of all ranks belong together.
func (b *Bundle) missing(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return ioError(b.path(name), err)
	}
	e := damaged(b.path(name), -1, "file is missing")
	ranks := b.manifest.GetRanks()
	if len(ranks) > 1 && slices.ContainsFunc(ranks, func(r *bundlepb.Rank) bool { return r.File == name }) {
		e.Reason += fmt.Sprintf(", the weights of one of %d ranks", len(ranks))
		e.Hint = "copy it from where the bundle was compiled: to run on one machine it needs those of every rank"
	}
	return e
}

// openSized opens a file and checks its length.
func (b *Bundle) openSized(name string, want int64) (*os.File, error) {
	f, size, err := b.openFile(name)
	if err != nil {
		return nil, err
	}
	if size != want {
		e := damaged(b.path(name), min(size, want), "")
		e.Reason = sizeReason(size, want)
		return nil, errors.Join(e, f.Close())
	}
	return f, nil
}

func (b *Bundle) openRank(i int) error {
	r := b.manifest.Ranks[i]
	f, err := b.openSized(r.File, r.Size)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := mapped.Map(f)
	if err != nil {
		return ioError(b.path(r.File), err)
	}
	rank := &Rank{path: b.path(r.File), table: r.Sections, file: m, byName: map[string]int{}}
	b.ranks[i] = rank
	for k, s := range r.Sections {
		rank.byName[s.Name] = k
		if s.Size > alwaysChecked {
			continue
		}
		if err := rank.checkSection(k); err != nil {
			return err
		}
	}
	return nil
}

// checkFile checks the size and hash of a small file, reading it in pieces.
func (b *Bundle) checkFile(f *bundlepb.File) error {
	file, err := b.openSized(f.Path, f.Size)
	if err != nil {
		return err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return ioError(b.path(f.Path), err)
	}
	if string(h.Sum(nil)) != string(f.Sha256) {
		return damaged(b.path(f.Path), -1, "content does not match its sha256")
	}
	return nil
}

// Close unmaps the weights; sections must not be touched afterwards.
func (b *Bundle) Close() error {
	var errs []error
	for _, r := range b.ranks {
		if r != nil {
			errs = append(errs, r.file.Close())
		}
	}
	return errors.Join(append(errs, b.root.Close())...)
}
