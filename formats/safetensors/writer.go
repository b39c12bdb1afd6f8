package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Writer streams one file in the safetensors format.
type Writer struct {
	w       io.Writer
	tensors []Tensor // with Offset and Size set
	at, end int64    // the next byte of the file, and its length
	err     error    // the first failure of w
}

// NewWriter writes the header of a file that will hold the tensors, of which Name, DType and
// Shape count, in the given order; no sorting is done, so elements are aligned only if wider
// types come first. metadata may be nil. The header is padded with spaces to a multiple of 8
// bytes, as https://github.com/huggingface/safetensors describes the format.
func NewWriter(w io.Writer, tensors []Tensor, metadata map[string]string) (*Writer, error) {
	placed, err := assign(tensors)
	if err != nil {
		return nil, err
	}
	head, err := encodeHeader(placed, metadata)
	if err != nil {
		return nil, err
	}
	end := int64(len(head))
	for i := range placed {
		placed[i].Offset += int64(len(head))
		end += placed[i].Size
	}
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	return &Writer{w: w, tensors: placed, at: int64(len(head)), end: end}, nil
}

// Write takes the next bytes of the tensors, in the order of the list and without bounds between
// them; it refuses what goes beyond the last tensor.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if int64(len(p)) > w.end-w.at {
		return 0, &Error{Offset: w.at, Reason: fmt.Sprintf(
			"%d bytes to write but only %d are declared", len(p), w.end-w.at)}
	}
	n, err := w.w.Write(p)
	w.at += int64(n)
	w.err = err
	return n, err
}

// Close checks that every tensor was written whole. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.err != nil || w.at == w.end {
		return w.err
	}
	i := slices.IndexFunc(w.tensors, func(t Tensor) bool { return w.at < t.Offset+t.Size })
	t := w.tensors[i]
	return &Error{Tensor: t.Name, Offset: w.at, Reason: fmt.Sprintf(
		"only %d of its %d bytes were written", w.at-t.Offset, t.Size)}
}

// assign sets Size, and Offset from the start of the data.
func assign(tensors []Tensor) ([]Tensor, error) {
	placed := slices.Clone(tensors)
	seen := make(map[string]struct{}, len(tensors))
	next := int64(0)
	for i := range placed {
		t := &placed[i]
		if _, twice := seen[t.Name]; twice {
			return nil, &Error{Tensor: t.Name, Reason: "the list holds this name twice"}
		}
		seen[t.Name] = struct{}{}
		if err := checkWritable(*t); err != nil {
			return nil, err
		}
		t.Size, _ = sizeOf(*t)
		t.Offset = next
		if next += t.Size; next > maxFile {
			return nil, &Error{Tensor: t.Name, Reason: "the file would exceed 2^62 bytes"}
		}
	}
	return placed, nil
}

const maxFile = 1 << 62 // bytes; leaves room for the header below an int64's limit

func checkWritable(t Tensor) error {
	reason := ""
	switch {
	case !utf8.ValidString(t.Name):
		reason = "the name is not UTF-8 text"
	case t.Name == metadataName:
		reason = "the format reserves this name"
	case t.DType.Safetensors() == "":
		reason = fmt.Sprintf("the format has no element type %s", t.DType)
	case len(t.Shape) > maxRank:
		reason = fmt.Sprintf("%d dimensions, at most %d are possible", len(t.Shape), maxRank)
	default:
		if size, ok := sizeOf(t); ok && size <= maxFile {
			return nil
		}
		reason = fmt.Sprintf("shape %v is negative or overflows", t.Shape)
	}
	return &Error{Tensor: t.Name, Reason: reason}
}

// sizeOf is the bytes that the shape needs; false if it is no shape.
func sizeOf(t Tensor) (int64, bool) {
	shape := make([]uint64, len(t.Shape))
	for i, n := range t.Shape {
		if n < 0 {
			return 0, false
		}
		shape[i] = uint64(n)
	}
	size, ok := storage(shape, uint64(t.DType.Bytes(1)))
	return int64(size), ok
}

// encodeHeader is length and JSON text, for tensors whose offsets count from the data's start.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	head := make([]byte, lengthBytes)
	comma := byte('{')
	if len(metadata) > 0 {
		head = append(appendString(append(head, comma), metadataName), ':')
		head = appendMap(head, metadata)
		comma = ','
	}
	for _, t := range tensors {
		head = appendRecord(append(head, comma), t)
		comma = ','
	}
	if comma == '{' {
		head = append(head, comma)
	}
	head = append(head, '}')
	for len(head)%8 != 0 {
		head = append(head, ' ')
	}
	length := len(head) - lengthBytes
	if length > maxHeader {
		return nil, &Error{Reason: fmt.Sprintf(
			"the header would take %d bytes, more than the limit of %d", length, maxHeader),
			Hint: "write more shards"}
	}
	binary.LittleEndian.PutUint64(head, uint64(length))
	return head, nil
}

func appendRecord(head []byte, t Tensor) []byte {
	head = append(appendString(head, t.Name), `:{"dtype":`...)
	head = append(appendString(head, t.DType.Safetensors()), `,"shape":[`...)
	for i, n := range t.Shape {
		if i > 0 {
			head = append(head, ',')
		}
		head = strconv.AppendInt(head, n, 10)
	}
	head = append(head, `],"data_offsets":[`...)
	head = append(strconv.AppendInt(head, t.Offset, 10), ',')
	head = strconv.AppendInt(head, t.Offset+t.Size, 10)
	return append(head, `]}`...)
}

func appendMap(head []byte, values map[string]string) []byte {
	comma := byte('{')
	for _, key := range slices.Sorted(maps.Keys(values)) {
		head = append(appendString(append(head, comma), key), ':')
		head = appendString(head, values[key])
		comma = ','
	}
	return append(head, '}')
}

// appendString appends s as JSON without the escapes that only HTML needs.
func appendString(head []byte, s string) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("BUG: a string has no JSON: " + err.Error())
	}
	return append(head, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}
