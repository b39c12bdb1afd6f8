package hf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxFile  = 16 << 20 // bytes; published files have a few KB, those with chat templates some more
	maxDepth = 64       // nested objects and arrays
)

// A document is one JSON object whose values are not yet looked at.
type document struct {
	file   string
	prefix string // the keys of the enclosing objects, each with a dot behind it
	values map[string]json.RawMessage
}

// parseDocument reads the object in data and refuses what is too large, too deep or ambiguous.
func parseDocument(file string, data []byte) (document, error) {
	fail := func(format string, args ...any) (document, error) {
		return document{}, &Error{File: file, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(data) > maxFile:
		return fail("has %d bytes, at most %d are possible", len(data), maxFile)
	case !utf8.Valid(data):
		return fail("is not UTF-8 text")
	}
	if at, ok := tooDeep(data); ok {
		return fail("nests more than %d levels at byte %d", maxDepth, at)
	}
	return parseObject(file, "", data)
}

// tooDeep finds the bracket that exceeds maxDepth.
func tooDeep(data []byte) (at int, ok bool) {
	depth, inside := 0, false // inside a string
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth > maxDepth {
			return i, true
		}
	}
	return 0, false
}

// parseObject reads an object within the limits of parseDocument.
func parseObject(file, prefix string, data []byte) (document, error) {
	d := document{file, prefix, map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(data))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return d, d.failure(strings.TrimSuffix(prefix, "."), "is not a JSON object")
	}
	for dec.More() {
		if err := d.readPair(dec, data); err != nil {
			return d, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return d, d.syntax(dec, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return d, d.failure("", fmt.Sprintf(
			"goes on after the object's end at byte %d", dec.InputOffset()))
	}
	return d, nil
}

func (d document) readPair(dec *json.Decoder, data []byte) error {
	token, err := dec.Token()
	if err != nil {
		return d.syntax(dec, err)
	}
	key := token.(string) // the decoder has checked that a key stands here
	if _, twice := d.values[key]; twice {
		return d.failure(d.prefix+key, "occurs twice")
	}
	rest := bytes.TrimLeft(data[dec.InputOffset():], ": \t\r\n")
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} { // Python writes these
		if bytes.HasPrefix(rest, []byte(word)) {
			return d.failure(d.prefix+key, "is "+word+", it must be a finite number")
		}
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return d.syntax(dec, err)
	}
	d.values[key] = raw
	return nil
}

func (d document) syntax(dec *json.Decoder, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return d.failure("", "is not JSON: it ends too early")
	}
	return d.failure("", fmt.Sprintf("is not JSON: near byte %d: %v", dec.InputOffset(), err))
}

// failure is the error about a key, whose enclosing objects the caller has named.
func (d document) failure(key, reason string) *Error {
	return &Error{File: d.file, Key: key, Reason: reason}
}

// value is what stands at key; null counts as absent.
func (d document) value(key string) (json.RawMessage, bool) {
	raw, ok := d.values[key]
	return raw, ok && string(raw) != "null"
}

// keys are those with a value, sorted.
func (d document) keys() []string {
	all := slices.Sorted(maps.Keys(d.values))
	return slices.DeleteFunc(all, func(key string) bool {
		_, ok := d.value(key)
		return !ok
	})
}
