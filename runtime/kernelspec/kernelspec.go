package kernelspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxBytes bounds the JSON of one specification; true ones take less than 1 KiB.
const MaxBytes = 64 << 10

// Split takes the kind out of a specification. It refuses what is longer than MaxBytes, fields given
// twice, nesting that no kind has, and data behind the object.
func Split(data []byte) (kind string, fields []byte, err error) {
	if len(data) > MaxBytes {
		return "", nil, fmt.Errorf("%d bytes, at most %d", len(data), MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := uniqueKeys(d, 0); errors.Is(err, io.EOF) {
		return "", nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return "", nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", nil, errors.New("data behind the object")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal(members["kind"], &kind); err != nil {
		return "", nil, errors.New(`no member "kind" with a string`)
	}
	delete(members, "kind")
	fields, err = json.Marshal(members)
	return kind, fields, err
}

// Fields decodes the fields of one kind, and only these.
func Fields[S any](data []byte) (S, error) {
	var s S
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&s)
	return s, err
}

// uniqueKeys reads one value and refuses objects with the same key twice, letter case apart: the
// decoder would take either. Specifications nest once.
func uniqueKeys(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if depth > 2 || t == json.Delim('[') {
		return errors.New("nested deeper than a spec is")
	}
	if t != json.Delim('{') {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name := strings.ToLower(fmt.Sprint(key))
		if seen[name] {
			return fmt.Errorf("member %q twice", key)
		}
		seen[name] = true
		if err := uniqueKeys(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
