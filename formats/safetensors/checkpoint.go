package safetensors

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"moge/formats/mapped"
)

// Checkpoint is a set of tensors in one or more files, of which only the headers are in memory.
// All methods but Close may be used by several goroutines at once.
type Checkpoint struct {
	shards  []*shardFile // by name
	names   []string     // sorted
	tensors map[string]Tensor
	digest  [32]byte
}

// Shard is one file of a checkpoint.
type Shard struct {
	Name     string // base name
	Path     string
	Size     int64             // bytes, header included
	Metadata map[string]string // the header's __metadata__, nil if it has none; must not be changed
}

type shardFile struct {
	Shard
	file    *os.File
	mu      sync.Mutex // guards mapping
	mapping *mapped.File
}

// Open reads the headers of the checkpoint in the folder dir. If there is an index
// (model.safetensors.index.json, or the only *.safetensors.index.json), it and the shards must
// agree exactly; otherwise every *.safetensors file belongs to the checkpoint. Defects are
// reported as *Error.
func Open(dir string) (*Checkpoint, error) {
	found, err := survey(dir)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(found.shards))
	for i, name := range found.shards {
		paths[i] = filepath.Join(dir, name)
	}
	return openAll(paths, found.index)
}

// OpenFile reads the header of the one file at path.
func OpenFile(path string) (*Checkpoint, error) { return openAll([]string{path}, nil) }

func openAll(paths []string, ix *index) (*Checkpoint, error) {
	c := &Checkpoint{tensors: map[string]Tensor{}}
	err := c.load(paths)
	if err == nil && ix != nil {
		err = ix.match(c.names, c.tensors)
	}
	if err != nil {
		_ = c.Close() // the first error is the one to report
		return nil, err
	}
	c.digest = c.headerDigest()
	return c, nil
}

// load opens the files, which must be in name order, and merges their headers.
func (c *Checkpoint) load(paths []string) error {
	for _, path := range paths {
		s, tensors, err := openShard(path)
		if err != nil {
			return err
		}
		c.shards = append(c.shards, s)
		if err := c.merge(tensors); err != nil {
			return err
		}
	}
	c.names = slices.Sorted(maps.Keys(c.tensors))
	return nil
}

func (c *Checkpoint) merge(tensors []Tensor) error {
	for _, t := range tensors {
		if other, twice := c.tensors[t.Name]; twice {
			return &Error{File: t.Shard, Tensor: t.Name,
				Reason: fmt.Sprintf("%s holds a tensor of this name too", other.Shard),
				Hint:   "keep one checkpoint per folder"}
		}
		c.tensors[t.Name] = t
	}
	return nil
}

func openShard(path string) (*shardFile, []Tensor, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	name := filepath.Base(path)
	h, err := readHeader(name, f, size)
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, nil, err
	}
	shard := Shard{Name: name, Path: path, Size: size, Metadata: h.metadata}
	return &shardFile{Shard: shard, file: f}, h.tensors, nil
}

// openRegular opens a regular file and gives its size; a named pipe would block the open itself,
// so the kind is asked for first.
func openRegular(path string) (*os.File, int64, error) {
	file := filepath.Base(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, &Error{File: file, Reason: "cannot open", Err: err}
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &Error{File: file, Reason: "not a regular file", Hint: "give a file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, &Error{File: file, Reason: "cannot open", Err: err}
	}
	if info, err = f.Stat(); err != nil {
		_ = f.Close() // nothing was written
		return nil, 0, &Error{File: file, Reason: "cannot open", Err: err}
	}
	return f, info.Size(), nil
}

// Names lists the tensors, sorted.
func (c *Checkpoint) Names() []string { return slices.Clone(c.names) }

// Tensor looks a tensor up by name.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	t, ok := c.tensors[name]
	return t, ok
}

// Shards lists the files, in name order.
func (c *Checkpoint) Shards() []Shard {
	list := make([]Shard, len(c.shards))
	for i, s := range c.shards {
		list[i] = s.Shard
	}
	return list
}

// HeaderDigest is SHA-256 over the name and size of each shard and the name, element type, shape
// and place of each tensor: an identity that costs no reading, and does not see changed values.
func (c *Checkpoint) HeaderDigest() [32]byte { return c.digest }

func (c *Checkpoint) headerDigest() [32]byte {
	var text []byte
	number := func(n int64) { text = binary.LittleEndian.AppendUint64(text, uint64(n)) }
	word := func(s string) {
		number(int64(len(s)))
		text = append(text, s...)
	}
	number(int64(len(c.shards)))
	for _, s := range c.shards {
		word(s.Name)
		number(s.Size)
	}
	for _, name := range c.names {
		t := c.tensors[name]
		word(name)
		word(t.DType.Safetensors())
		number(int64(len(t.Shape)))
		for _, n := range t.Shape {
			number(n)
		}
		word(t.Shard)
		number(t.Offset)
	}
	return sha256.Sum256(text)
}

// Close closes all files; slices from View must not be touched afterwards.
func (c *Checkpoint) Close() error {
	var failures []error
	for _, s := range c.shards {
		failures = append(failures, s.close())
	}
	return errors.Join(failures...)
}

func (s *shardFile) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var unmapped error
	if s.mapping != nil {
		unmapped = s.mapping.Close()
	}
	if err := s.file.Close(); !errors.Is(err, os.ErrClosed) {
		return errors.Join(unmapped, err)
	}
	return unmapped
}

// shard is the file called name, nil if the checkpoint has none.
func (c *Checkpoint) shard(name string) *shardFile {
	i, ok := slices.BinarySearchFunc(c.shards, name, func(s *shardFile, name string) int {
		return cmp.Compare(s.Name, name)
	})
	if !ok {
		return nil
	}
	return c.shards[i]
}
