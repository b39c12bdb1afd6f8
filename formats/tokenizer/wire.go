package tokenizer

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// wireField is one field of a protobuf message: a number for varints and fixed words,
// bytes for length-delimited values.
type wireField struct {
	num    protowire.Number
	typ    protowire.Type
	number uint64
	bytes  []byte
	path   string
	off    int // of the value, from the start of the file
}

func (f wireField) errorf(format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	return &FormatError{File: modelFile, Field: f.path, Offset: f.off, Reason: reason}
}

// want refuses a known field that was written with another wire type.
func (f wireField) want(typ protowire.Type) error {
	if f.typ == typ {
		return nil
	}
	return f.errorf("wire type %d, want %d", f.typ, typ)
}

// walk calls visit for every field of the message in buf, which starts at byte base of
// the file. The values alias buf.
func walk(buf []byte, base int, path string, visit func(wireField) error) error {
	for pos := 0; pos < len(buf); {
		f, n, err := nextField(buf[pos:], base+pos, path)
		if err != nil {
			return err
		}
		if err := visit(f); err != nil {
			return err
		}
		pos += n
	}
	return nil
}

func nextField(buf []byte, off int, path string) (wireField, int, error) {
	f := wireField{path: path, off: off}
	num, typ, tagLen := protowire.ConsumeTag(buf)
	if tagLen < 0 {
		return f, 0, f.errorf("bad field tag: %s", wireReason(tagLen))
	}
	f.num, f.typ, f.off = num, typ, off+tagLen
	valLen := f.consume(buf[tagLen:])
	if valLen < 0 {
		return f, 0, f.errorf("bad value of field %d: %s", num, wireReason(valLen))
	}
	return f, tagLen + valLen, nil
}

// wireReason explains a negative length of protowire, whose own texts vary from one
// build to the next.
func wireReason(code int) string {
	if errors.Is(protowire.ParseError(code), io.ErrUnexpectedEOF) {
		return "it goes past the end"
	}
	return "it is malformed"
}

// consume reads the value at the start of buf and returns its length, or a negative
// protowire error code.
func (f *wireField) consume(buf []byte) int {
	var n int
	switch f.typ {
	case protowire.VarintType:
		f.number, n = protowire.ConsumeVarint(buf)
	case protowire.Fixed32Type:
		var word uint32
		word, n = protowire.ConsumeFixed32(buf)
		f.number = uint64(word)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(buf)
		f.off += max(n-len(f.bytes), 0)
	default:
		n = protowire.ConsumeFieldValue(f.num, f.typ, buf)
	}
	return n
}
