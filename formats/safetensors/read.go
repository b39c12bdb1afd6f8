package safetensors

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"moge/formats/mapped"
)

// shardOf is the file of a tensor of this checkpoint.
func (c *Checkpoint) shardOf(t Tensor) *shardFile {
	s := c.shard(t.Shard)
	if s == nil || t.Offset < 0 || t.Size < 0 || t.Offset > s.Size-t.Size {
		panic("BUG: tensor " + t.Name + " is not of this checkpoint")
	}
	return s
}

// ReadAt fills dst with the bytes of t from off on, counted from the tensor's first byte; the
// whole range must lie inside the tensor. It keeps nothing in memory and may be called by several
// goroutines at once.
func (c *Checkpoint) ReadAt(t Tensor, dst []byte, off int64) error {
	s := c.shardOf(t)
	if off < 0 || off > t.Size-int64(len(dst)) {
		panic(fmt.Sprintf("BUG: read of %d bytes at %d of a tensor of %d bytes", len(dst), off, t.Size))
	}
	if n, err := s.file.ReadAt(dst, t.Offset+off); n < len(dst) {
		return s.readError(t.Name, t.Offset+off+int64(n), err)
	}
	return nil
}

// readError is the error of a read that stopped at offset at.
func (s *shardFile) readError(tensor string, at int64, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{File: s.Name, Tensor: tensor, Offset: at, Hint: hintChanged,
			Reason: fmt.Sprintf("file was cut short while in use, it had %d bytes", s.Size)}
	}
	return &Error{File: s.Name, Tensor: tensor, Offset: at, Reason: "cannot read", Err: err}
}

// View gives the bytes of t as a mapping of the file, valid until Close and not to be written to.
// Read them inside mapped.Guard, for the file may be cut short meanwhile. What was read counts as
// resident memory until Release.
func (c *Checkpoint) View(t Tensor) ([]byte, error) {
	s := c.shardOf(t)
	if t.Size == 0 {
		return []byte{}, nil
	}
	mapping, err := s.mapFile()
	if err != nil {
		return nil, err
	}
	end := t.Offset + t.Size
	return mapping.Bytes()[t.Offset:end:end], nil
}

// Release tells the system that the pages of t seen through View may leave memory; they stay
// readable.
func (c *Checkpoint) Release(t Tensor) {
	s := c.shardOf(t)
	s.mu.Lock()
	mapping := s.mapping
	s.mu.Unlock()
	if mapping != nil {
		mapping.Release(t.Offset, t.Size)
	}
}

// mapFile maps the shard on first use, through the descriptor that the header was read from.
func (s *shardFile) mapFile() (*mapped.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mapping != nil {
		return s.mapping, nil
	}
	mapping, err := mapped.Map(s.file)
	if err != nil {
		return nil, &Error{File: s.Name, Reason: "cannot map", Err: err}
	}
	if mapping.Size() != s.Size {
		_ = mapping.Close() // the size is the error to report
		return nil, s.sizeError(mapping.Size())
	}
	s.mapping = mapping
	return mapping, nil
}

func (s *shardFile) sizeError(now int64) error {
	return &Error{File: s.Name, Hint: hintChanged,
		Reason: fmt.Sprintf("file has %d bytes but had %d when it was opened", now, s.Size)}
}

// Digest is the SHA-256 of the whole shard file, read in pieces. After each piece it calls
// progress, unless that is nil, with the number of bytes just read, and stops if ctx is done.
func (c *Checkpoint) Digest(
	ctx context.Context, shard Shard, progress func(n int64),
) (sum [32]byte, err error) {
	s := c.shard(shard.Name)
	if s == nil {
		panic("BUG: shard " + shard.Name + " is not of this checkpoint")
	}
	hash := sha256.New()
	buffer := make([]byte, 1<<20)
	for at := int64(0); at < s.Size; {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		piece := buffer[:min(int64(len(buffer)), s.Size-at)]
		if n, err := s.file.ReadAt(piece, at); n < len(piece) {
			return sum, s.readError("", at+int64(n), err)
		}
		hash.Write(piece)
		at += int64(len(piece))
		if progress != nil {
			progress(int64(len(piece)))
		}
	}
	if info, err := s.file.Stat(); err == nil && info.Size() != s.Size {
		return sum, s.sizeError(info.Size())
	}
	return [32]byte(hash.Sum(nil)), nil
}
