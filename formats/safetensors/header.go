package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"

	format "github.com/nlpodyssey/safetensors"

	"moge/ir/dtype"
)

const (
	lengthBytes  = 8           // the header's length, little-endian, opens the file
	maxHeader    = 100_000_000 // bytes, the limit of the format's reference implementation
	maxRank      = 64
	metadataName = "__metadata__" // the one header key that names no tensor
)

// A header is what the head of one file declares.
type header struct {
	tensors  []Tensor // in the order of their offsets
	metadata map[string]string
}

// readHeader reads and checks the header of the file of size bytes behind r. What it allocates is
// bounded by a multiple of size.
func readHeader(file string, r io.ReaderAt, size int64) (header, error) {
	length, err := readLength(file, r, size)
	if err != nil {
		return header{}, err
	}
	text := make([]byte, length)
	if err := readFull(file, r, text, lengthBytes); err != nil {
		return header{}, err
	}
	entries, metadata, err := parseHeader(file, text)
	if err != nil {
		return header{}, err
	}
	tensors, err := place(file, entries, lengthBytes+length, size)
	return header{tensors, metadata}, err
}

func readFull(file string, r io.ReaderAt, dst []byte, at int64) error {
	if n, err := r.ReadAt(dst, at); n < len(dst) {
		return &Error{File: file, Offset: at + int64(n), Reason: "cannot read the header", Err: err}
	}
	return nil
}

func readLength(file string, r io.ReaderAt, size int64) (int64, error) {
	var field [lengthBytes]byte
	if size < lengthBytes {
		return 0, &Error{File: file, Hint: hintCut,
			Reason: fmt.Sprintf("file has %d bytes, too few for a header length", size)}
	}
	if err := readFull(file, r, field[:], 0); err != nil {
		return 0, err
	}
	if string(field[:]) == "version " {
		return 0, &Error{File: file, Reason: "file is a Git LFS pointer, not the tensors themselves",
			Hint: "fetch the content with git lfs pull"}
	}
	length := binary.LittleEndian.Uint64(field[:])
	if length > maxHeader {
		return 0, &Error{File: file, Hint: hintForeign, Reason: fmt.Sprintf(
			"header length %d exceeds the limit of %d bytes", length, maxHeader)}
	}
	if int64(length) > size-lengthBytes {
		return 0, &Error{File: file, Hint: hintCut, Reason: fmt.Sprintf(
			"header of %d bytes goes beyond the end of the %d-byte file", length, size)}
	}
	return int64(length), nil
}

// An entry is one tensor as the header states it, before any check of its offsets.
type entry struct {
	format.NamedTensorInfo
	dtype dtype.Type
	at    int64 // byte offset of the record in the file, for messages
}

func parseHeader(file string, text []byte) ([]entry, map[string]string, error) {
	var entries []entry
	var metadata map[string]string
	visit := func(s *scanner, key string) (err error) {
		if key == metadataName {
			metadata, err = s.stringMap()
			return err
		}
		e, err := s.entry(key)
		entries = append(entries, e)
		return err
	}
	err := scanDocument(file, "header", lengthBytes, text, visit)
	return entries, metadata, err
}

func (s *scanner) stringMap() (map[string]string, error) {
	all := map[string]string{}
	err := s.object("", func(key string) (err error) {
		all[key], err = s.str("")
		return err
	})
	return all, err
}

// entry reads the record of the tensor called name.
func (s *scanner) entry(name string) (entry, error) {
	e := entry{at: s.base + s.dec.InputOffset()}
	e.Name = name
	fields := 0
	err := s.object(name, func(key string) error {
		fields++
		return s.field(&e, key)
	})
	if err == nil && fields != 3 {
		err = s.fail(name, "the record lacks one of dtype, shape and data_offsets")
	}
	return e, err
}

func (s *scanner) field(e *entry, key string) (err error) {
	info := &e.TensorInfo
	switch key {
	case "dtype":
		return s.elementType(e)
	case "shape":
		info.Shape, err = s.naturals(e.Name, key, maxRank)
		return err
	case "data_offsets":
		pair, err := s.naturals(e.Name, key, 2)
		if err == nil && len(pair) != 2 {
			err = s.fail(e.Name, "data_offsets has fewer than 2 values")
		}
		copy(info.DataOffsets[:], pair)
		return err
	}
	return s.fail(e.Name, fmt.Sprintf("unknown key %s in the record", quote(key)))
}

func (s *scanner) elementType(e *entry) error {
	name, err := s.str(e.Name)
	if err != nil {
		return err
	}
	known := ""
	if e.TensorInfo.DType, err = format.ParseDType(name); err != nil {
		known = "unknown element type " + quote(name)
	} else if e.dtype, err = dtype.ParseSafetensors(name); err != nil {
		known = "element type " + name + " is not supported"
	}
	if err != nil {
		failure := s.fail(e.Name, known)
		failure.Hint = hintDTypes
		return failure
	}
	return nil
}
